"""Rounds over real links: order, counts, deadlines, and what is refused."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from zmq.utils import z85

from mpc.errors import DisagreementError, PeerLostError, ProtocolError
from mpc.links.channel import Channel, Limits
from mpc.links.meeting.play import drive
from mpc.links.session import HANDSHAKE, Frame
from mpc.links.zmq.curve import new_identity, text_begins
from mpc.links.zmq.transport import Transport
from mpc.randomness.streams import derive
from mpc.ring.rings import B8, wide
from mpc.ring.specs import Spec
from mpc.runtime.round import HEADER_BYTES, Blob, Program, Round
from mpc.runtime.trace import Trace
from tests.links.over_zmq import ANYWHERE, LIMITS, LONG, Sent, Site, at_once, sites, values
from tests.links.pairs import ONE_WORD, both, fails, greet, swap

# Rounds


def test_a_rounds_work_is_done_once_its_messages_are_sent(pair: dict[str, Site]) -> None:
    done: list[str] = []

    def job(site: Site, peer: str) -> int:
        def work() -> None:
            done.append(site.name)

        one = Round({peer: (np.full(1, 3, dtype=np.uint64),)}, {peer: ONE_WORD}, "work", meanwhile=(work,))
        return int(site.channel.exchange(one)[peer][0][0])

    assert both(pair, job) == {"a": 3, "b": 3}
    assert sorted(done) == ["a", "b"]


def test_a_round_brings_each_peers_arrays() -> None:
    specs = (Spec((2, 3), 4), Spec((5,), 0, B8), Spec((0,)), Spec((2,), 0, wide(128)))

    def arrays(seed: int) -> tuple[np.ndarray, ...]:
        stream = [derive(bytes([seed]), "arrays")] * 4
        return tuple(
            spec.ring.from_bytes(memoryview((part * 4)[: spec.nbytes]), spec.shape)
            for spec, part in zip(specs, stream, strict=True)
        )

    names = ("a", "b", "c")

    def job(site: Site) -> dict[str, Any]:
        greet(site)
        peers = [name for name in names if name != site.name]
        mine = tuple(s.ring.words(a) for s, a in zip(specs, arrays(names.index(site.name)), strict=True))
        return site.channel.exchange(Round(dict.fromkeys(peers, mine), dict.fromkeys(peers, specs), "all"))

    with sites(*names) as parties:
        got = values(at_once({name: lambda site=site: job(site) for name, site in parties.items()}))  # type: ignore[misc]
        for name in names:
            assert set(got[name]) == set(names) - {name}
            for peer, received in got[name].items():
                for mine, theirs in zip(received, arrays(names.index(peer)), strict=True):
                    assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)
            trace, size = parties[name].trace, sum(spec.nbytes for spec in specs) + HEADER_BYTES
            assert (trace.rounds, trace.messages) == (1, 2)
            assert trace.bytes_sent == trace.bytes_received == 2 * size
            assert trace.labels == {"all": 1}


def test_a_faster_peers_messages_wait_for_their_round(pair: dict[str, Site]) -> None:
    def job(site: Site, peer: str) -> list[int]:
        if site.name == "a":
            for number in range(20):
                site.channel.push(peer, f"round {number}", np.array([number], dtype=np.uint64).tobytes())
            return []
        return [
            int(site.channel.exchange(Round({}, {peer: ONE_WORD}, f"round {number}"))[peer][0][0])
            for number in range(20)
        ]

    assert both(pair, job)["b"] == list(range(20))


def test_a_program_is_driven_to_its_result(pair: dict[str, Site]) -> None:
    async def program(peer: str, start: int) -> int:
        value = start
        for number in range(10):
            got = await swap(peer, value, f"step {number}")
            value += int(got[peer][0][0])
        return value

    got = both(pair, lambda site, peer: drive(site.channel, program(peer, len(peer) + ord(site.name))))
    assert got["a"] == got["b"] == (1 + 97 + 1 + 98) * 2**9


def test_a_program_is_closed_when_its_round_fails() -> None:
    closed = []

    async def program() -> None:
        try:
            await Round({}, {"b": ONE_WORD}, "waiting")
        finally:
            closed.append(True)

    started: Program = program()
    with sites("a", "b", limits=Limits(LONG, 0.05, LONG)) as parties, pytest.raises(PeerLostError):
        drive(parties["a"].channel, started)
    assert closed == [True]


def test_pushed_messages_come_in_order_and_are_counted(pair: dict[str, Site]) -> None:
    def job(site: Site, peer: str) -> list[bytes]:
        if site.name == "a":
            for number in range(5):
                site.channel.push(peer, "window", bytes([number]) * 10)
            return [bytes(site.channel.pull(peer, "thanks"))]
        got = [bytes(site.channel.pull(peer, "window")) for _ in range(5)]
        site.channel.push(peer, "thanks", b"")
        return got

    got = both(pair, job)
    assert got == {"a": [b""], "b": [bytes([number]) * 10 for number in range(5)]}
    a, b = pair["a"].trace, pair["b"].trace
    assert a.bytes_sent == b.bytes_received == 5 * (HEADER_BYTES + 10)
    assert b.bytes_sent == a.bytes_received == HEADER_BYTES
    assert (a.rounds, a.messages, b.rounds, b.messages) == (0, 5, 0, 1)


def test_each_answer_is_looked_at_when_it_comes() -> None:
    """So that a peer's mistake is found even where another peer never answers."""

    def look(peer: str, answer: bytes) -> bytes:
        if answer != b"hello":
            raise ProtocolError(f"{peer} is rude", party=peer)
        return answer + b", looked at"

    with sites("a", "b", "c") as parties:
        parties["b"].channel.push("a", "hello", b"hey!")
        one = Round({}, {"b": Blob(100), "c": Blob(100)}, "hello")
        with pytest.raises(ProtocolError, match="b is rude"):
            parties["a"].channel.exchange(one, None, look)
        parties["c"].channel.push("b", "hello", b"hello")
        assert parties["b"].channel.exchange(Round({}, {"c": Blob(100)}, "hello"), None, look) == {
            "c": b"hello, looked at"
        }


# What is refused


def test_a_message_of_another_round_is_refused(pair: dict[str, Site]) -> None:
    pair["b"].channel.push("a", "another", bytes(8))
    error = fails(lambda: pair["a"].channel.exchange(swap("b", 1)), ProtocolError, "a waits for b in 'swap', which is")
    assert error.party == "b"
    pair["b"].channel.push("a", "another", bytes(8))
    fails(lambda: pair["a"].channel.pull("b", "deal"), ProtocolError, "a waits for b in 'deal', which is in")


@pytest.mark.parametrize("length", [0, 7, 9, 16])
def test_a_message_of_another_length_is_refused(pair: dict[str, Site], length: int) -> None:
    pair["b"].channel.push("a", "swap", bytes(length))
    error = fails(
        lambda: pair["a"].channel.exchange(swap("b", 1)),
        ProtocolError,
        f"a message from b in 'swap' has {length} bytes instead of 8",
    )
    assert error.party == "b"


def test_a_message_longer_than_allowed_is_refused(pair: dict[str, Site]) -> None:
    pair["b"].channel.push("a", "text", bytes(101))
    fails(
        lambda: pair["a"].channel.exchange(Round({}, {"b": Blob(100)}, "text")),
        ProtocolError,
        "b sent 101 bytes in 'text': too many",
    )


def test_a_message_longer_than_any_due_is_refused_at_once(pair: dict[str, Site]) -> None:
    pair["b"].channel.push("a", "another", bytes(HANDSHAKE.longest + 1))
    error = fails(
        lambda: pair["a"].channel.pull("b", "text", LONG),
        ProtocolError,
        "b sends a message that is longer than any that is due from it",
    )
    assert error.party == "b"


@pytest.mark.parametrize("place", [0, 5, 8, 20, HEADER_BYTES - 1])
def test_an_altered_frame_is_refused(pair: dict[str, Site], place: int) -> None:
    def alter(sent: Sent) -> Frame:
        return Frame(sent.head[:place] + bytes([sent.head[place] ^ 4]) + sent.head[place + 1 :], sent.body)

    pair["b"].transport.wire = alter
    pair["b"].channel.push("a", "swap", bytes(8))
    fails(lambda: pair["a"].channel.exchange(swap("b", 1)), ProtocolError, "^b sent a frame")


def test_a_refused_key_is_told_at_once_naming_both() -> None:
    a, b = new_identity(), new_identity()
    listener = Transport(a, {"b": new_identity().public}, ANYWHERE)
    dialler = Transport(b, {"a": a.public}, None)
    try:
        dialler.dial("a", str(listener.endpoint))
        said: list[str] = []
        waiting = Channel("a", ["b"], listener, LIMITS, Trace(lambda *_: None), said.append)
        refused = Channel("b", ["a"], dialler, LIMITS, Trace(lambda *_: None), said.append)
        ends = at_once(
            {
                "b": lambda: refused.exchange(swap("a", 1)),
                "a": lambda: waiting.exchange(swap("b", 1), 0.6),
            }
        )
    finally:
        dialler.close(0)
        listener.close(0)
    error = ends["b"].error
    assert isinstance(error, DisagreementError) and error.party == "a"
    assert "a refuses this party's key" in error.message and "the public keys of b and a" in error.hint
    assert isinstance(ends["a"].error, PeerLostError)
    assert said == [
        f"turned away a connection from 127.0.0.1 with the unlisted key {text_begins(z85.decode(b.public))}..."
    ], "once, however often"


# Deadlines


def test_who_never_connected_is_named() -> None:
    with sites("a", "b", limits=Limits(LONG, LONG, LONG)) as parties:
        error = fails(
            lambda: parties["a"].channel.exchange(swap("b", 1), 0.05),
            PeerLostError,
            "^b did not connect in time",
        )
        assert error.party == "b" and "addresses" in error.hint


def test_who_does_not_answer_in_time_is_named_with_the_round(pair: dict[str, Site]) -> None:
    error = fails(
        lambda: pair["a"].channel.exchange(swap("b", 1, "matmul"), 0.05),
        PeerLostError,
        "^b did not answer in 'matmul' in time",
    )
    assert error.party == "b"


def test_a_rounds_deadline_is_the_limits_one_where_none_is_given() -> None:
    with sites("a", "b", limits=Limits(LONG, 0.05, LONG)) as parties:
        fails(lambda: parties["a"].channel.exchange(swap("b", 1)), PeerLostError, "did not connect")


def test_a_late_answer_within_the_deadline_is_taken(pair: dict[str, Site]) -> None:
    answered = threading.Event()

    def job(site: Site, peer: str) -> int:
        if site.name == "b":
            assert answered.wait(LONG)
        else:
            timer = threading.Timer(0.3, answered.set)
            timer.start()
        return int(site.channel.exchange(swap(peer, ord(site.name)))[peer][0][0])

    assert both(pair, job) == {"a": ord("b"), "b": ord("a")}
