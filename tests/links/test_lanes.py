"""Lanes between transports: who gets one, what goes on it, and what is told when it ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.curve import new_identity
from mpc.lane import LONGEST, SEAL_BYTES, LaneKeys
from mpc.network import Came, Disconnected, Event, LaneEnded
from mpc.session import Frame
from mpc.transport import Transport
from mpc.wire import DATA, RESUME, TagKey, header_start, seal
from tests.examples import steady
from tests.links.lane_relay import LaneRelay
from tests.links.over_zmq import ANYWHERE
from tests.links.relay import DIALLER, LISTENER, Relay

PATIENCE = 20.0
A, B, C = (bytes([letter]) * 32 for letter in b"abc")
GREETING = 4 + len(b"beaverlodge lane") + SEAL_BYTES
AB, BA = LaneKeys(A, B), LaneKeys(B, A)


def data(body: bytes) -> Frame:
    return Frame(header_start(DATA, 0, 0, 0, len(body)), body, TagKey(bytes(32)))


def no_data() -> Frame:
    return Frame(seal(RESUME, 0, 0, 0, b"no data", TagKey(bytes(32))), b"no data")


class Pair:
    """a listens, b dials; each has said something, so that a can send to b."""

    def __init__(self, listen: str = ANYWHERE) -> None:
        a, b = new_identity(), new_identity()
        self.a = Transport(a, {"b": b.public}, listen)
        self.b = Transport(b, {"a": a.public}, None)
        self.b.dial("a", str(self.a.endpoint))
        self.b.send("a", data(b"hello"))
        assert self.at_a() == b"hello"
        self.a.send("b", data(b"hello"))
        assert self.at_b() == b"hello"

    def meet(self, through: Callable[[int], int] = lambda port: port) -> None:
        """Give the two a lane; `through` says where to dial instead of the port that is offered."""
        port = self.a.offer_lane("b")
        assert port is not None and self.b.offer_lane("a") is None
        assert self.b.dial_lane("a", through(port), BA)
        assert self.a.admit_lanes({"b": AB}) == {"b"}
        self.use()

    def use(self) -> None:
        self.a.use_lanes(["b"])
        self.b.use_lanes(["a"])

    def at_a(self) -> bytes:
        """The next frame that comes to a."""
        return body_of(until(Came, self.a, "b")[0])

    def at_b(self) -> bytes:
        """The next frame that comes to b."""
        return body_of(until(Came, self.b, "a")[0])

    def both_hear(self, body: bytes = b"still here") -> None:
        self.a.send("b", data(body))
        assert self.at_b() == body
        self.b.send("a", data(body))
        assert self.at_a() == body


def until(wanted: type[Event], transport: Transport, awaited: str | None) -> tuple[Event, list[Event]]:
    """The first such event, and what came before it."""
    end = time.monotonic() + PATIENCE
    before: list[Event] = []
    while time.monotonic() < end:
        event = transport.poll(1.0, awaited)
        if isinstance(event, wanted):
            return event, before
        if event is not None:
            before.append(event)
    raise AssertionError(f"no {wanted.__name__} came, but {before}")


def body_of(event: Event) -> bytes:
    assert isinstance(event, Came)
    return bytes(event.body)


@contextmanager
def seen(pair: Pair, host: str = "127.0.0.1") -> Iterator[LaneRelay]:
    """Gives the two a lane on which what passes is counted."""
    relays: list[LaneRelay] = []

    def through(port: int) -> int:
        relays.append(LaneRelay(port, host=host))
        return relays[0].port

    pair.meet(through)
    with relays[0] as relay:
        yield relay


@pytest.fixture
def pair() -> Iterator[Pair]:
    with paired() as made:
        yield made


@contextmanager
def paired(listen: str = ANYWHERE) -> Iterator[Pair]:
    made = Pair(listen)
    try:
        yield made
    finally:
        made.a.close(0)
        made.b.close(0)


def test_short_data_goes_on_the_lane_and_all_else_over_zeromq(pair: Pair) -> None:
    frames = [data(b"short"), data(b""), data(b"s" * LONGEST), data(b"l" * (LONGEST + 1)), no_data()]
    with seen(pair) as relay:
        for frame in frames:
            pair.a.send("b", frame)
            assert pair.at_b() == frame.body
            pair.b.send("a", frame)
            assert pair.at_a() == frame.body
        assert sorted(relay.sizes) == sorted([GREETING, *(2 * [4 + frame.size for frame in frames[:3]])])


def test_nothing_goes_on_a_lane_before_its_use_or_after(pair: Pair) -> None:
    with seen(pair) as relay:
        for transport in (pair.a, pair.b):
            transport.retire_lanes()
        pair.both_hear()
        assert relay.sizes == [GREETING]


def test_a_lane_that_is_not_to_be_used_is_let_go(pair: Pair) -> None:
    with seen(pair) as relay:
        pair.b.use_lanes(())
        assert until(LaneEnded, pair.a, "b")[0] == LaneEnded("b")
        pair.both_hear()
        assert relay.sizes == [GREETING]


def test_what_a_peer_still_sends_on_its_lane_is_taken_by_one_that_does_not(pair: Pair) -> None:
    pair.meet()
    pair.a.retire_lanes()
    pair.b.send("a", data(b"on the lane"))
    assert pair.at_a() == b"on the lane"


def test_many_frames_at_once(pair: Pair) -> None:
    pair.meet()
    bodies = [bytes([number]) * (number * 9973 % LONGEST) for number in range(200)]
    for transport, peer in ((pair.a, "b"), (pair.b, "a")):
        for body in bodies:
            transport.send(peer, data(body))
    taken: dict[str, list[bytes]] = {"a": [], "b": []}
    while any(len(each) < len(bodies) for each in taken.values()):
        for name, transport in (("a", pair.a), ("b", pair.b)):  # what there was no room for leaves as room comes
            if isinstance(event := transport.poll(0), Came):
                taken[name].append(bytes(event.body))
    for each in taken.values():
        assert sorted(each) == sorted(bodies)  # what found the lane full went over ZeroMQ: the session puts in order


@steady(40)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 9, LONGEST, 300_000])), max_size=30), st.data())
def test_who_awaits_a_peer_hears_what_comes_by_either_way(
    frames: list[tuple[bool, int]], choices: st.DataObject
) -> None:
    """Though it were to look at all sockets only every ten minutes: each of them rings by itself."""
    with pytest.MonkeyPatch.context() as patch, paired() as pair:
        pair.meet()
        patch.setattr("mpc.transport.AWAITED_SECONDS", 600.0)
        waiting = {"a": 0, "b": 0}
        for from_a, size in frames:
            (pair.a if from_a else pair.b).send("b" if from_a else "a", data(bytes(size)))
            waiting["b" if from_a else "a"] += 1
            for name in waiting:
                while waiting[name] and choices.draw(st.booleans()):
                    take_one(pair, name, awaits=choices.draw(st.booleans()))
                    waiting[name] -= 1
        for name, left in waiting.items():
            for _ in range(left):
                take_one(pair, name, awaits=True)


def take_one(pair: Pair, name: str, *, awaits: bool) -> None:
    transport, peer = (pair.a, "b") if name == "a" else (pair.b, "a")
    until(Came, transport, peer if awaits else None)


def test_a_lane_over_ipv6() -> None:
    with paired("tcp://[::1]:*") as pair, seen(pair, "::1") as relay:
        pair.both_hear()
        assert len(relay.sizes) == 3


def test_one_port_serves_all_who_dial_and_is_closed_then() -> None:
    a, b, c = (new_identity() for _ in range(3))
    listener = Transport(a, {"b": b.public, "c": c.public}, ANYWHERE)
    diallers = {"b": Transport(b, {"a": a.public}, None), "c": Transport(c, {"a": a.public}, None)}
    try:
        port = listener.offer_lane("b")
        assert port is not None and listener.offer_lane("c") == port
        for name, key in (("c", C), ("b", B)):
            diallers[name].dial("a", str(listener.endpoint))
            assert diallers[name].dial_lane("a", port, LaneKeys(key, A))
        assert listener.admit_lanes({"b": LaneKeys(A, B), "c": LaneKeys(A, C)}) == {"b", "c"}
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), PATIENCE)
        listener.use_lanes("bc")
        for name, dialler in diallers.items():
            dialler.use_lanes("a")
            dialler.send("a", data(name.encode()))
            event, _ = until(Came, listener, name)
            assert isinstance(event, Came) and (event.peer, bytes(event.body)) == (name, name.encode())
            listener.send(name, data(b"to " + name.encode()))
            assert body_of(until(Came, dialler, "a")[0]) == b"to " + name.encode()
    finally:
        for transport in (listener, *diallers.values()):
            transport.close(0)


@pytest.mark.parametrize("said", [b"", b"\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(500), b"\xff" * 500])
def test_strangers_at_the_port_get_nothing_and_keep_nobody_out(pair: Pair, said: bytes) -> None:
    port = pair.a.offer_lane("b")
    assert port is not None
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(said)
        pair.meet()
        pair.both_hear()
        stranger.settimeout(PATIENCE)
        with suppress(ConnectionResetError):
            assert stranger.recv(100) == b""


def test_who_greets_under_another_sessions_key_is_a_stranger(pair: Pair) -> None:
    port = pair.a.offer_lane("b")
    assert port is not None and pair.b.dial_lane("a", port, LaneKeys(C, A))
    assert pair.a.admit_lanes({"b": AB}) == set()
    pair.use()
    assert until(LaneEnded, pair.b, "a")[0] == LaneEnded("a")
    pair.both_hear()


def test_a_port_that_nobody_listens_at_any_more_gives_no_lane(pair: Pair) -> None:
    port = pair.a.offer_lane("b")
    assert port is not None
    assert pair.a.admit_lanes({}) == set()
    assert not pair.b.dial_lane("a", port, BA)
    pair.use()
    pair.both_hear()


def test_who_was_said_to_dial_and_did_not_is_waited_for_a_moment(pair: Pair) -> None:
    assert pair.a.offer_lane("b") is not None
    assert pair.a.admit_lanes({"b": AB}) == set()
    pair.use()
    pair.both_hear()


@pytest.mark.parametrize("sides", [(DIALLER,), (LISTENER,), ()], ids=["dialler", "listener", "both"])
def test_both_sides_are_told_of_a_lane_that_broke_and_zeromq_carries_on(pair: Pair, sides: tuple[str, ...]) -> None:
    relays: list[Relay] = []

    def through(port: int) -> int:
        relays.append(Relay(f"tcp://127.0.0.1:{port}"))
        return int(relays[0].dial.rpartition(":")[2])

    pair.meet(through)
    with relays[0] as relay:
        pair.both_hear()
        relay.cut(*sides)
        told = [DIALLER] * (sides != (LISTENER,)) + [LISTENER] * (sides != (DIALLER,))
        if DIALLER in told:
            assert until(LaneEnded, pair.b, None)[0] == LaneEnded("a")
        if LISTENER in told:
            assert until(LaneEnded, pair.a, None)[0] == LaneEnded("b")
        if len(told) == 2:
            pair.both_hear()


def test_a_lane_ends_with_the_connection_and_what_came_on_it_comes_first(pair: Pair) -> None:
    pair.meet()
    for number in range(3):
        pair.b.send("a", data(b"%d" % number))
    pair.b.close(1)
    event, before = until(Disconnected, pair.a, None)
    bodies = [body_of(one) for one in before if isinstance(one, Came)]
    assert event == Disconnected("b") and bodies == [b"0", b"1", b"2"]
