"""A peer's process that is started again, or another one in its place: the others learn it at once, and in words."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from mpc.errors import PeerLostError
from mpc.links.channel import Channel, Limits
from mpc.links.network import Connected, Unshaken
from mpc.links.session import Link
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.transport import Transport
from mpc.runtime.trace import Trace
from tests.links.over_zmq import ANYWHERE, LONG, End, at_once, values
from tests.links.pairs import KEY, greet, swap

LIMITS = Limits(connect=LONG, deadline=LONG, patience=LONG)


class Party:
    """One process's end of the links: `a` listens, `b` dials it."""

    def __init__(self, name: str, me: Identity, peer: Identity, at: str | None = None, limits: Limits = LIMITS) -> None:
        other = "b" if name == "a" else "a"
        self.name = name
        self.trace = Trace(lambda *_: None)
        self.transport = Transport(me, {other: peer.public}, None if at else ANYWHERE)
        self.said: list[str] = []
        self.channel = Channel(name, [other], self.transport, limits, self.trace, self.said.append)
        if at:
            self.transport.dial(other, at)


def listener() -> tuple[Party, Callable[[], Party]]:
    """a, and what starts a process of b."""
    keys = {name: new_identity() for name in "ab"}
    a = Party("a", keys["a"], keys["b"])
    return a, lambda: Party("b", keys["b"], keys["a"], str(a.transport.endpoint))


@contextmanager
def closing(*parties: Party) -> Iterator[None]:
    try:
        yield
    finally:
        for party in parties:
            party.transport.close(0)


@pytest.mark.parametrize("greeted", [True, False])
def test_a_peer_that_was_started_again_is_no_part_of_the_run(greeted: bool) -> None:
    """Before the session has its key (another hello), or after (it expects what it had already)."""
    a, dial = listener()
    b = dial()
    with closing(a):
        with closing(b):
            if greeted:
                at_once({"a": lambda: greet(a), "b": lambda: greet(b)})  # type: ignore[arg-type]
            else:
                b.channel.push("a", "hello", b"one hello")
                assert bytes(a.channel.pull("b", "hello")) == b"one hello"
        again = dial()
        again.channel.push("a", "hello", b"another hello")

        def new_process() -> None:
            end = time.monotonic() + LONG
            while not done and time.monotonic() < end:
                again.transport.poll(0.01)

        def old_process() -> None:
            try:
                a.channel.exchange(swap("b", 1))
            finally:
                done.append(True)

        done: list[bool] = []
        with closing(again):
            ends = at_once({"a": old_process, "b": new_process})
    error = ends["a"].error
    assert isinstance(error, PeerLostError), error
    assert error.message == "b was started again in the middle of the run" and error.party == "b"
    assert ends["b"] == End()


def greet_and_swap(party: Party) -> None:
    """As in any run, each then has something that shows it that the other has its hello, which goes no more."""
    greet(party)  # type: ignore[arg-type]
    party.channel.exchange(swap("ab"[party.name == "a"], 1))


def test_the_next_run_of_a_peer_that_is_done_disturbs_nobody() -> None:
    a, dial = listener()
    b = dial()
    with closing(a):
        with closing(b):
            values(at_once({"a": lambda: greet_and_swap(a), "b": lambda: greet_and_swap(b)}))
            a.channel.dismiss("b")
        again = dial()
        again.channel.push("a", "hello", b"another hello")
        with closing(again):
            ends = at_once(
                {
                    "a": lambda: a.channel.pull("b", "nothing", 1.0),
                    "b": lambda: again.channel.pull("a", "hello", 1.0),
                }
            )
            assert again.channel._contact._met == set(), "what comes of the last run is not taken for this one"
    assert {str(end.error).partition(";")[0] for end in ends.values()} == {
        "b did not answer in 'nothing' in time",
        "a did not connect in time",
    }


def test_what_an_earlier_process_sent_too_early_is_forgotten() -> None:
    old, link = Link("a", "b"), Link("b", "a")
    old.data(0, b"hello")
    old.rekey(bytes(32))
    frame = old.data(1, b"of another session")
    assert link.receive(memoryview(frame.head), memoryview(frame.body)) == []
    link.resume()  # a new connection, of a new process
    link.data(0, b"hello")
    assert link.rekey(KEY) == []


def test_a_wrong_listeners_key_makes_both_sides_suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.links.contact._NOTICE_SECONDS", 0.3)
    keys = {name: new_identity() for name in "ab"}
    limits = Limits(connect=LONG, deadline=1.5, patience=LONG)
    a = Party("a", keys["a"], keys["b"], limits=limits)
    b = Party("b", keys["b"], new_identity(), str(a.transport.endpoint), limits=limits)
    with closing(a, b):
        ends = at_once({p.name: lambda p=p: p.channel.exchange(swap("ab"[p.name == "a"], 1)) for p in (a, b)})  # type: ignore[misc]
    of_b = (
        "what listens at the address of a breaks off every handshake: see whether it is a, and compare its public_key"
    )
    of_a = "or of a peer whose scenario has another public_key of a"
    assert any(
        re.fullmatch(r"a handshake from .* at this party's port broke off, and nothing .*", text) for text in a.said
    )
    assert "the handshake with a broke off, and nothing of it was taken in" in b.said
    for end, party, words in ((ends["a"], a, of_a), (ends["b"], b, of_b)):
        assert isinstance(end.error, PeerLostError) and words in end.error.hint
        assert any(said.startswith("waiting for ") and words in said for said in party.said)


def test_a_listener_that_is_no_party_is_dialled_again_and_again() -> None:
    """What it sends makes no sense to ZeroMQ, which would give it up for good."""
    me, peer = new_identity(), new_identity()
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = Transport(me, {"b": peer.public}, None)
        transport.dial("b", f"tcp://127.0.0.1:{server.getsockname()[1]}")
        try:
            server.settimeout(0.01)
            visits, end = 0, time.monotonic() + LONG
            while visits < 3:
                assert transport.poll(0.01) in (None, Unshaken("b"))
                assert time.monotonic() < end
                with suppress(TimeoutError):
                    visitor, _ = server.accept()
                    with visitor:
                        visitor.sendall(b"SSH-2.0-OpenSSH_9.6\r\n" * 10)
                        visits += 1
                        while (event := transport.poll(1)) != Unshaken("b"):
                            assert event is None and time.monotonic() < end
        finally:
            transport.close(0)


def test_a_handshake_is_answered_while_something_else_is_done() -> None:
    """Such as the reading of much data."""
    a, dial = listener()
    b = dial()
    met: list[bool] = []

    def meet() -> None:
        end = time.monotonic() + LONG
        while time.monotonic() < end and b.transport.poll(1) != Connected("a"):
            pass
        met.append(True)

    with closing(a, b):
        ends = at_once({"a": lambda: a.channel.attend(lambda: bool(met)), "b": meet})
    assert [end.error for end in ends.values()] == [None, None] and met == [True]
    assert a.said == [] and b.said == []
