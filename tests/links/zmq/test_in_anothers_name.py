"""Nobody is heard in another's name, nor gets what is another's, whatever routing id it claims and when."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mpc.links.zmq.curve import new_identity
from mpc.links.zmq.transport import Transport
from mpc.star.server import StarLimits, StarServer
from mpc.star.stage import Gather
from mpc.star.wire import BYE, DOWN, INSTANCE_BYTES, JOIN, OUT, PING, QUIT, START, UP, frame
from tests.links.raw import Raw

V, M, C = 0, 1, 2
NAMES = ("v", "m", "c")
FIRST, SECOND, THIRD = "first", "second", "third"
DIGEST = b"d" * 32
SECRET = b"for v alone"


class Sum:
    """A server of three clients with three stages, in a thread; a connection of any of them; and what it took."""

    def __init__(self) -> None:
        self.identity, self.clients = new_identity(), [new_identity() for _ in NAMES]
        allowed = {name: one.public for name, one in zip(NAMES, self.clients, strict=True)}
        self.transport = Transport(self.identity, allowed, "tcp://127.0.0.1:*")
        self.taken: list[tuple[str, int, bytes]] = []
        self.answered: list[frozenset[int]] = []
        self.stages: dict[str, threading.Event] = {label: threading.Event() for label in (FIRST, SECOND, THIRD)}
        self.made: list[Raw] = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def connection(self, i: int, route: bytes | None = None) -> Raw:
        assert self.transport.endpoint is not None
        self.made.append(Raw(self.transport.endpoint, self.identity.public, self.clients[i], route))
        return self.made[-1]

    def route_of_v(self) -> bytes:
        listener: Any = self.transport._listener
        route: bytes = listener._connections.current["v"].route
        return route

    def close(self) -> None:
        self.thread.join(60)
        for one in self.made:
            one.close()
        self.transport.close(0)
        assert not self.thread.is_alive()

    def _serve(self) -> None:
        limits = StarLimits(0.5, 30.0, 0.5)  # m does not join, and v leaves: nobody waits for them for long
        star = StarServer(self.transport, NAMES, DIGEST, limits, self._at, lambda _: None)
        while len(star.join()) < 2:
            pass
        star.run(self._program(), b"s" * 32, 1, 1)
        star.part()

    def _at(self, stage: str, answered: int, expected: int) -> None:
        if stage in self.stages:
            self.stages[stage].set()

    async def _program(self) -> None:
        there = frozenset((V, C))
        for label in (FIRST, SECOND, THIRD):
            send = {} if label == FIRST else {V: SECRET, C: b"for c"}
            self.answered.append(await Gather(send, there, 0, label, 64, self._taker(label)))

    def _taker(self, label: str) -> Callable[[int, bytes], None]:
        return lambda i, body: self.taken.append((label, i, body))


@contextmanager
def sums() -> Iterator[Sum]:
    one = Sum()
    try:
        yield one
    finally:
        one.close()


def instance(i: int) -> bytes:
    return NAMES[i].encode() * INSTANCE_BYTES


def up(i: int, label: str) -> Any:
    return frame(UP, NAMES[i].encode(), round=1, attempt=1, label=label, instance=instance(i))


def everything_in_the_name_of_v(label: str) -> list[Any]:
    """All that v could say, by its own process's instance."""
    words = [frame(kind, b"", round=1, attempt=1, label=label, instance=instance(V)) for kind in (PING, OUT)]
    return [frame(JOIN, DIGEST, instance=instance(V)), up(V, label), *words, frame(QUIT, b"data", instance=instance(V))]


FIRST_ROUTE = """
import zmq
context = zmq.Context()
router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
dealer.connect(f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
dealer.send(b"")
print(router.recv().hex())
"""


def guessed(route: bytes) -> list[bytes | None]:
    """The ids that libzmq gives in a new process to the first connections: anybody can look there."""
    ran = subprocess.run([sys.executable, "-c", FIRST_ROUTE], capture_output=True, text=True, check=True)
    first = int(ran.stdout[2:], 16)
    return [b"\0" + ((first + by) % 2**32).to_bytes(4, "big") for by in range(12)]


CLAIMS: dict[str, Callable[[bytes], list[bytes | None]]] = {
    "v's own": lambda route: [route],
    "those that come next": guessed,
    "one of its own": lambda route: [b"v", b"\0", b"\0v", b"\0" * 5, None],
}


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("claims", CLAIMS)
def test_in_a_secure_sum_a_client_is_never_taken_for_another(claims: str, left: bool) -> None:
    """m claims routing ids while v is there, or after it left; what it says is not v's, and it gets nothing."""
    with sums() as one:
        v, c = one.connection(V), one.connection(C)
        for raw, i in ((v, V), (c, C)):
            raw.say(frame(JOIN, DIGEST, instance=instance(i)))
        for raw, i in ((v, V), (c, C)):
            assert raw.hear()[3] == START
            raw.say(up(i, FIRST))
        assert c.hear()[3] == DOWN
        route = one.route_of_v()
        if left:
            v.close()
        pretenders = []
        for claim in CLAIMS[claims](route):
            pretenders.append(one.connection(M, claim))
            pretenders[-1].say(*everything_in_the_name_of_v(SECOND))
        later = one.connection(V) if left else v
        if not left:
            later.say(up(V, SECOND))
        c.say(up(C, SECOND))
        assert c.hear()[3] == DOWN  # the third stage: v was sent something once more
        for raw in pretenders:
            raw.say(*everything_in_the_name_of_v(THIRD))
        if not left:
            later.say(up(V, THIRD))
        c.say(up(C, THIRD))
        assert c.hear()[3] == BYE
        heard = [raw.rest() for raw in pretenders]
    by_v = [(label, body) for label, i, body in one.taken if i == V]
    assert by_v == [(label, b"v") for label in ((FIRST,) if left else (FIRST, SECOND, THIRD))]
    assert one.answered == [frozenset((V, C)), *[frozenset((C,) if left else (V, C))] * 2]
    assert not any(SECRET in message for messages in heard for message in messages)
    assert all(i != M for _, i, _ in one.taken)
