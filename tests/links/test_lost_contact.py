"""Contact that is lost, and regained or not: nothing is lost with it, and nothing comes twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from mpc.errors import PeerLostError
from mpc.links.channel import Channel, Limits
from mpc.links.network import Came, Connected, Disconnected, Event
from mpc.links.session import Frame, Link
from mpc.links.wire import DATA, RESUME, label_code
from mpc.randomness.streams import derive
from mpc.runtime.round import HEADER_BYTES, Round
from mpc.runtime.trace import Trace
from tests.links.over_zmq import LIMITS, LONG, Site, at_once, sites, values
from tests.links.pairs import ONE_WORD, both, fails, greet, swap, word
from tests.links.relay import DIALLER, LISTENER, Relay, Relays

PAIR = ("b", "a")


@dataclass(frozen=True)
class Cut:
    """a listens, b dials it through a relay."""

    parties: dict[str, Site]
    relay: Relay


@contextmanager
def cut_off(limits: Limits = LIMITS) -> Iterator[Cut]:
    """The two, after their hellos."""
    with Relays([PAIR]) as relays, sites("a", "b", limits=limits, through=relays.through) as parties:
        both(parties, lambda site, _: greet(site))
        yield Cut(parties, relays.between[PAIR])


COUNT, BATCH = 120, 4
TIMES = (0, 3, 600, 9_000)  # 288,000 bytes travel as several parts of one ZeroMQ message


def spoken(who: str, number: int) -> bytes:
    return derive(who.encode(), str(number)) * TIMES[number % len(TIMES)]


def pour(site: Site, peer: str, relay: Relay, sides: tuple[str, ...]) -> list[bytes]:
    """Send all messages, a batch ahead of what the other has sent; in turn, each side spoils the connection."""
    got: list[bytes] = []

    def take(batch: range) -> None:
        got.extend(bytes(site.channel.pull(peer, f"message {number}", LONG)) for number in batch)

    for start in range(0, COUNT, BATCH):
        spoil = start % 40 == (20 if site.name == "a" else 0) and start > 0
        if spoil:
            relay.swallow()
        for number in range(start, start + BATCH):
            site.channel.push(peer, f"message {number}", spoken(site.name, number))
        if spoil:
            assert relay.swallowed.wait(LONG)
            relay.cut(*sides)
        if start > 0:
            take(range(start - BATCH, start))
    take(range(COUNT - BATCH, COUNT))
    return got


@pytest.mark.parametrize("noticed_by", ["both", "the dialler", "the listener"])
def test_whatever_a_cut_loses_comes_once_and_in_order(noticed_by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both pour messages at each other; the relay loses what is under way and breaks the connection, several times."""
    monkeypatch.setattr("mpc.links.zmq.curve._HEARTBEAT_MS", 50)  # the side whose connection stands notices by these
    monkeypatch.setattr("mpc.links.zmq.curve._HEARTBEAT_TIMEOUT_MS", 200)
    sides = {"both": (), "the dialler": (DIALLER,), "the listener": (LISTENER,)}[noticed_by]
    with cut_off() as cut:
        got = both(cut.parties, lambda site, peer: pour(site, peer, cut.relay, sides))
        assert got["a"] == [spoken("b", number) for number in range(COUNT)]
        assert got["b"] == [spoken("a", number) for number in range(COUNT)]
        size = COUNT * HEADER_BYTES + sum(len(spoken("a", number)) for number in range(COUNT))
        for site in cut.parties.values():
            assert site.trace.messages == COUNT
            assert site.trace.bytes_sent == site.trace.bytes_received == size
            assert site.trace.resent > 0
        assert cut.relay.connections >= 5


@pytest.mark.parametrize("lost_by", ["a", "b"])
@pytest.mark.parametrize("sides", [(), (DIALLER,)], ids=["both notice", "only the dialler notices"])
def test_one_lost_frame_is_sent_again(lost_by: str, sides: tuple[str, ...]) -> None:
    with cut_off() as cut:
        cut.relay.swallow()
        cut.parties[lost_by].channel.push("b" if lost_by == "a" else "a", "swap", word(ord(lost_by))[0].tobytes())
        assert cut.relay.swallowed.wait(LONG)
        cut.relay.cut(*sides)

        def job(site: Site, peer: str) -> int:
            send = {} if site.name == lost_by else {peer: word(ord(site.name))}
            return int(site.channel.exchange(Round(send, {peer: ONE_WORD}, "swap"))[peer][0][0])

        assert both(cut.parties, job) == {"a": ord("b"), "b": ord("a")}
        assert cut.parties[lost_by].trace.resent >= 1
        assert [site.trace.messages for site in cut.parties.values()] == [1, 1]
        assert cut.relay.connections == 2


@pytest.mark.parametrize("speaker", ["a", "b"])
def test_what_is_sent_without_contact_comes_when_it_is_back(speaker: str) -> None:
    with cut_off() as cut:
        site, peer = cut.parties[speaker], "b" if speaker == "a" else "a"
        cut.relay.pause()
        cut.relay.cut()
        end = time.monotonic() + LONG
        while peer not in site.channel._contact.down and time.monotonic() < end:
            site.channel._step(time.monotonic() + 0.05)
        for number in range(10):
            site.channel.push(peer, "message", bytes([number]))
        cut.relay.resume()

        def job(site: Site, peer: str) -> list[int]:
            if site.name == speaker:
                return [site.channel.pull(peer, "thanks", LONG)[0]]
            got = [site.channel.pull(peer, "message", LONG)[0] for _ in range(10)]
            site.channel.push(peer, "thanks", b"!")
            return got

        ends = both(cut.parties, job)
        assert ends[peer] == list(range(10)) and ends[speaker] == [ord("!")]
        assert site.trace.messages == 10 and site.trace.bytes_sent == 10 * (HEADER_BYTES + 1)
        assert any("lost contact" in line for line in site.said) and f"in contact with {peer} again" in site.said


def test_a_cut_before_the_first_hello_arrives_does_no_harm() -> None:
    with Relays([PAIR]) as relays, sites("a", "b", through=relays.through) as parties:
        relay = relays.between[PAIR]

        def trouble() -> None:
            for number in range(4):
                relay.await_connections(number + 1, passed=300 * (number + 1))
                relay.cut()

        both(parties, lambda site, _: greet(site), trouble)
        got = both(parties, lambda site, peer: int(site.channel.exchange(swap(peer, 3))[peer][0][0]))
        assert got == {"a": 3, "b": 3}


@pytest.mark.parametrize("waiting", ["a", "b"])
def test_lost_for_longer_than_the_patience(waiting: str) -> None:
    with cut_off(Limits(LONG, LONG, 0.2)) as cut:
        peer = "b" if waiting == "a" else "a"
        cut.relay.shut()
        error = fails(
            lambda: cut.parties[waiting].channel.exchange(swap(peer, 1, "matmul")),
            PeerLostError,
            f"lost contact with {peer} for more than 0.2 s, in 'matmul'",
        )
        assert error.party == peer


def test_a_peer_that_left_after_its_last_frame_is_lost() -> None:
    """Its last frame and the news of its end are there together: the frame must not count as a sign of life."""
    with sites("a", "b", limits=Limits(LONG, LONG, 0.2)) as parties:
        both(parties, lambda site, _: greet(site))
        a, b = parties["a"], parties["b"]
        b.channel.push("a", "swap", bytes(8))
        b.transport.close(LONG)
        assert int(a.channel.exchange(swap("b", 1))["b"][0][0]) == 0
        fails(lambda: a.channel.exchange(swap("b", 2)), PeerLostError, "lost contact with b for more")


def test_waiting_for_one_peer_another_that_is_lost_is_noticed() -> None:
    with sites("a", "b", "c", limits=Limits(LONG, LONG, 0.2)) as parties:
        values(at_once({name: lambda site=site: greet(site) for name, site in parties.items()}))  # type: ignore[misc]
        parties["c"].transport.close(0)
        fails(lambda: parties["a"].channel.exchange(swap("b", 1)), PeerLostError, "lost contact with c for")


def test_that_a_dismissed_peer_leaves_is_no_loss() -> None:
    with sites("a", "b", "c", limits=Limits(LONG, LONG, 0.1)) as parties:
        values(at_once({name: lambda site=site: greet(site) for name, site in parties.items()}))  # type: ignore[misc]
        a = parties["a"]
        a.channel.dismiss("c")
        parties["c"].transport.close(0)
        fails(lambda: a.channel.exchange(swap("b", 1), 0.5), PeerLostError, "b did not answer in 'swap'")
        assert a.said == []


class Script:
    """A network that tells what a test wrote down, in that order, and keeps what is sent."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.sent: list[Frame] = []
        self.time = 0.0

    def send(self, peer: str, frame: Frame) -> None:
        self.sent.append(frame)

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        if self.events:
            return self.events.pop(0)
        self.time += seconds
        return None

    def now(self) -> float:
        return self.time

    def allow(self, peer: str, nbytes: int) -> None:
        """What a test wrote down is all taken."""

    def adopt(self, peer: str) -> None:
        """Nobody has two connections at a time here."""

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Nobody has two connections at a time here."""


def came(peer: str, frame: Frame) -> Came:
    return Came(peer, memoryview(frame.head), memoryview(frame.body))


def scripted(events: list[Event]) -> tuple[Channel, Script]:
    """The channel of a with b, after b's hello."""
    b = Link("b", "a")
    script = Script([came("b", b.data(label_code("hello"), b"hello")), *events])
    channel = Channel("a", ["b"], script, Limits(600, 600, 30), Trace(lambda *_: None), lambda _: None)
    channel.pull("b", "hello")
    for _ in events:
        channel._step(0)
    return channel, script


def connected(channel: Channel, script: Script) -> list[int]:
    """The kinds of frames that are sent once it is heard that the connection stands."""
    before = len(script.sent)
    script.events.append(Connected("b"))
    channel._step(0)
    return [frame.head[3] for frame in script.sent[before:]]


def test_a_frame_that_was_under_way_is_no_sign_of_life() -> None:
    late = Link("b", "a")
    late.data(0, b"hello")
    channel, script = scripted([])
    script.events += [Disconnected("b"), came("b", late.resume())]
    error = fails(lambda: channel.pull("b", "more", 300), PeerLostError, "lost contact with b for more than 30 s")
    assert error.party == "b" and 30 <= script.time < 31


def test_while_contact_is_lost_nothing_is_handed_over() -> None:
    channel, script = scripted([Disconnected("b")])
    channel.push("b", "more", b"kept")
    assert script.sent == [] and channel.trace.messages == 1
    assert connected(channel, script) == [RESUME]


def test_what_is_held_back_is_sent_on_news_of_the_connection() -> None:
    """A dialler may read the peer's first frames on a new connection before it hears that the connection stands."""
    peer = Link("b", "a")
    peer.data(0, b"hello")
    channel, script = scripted([Disconnected("b"), came("b", peer.resume())])
    channel.push("b", "more", b"held back")
    assert script.sent == []
    assert connected(channel, script) == [RESUME, DATA] and script.sent[-1].body == b"held back"
    assert channel.trace.messages == 1


def test_what_is_held_back_is_sent_to_who_asked_before_the_loss() -> None:
    """Frames of a new connection may be read before it is heard that the old one was lost."""
    peer = Link("b", "a")
    peer.data(0, b"hello")
    channel, script = scripted([Connected("b"), came("b", peer.resume()), came("b", peer.resume()), Disconnected("b")])
    channel.push("b", "more", b"held back")
    assert [frame.head[3] for frame in script.sent] == [RESUME]
    assert connected(channel, script) == [RESUME, DATA] and script.sent[-1].body == b"held back"


def test_on_every_connection_the_peer_is_told_what_is_expected() -> None:
    _, script = scripted([Connected("b"), Connected("b")])
    assert [frame.head[3] for frame in script.sent] == [RESUME, RESUME]
    assert {frame.head[16:24] for frame in script.sent} == {(1).to_bytes(8, "little")}, "after the hello"
