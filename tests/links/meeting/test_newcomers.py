"""A second process under a peer's key, started beside the first: a session is not disturbed, and the second is told."""

from __future__ import annotations

import os

import pytest

from mpc.errors import AlreadyHereError, DisagreementError
from mpc.links.session import Link
from mpc.runtime.round import HEADER_BYTES, Blob, Round
from tests.links.meeting.test_restarts import Party, closing, listener
from tests.links.over_zmq import at_once, values
from tests.links.pairs import KEY, swap


def hello(party: Party) -> None:
    """What stands for the handshake: a hello with a nonce, each way, then the session's key."""
    (peer,) = party.channel._links
    party.channel.exchange(Round({peer: os.urandom(16)}, {peer: Blob(100)}, "hello"))
    party.channel.rekey(peer, KEY)


def test_a_process_that_was_started_twice_disturbs_no_session() -> None:
    """The second one is turned away in words, while the first goes on, before and after; and nothing reaches it."""
    a, dial = listener()
    b = dial()
    twice = dial()
    over: list[str] = []

    def session(party: Party, peer: str) -> list[int]:
        """Rounds, numbered, until b says (by an odd number) that the second process has ended."""
        said: list[int] = []
        while True:
            last = int(party is b and "twice" in over)
            got = int(party.channel.exchange(swap(peer, 2 * len(said) + last))[peer][0][0])
            said.append(got // 2)
            if last or got % 2:
                return said

    def second() -> DisagreementError:
        try:
            with pytest.raises(DisagreementError) as caught:
                hello(twice)
            return caught.value
        finally:
            over.append("twice")

    with closing(a, b, twice):
        values(at_once({"a": lambda: hello(a), "b": lambda: hello(b)}))
        ends = values(at_once({"a": lambda: session(a, "b"), "b": lambda: session(b, "a"), "twice": second}))
    assert ends["a"] == ends["b"] == list(range(len(ends["a"])))
    error = ends["twice"]
    assert isinstance(error, AlreadyHereError) and error.exit_code == 5 and error.party == "a"
    assert error.message == "a is in a run with another process that has this party's key"
    assert [text for text in a.said if "another process" in text] == [
        "another process with the key of b connects, and is turned away: this run goes on"
    ]
    assert not any("lost contact" in text for text in a.said + b.said)


def test_it_is_told_before_there_is_a_session_too() -> None:
    """a reads its data still, or waits for somebody else: it answers nobody's hello, but has heard the first one's."""
    a, dial = listener()
    b = dial()
    twice = dial()
    over: list[bool] = []

    def first() -> None:
        b.channel.push("a", "hello", b"hello of b")
        b.channel.attend(lambda: bool(over))

    def second() -> DisagreementError:
        try:
            with pytest.raises(AlreadyHereError) as caught:
                twice.channel.attend(lambda: False)
            return caught.value
        finally:
            over.append(True)

    with closing(a, b, twice):
        ends = values(at_once({"a": lambda: a.channel.attend(lambda: bool(over)), "b": first, "twice": second}))
        assert bytes(a.channel.pull("b", "hello")) == b"hello of b"
    assert ends["twice"].exit_code == 5 and ends["twice"].party == "a"


def views(frame: tuple[bytes, bytes]) -> tuple[memoryview, memoryview]:
    return memoryview(frame[0]), memoryview(frame[1])


def test_what_shows_that_it_is_the_same_process() -> None:
    """Its hello, a digest of that, and whatever is tagged under the session's key; nothing that another one can say."""
    first, other, here = Link("b", "a"), Link("b", "a"), Link("a", "b")
    assert here.is_from_peer(*views(other.data(0, b"any hello"))), "there is nothing yet to disturb"
    hello, others = first.data(0, b"hello"), other.data(0, b"another hello")
    here.data(0, b"hello of a")
    here.receive(*views(hello))
    resume = first.resume(first=True)
    assert here.is_from_peer(*views(hello)) and here.is_from_peer(*views(resume))
    for frame in (others, other.resume(first=True), Link("b", "a").resume(first=True), other.abort(b"{}")):
        assert not here.is_from_peer(*views(frame))
    for link in (first, here):
        link.rekey(KEY)
    other.rekey(bytes(32))
    assert here.is_from_peer(*views(first.data(1, b"data"))) and here.is_from_peer(*views(first.resume()))
    for frame in (other.data(1, b"data"), other.resume()):
        assert not here.is_from_peer(*views(frame))
    assert not here.is_from_peer(memoryview(b"x" * (HEADER_BYTES - 1)), memoryview(b""))
