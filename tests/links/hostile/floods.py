"""Floods: what a listed peer sends to use up a party's memory, as many messages as asked for, or until a time.

Those who send it stand for other machines: in a thread that runs when the parties leave a core idle.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count, cycle, islice
from typing import Any, Final

from mpc.links.probe import DOCTORS_ROUTE, probe
from mpc.links.session import HELLO_KEY, Frame
from mpc.links.wire import DATA, RESUME, label_code, seal
from mpc.links.zmq.messages import messages_of
from mpc.star import wire as star_wire
from mpc.star.wire import JOIN, PING, UP
from tests.links.hostile.honest import DIGEST, STAGES, token
from tests.links.hostile.listed import Peer
from tests.links.hostile.raw_peer import BrokenOff, RawPeer, raw_peer

PART: Final = 256_000
INSTANCE: Final = b"m" * star_wire.INSTANCE_BYTES
_STALLED: Final = 0.5  # who takes nothing for so long takes nothing more
_TAKEN_WITHIN: Final = 1.5


@dataclass(frozen=True)
class Flood:
    """What is sent, again and again, on one connection.

    Args:
        scene: where: one of `honest.SCENES`.
        messages: the bytes to write, one after the other, without an end.
        enough: how many of them would have used up far more memory than the bound, before there was one.
        begin: what comes first in a sum that goes on; without it, parties wait for others.
        route: the routing id.
    """

    scene: str
    messages: Callable[[RawPeer], Iterator[bytes]]
    enough: int
    begin: Callable[[RawPeer], None] | None = None
    route: bytes = b""

    @property
    def target(self) -> str:
        """Who is flooded."""
        return "server" if self.scene == "sum" else "a"


def _bytes_of(connection: RawPeer, frame: Frame) -> bytes:
    return b"".join(connection.part(one) for one in messages_of(frame))


def _again(frame: Frame) -> Callable[[RawPeer], Iterator[bytes]]:
    def messages(connection: RawPeer) -> Iterator[bytes]:
        while True:
            yield _bytes_of(connection, frame)

    return messages


def _questions(connection: RawPeer) -> Iterator[bytes]:
    asked: list[dict[str, Any]] = [{"is": "send?", "n": 1}, {"is": "about?"}, {"is": "echo?", "n": 1}]
    for fields in cycle(asked):
        yield _bytes_of(connection, probe(fields))


def _before_the_hello(connection: RawPeer) -> Iterator[bytes]:
    for sequence in count(1):
        body = bytes(PART)
        yield _bytes_of(connection, Frame(seal(DATA, label_code("swap"), sequence, 0, body, HELLO_KEY), body))


def _beginnings(connection: RawPeer) -> Iterator[bytes]:
    """The first piece of a frame of 4 MB, again and again."""
    head = seal(DATA, label_code("swap"), 1, 0, bytes(PART), HELLO_KEY)
    while True:
        yield connection.part(head + bytes(PART) + (1 << 22).to_bytes(8, "little") + b"\1")


def _endless(connection: RawPeer) -> Iterator[bytes]:
    while True:
        yield connection.part(bytes(PART), 1)


def _long(connection: RawPeer) -> Iterator[bytes]:
    """Whole messages, each of 64 MB: libzmq gives one out at its last part."""
    for number in count(1):
        yield connection.part(bytes(PART), 1 if number % 256 else 0)


def _of_m(kind: int, body: bytes = b"") -> Frame:
    return star_wire.frame(kind, body, round=1, attempt=1, label=STAGES[0], instance=INSTANCE)


def _join(connection: RawPeer) -> None:
    """Take part in a sum up to its second stage: the answer to the first one is long."""
    connection.write(_bytes_of(connection, star_wire.frame(JOIN, DIGEST, instance=INSTANCE)))
    with suppress(BrokenOff):
        connection.message()  # that it starts
        connection.write(_bytes_of(connection, _of_m(UP, token("m", STAGES[0]))))
        connection.message()  # the answer


FLOODS: Final[Mapping[str, Flood]] = {
    "a doctor's questions": Flood("pair", _questions, 80),
    "a doctor's questions to a server": Flood("sum", _questions, 80, route=DOCTORS_ROUTE + b"1"),
    "frames before the hello": Flood("pair", _before_the_hello, 400),
    "a message that never ends": Flood("pair", _endless, 400),
    "a message to a server that never ends": Flood("sum", _endless, 400),
    "beginnings of frames": Flood("pair", _beginnings, 400),
    "long messages": Flood("pair", _long, 512),
    "resumes": Flood("pair", _again(Frame(seal(RESUME, 0, 0, 0, b"", HELLO_KEY), b"")), 5000),
    "pings to a server": Flood("sum", _again(_of_m(PING)), 3000, _join),
    "words to a server": Flood("sum", _again(_of_m(UP, bytes(PART))), 400, _join),
}


def pour(
    flood: Flood, peer: Peer, held: ExitStack, *, messages: int | None = None, seconds: float = _TAKEN_WITHIN
) -> int:
    """Send a flood, and wait until it has been taken, or nothing more is; how many messages went out.

    A connection that the other side ends is dialled again; the last one is held open.
    """
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end and (messages is None or sent < messages):
        sent += 1  # an attempt counts, too: who is not let in any more is done some time
        with suppress(BrokenOff):
            connection = held.enter_context(raw_peer(peer.identity, peer.server, peer.endpoint, flood.route))
            if flood.begin is not None:
                flood.begin(connection)
            connection.socket.settimeout(_STALLED)
            for one in islice(flood.messages(connection), None if messages is None else messages - sent + 1):
                connection.write(one)
                sent += 1
                if time.monotonic() > end:
                    break
            _wait_until_taken(connection)
    return sent


def _wait_until_taken(connection: RawPeer) -> None:
    """Until the other side's kernel has all of it."""
    end = time.monotonic() + _STALLED
    while time.monotonic() < end:
        (left,) = struct.unpack("i", fcntl.ioctl(connection.socket, termios.TIOCOUTQ, bytes(4)))
        if not left:
            return
        time.sleep(0.01)


@contextmanager
def in_the_background(job: Callable[[], object]) -> Iterator[None]:
    """The job in a thread for which the parties leave what they do not need of the processor."""

    def run() -> None:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        job()

    thread = threading.Thread(target=run, name="flood")
    thread.start()
    try:
        yield
    finally:
        thread.join()
