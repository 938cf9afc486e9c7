"""A peer whose frames are of another version: told with both versions, whatever form its messages have."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import mpc.links.zmq.dialler
from mpc.errors import DisagreementError
from mpc.links.network import Connected
from mpc.links.probe import probe
from mpc.links.session import Frame
from mpc.links.wire import MAGIC, WIRE_VERSION, other_version
from mpc.links.zmq.messages import PIECE, Assembler, messages_of
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import Blob, Round
from tests.links.over_zmq import LONG, Sent, Site, at_once, sites
from tests.links.pairs import both, greet, swap

WORDS = f"b speaks version 9 of the parties' protocol, and a version {WIRE_VERSION}"


def older(head: bytes) -> bytes:
    return head[:2] + b"\t" + head[3:]


def hello(site: Site) -> Any:
    return site.channel.exchange(Round({"b": b"hello"}, {"b": Blob(100)}, "hello"))


def check(error: BaseException | None, words: str = WORDS) -> None:
    assert isinstance(error, DisagreementError) and error.exit_code == 5 and error.party == "b"
    assert error.message == words and error.hint == "install the same version of beaverlodge everywhere"


@pytest.mark.parametrize("later", [False, True], ids=["before the key", "in a session"])
def test_another_version_ends_with_both_versions(later: bool) -> None:
    with sites("a", "b") as parties:
        a, b = parties["a"], parties["b"]
        if later:
            both(parties, lambda site, _: greet(site))

        def wire(sent: Sent) -> Frame:
            return Frame(older(sent.head), sent.body)

        b.transport.wire = wire
        ends = at_once({
            "a": lambda: a.channel.exchange(swap("b", 1)) if later else hello(a),
            "b": lambda: b.channel.push("a", "swap", bytes(8)),
        })  # fmt: skip
    check(ends["a"].error)


def as_version_6_sent_it(frame: Frame) -> list[bytes]:
    """The frame alone, without what says how messages are put together."""
    return [older(frame.head) + frame.body]


def with_a_shorter_header(frame: Frame) -> list[bytes]:
    return [MAGIC + b"\t"]


def with_a_longer_one(frame: Frame) -> list[bytes]:
    return [older(frame.head) + bytes(200) + frame.body + b"\x07"]


def in_pieces(frame: Frame) -> list[bytes]:
    return [older(frame.head) + bytes(8) + (1 << 62).to_bytes(8, "little") + b"\1"]


@pytest.mark.parametrize("form", [as_version_6_sent_it, with_a_shorter_header, with_a_longer_one, in_pieces])
def test_another_versions_messages_may_have_another_form(
    form: Callable[[Frame], list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mpc.links.zmq.dialler, "messages_of", form)  # b dials
    with sites("a", "b") as parties:
        a, b = parties["a"], parties["b"]

        def speak() -> None:
            while not isinstance(b.transport.poll(LONG), Connected):
                pass
            b.channel.push("a", "hello", json.dumps({"version": "0.1"}).encode())

        ends = at_once({"a": lambda: hello(a), "b": speak})
    check(ends["a"].error)


def test_pieces_that_look_like_a_header_are_pieces() -> None:
    """What an array holds may begin with anything."""
    body = (MAGIC + b"\t" + bytes(5)) * (PIECE // 4)
    assembler, whole = Assembler(), None
    for message in messages_of(Frame(bytes(48), body)):
        whole = assembler.take(memoryview(message), len(body))
    assert whole is not None and whole[1] == body


def test_what_is_no_frame_has_no_version() -> None:
    for start in (b"", b"BL", b"XX\t", MAGIC + bytes([WIRE_VERSION])):
        assert other_version(memoryview(start)) is None
    assert other_version(memoryview(MAGIC + b"\0")) == 0


def test_a_doctor_sees_the_version_of_whoever_speaks() -> None:
    from parties.doctor.links import probe_links
    from tests.links.meeting.test_probe import Pair

    pair = Pair()
    with pair.start("a", doctor=True) as doctor, pair.start("b", dial=str(doctor.transport.endpoint)) as party:

        def speak() -> None:
            end = party.transport.now() + LONG
            while not isinstance(party.transport.poll(LONG), Connected):
                pass
            frame = probe({"is": "bye"})
            party.transport.send("a", Frame(older(frame.head), frame.body))
            party.transport.send("a", Frame(bytes(48), b"what is no frame of any version"))
            while party.transport.now() < end and not over:
                party.transport.poll(0.05)

        over: list[bool] = []

        def look(transport: Transport) -> Any:
            try:
                return probe_links(transport, {}, {"b": {}}, 2.0)
            finally:
                over.append(True)

        ends = at_once({"a": lambda: look(doctor.transport), "b": speak})
    assert ends["a"].error is None and ends["a"].value.peers["b"].other_version == 9
