"""What goes through a ZeroMQ socket: frames as messages of one or more parts, and news of connections."""

from __future__ import annotations

import struct
from typing import Any, Final

import zmq

from mpc.network import Came
from mpc.session import Frame
from mpc.wire import HEADER_BYTES

_PIECE = 1 << 18  # a large payload goes in pieces, between which heartbeats pass on a slow link
_SMALL = 1 << 16  # a payload below this is copied behind its header: one encrypted message instead of two
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)
_MONITOR_EVENT = struct.Struct("=Hi")  # zmq_socket_monitor(3): the event, then a descriptor or an error number

WAIT: Final = 0
NO_WAIT: Final = int(zmq.NOBLOCK)
AWAITED_SECONDS: Final = 0.02
"""So long at most does a party wait at one socket before it looks at all of them."""

MORE: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
"""As plain integers: pyzmq's enumerations take longer to combine and to pass than a small message does to send."""

LARGEST_PART: Final = _PIECE + 1024
"""What encryption adds is less; an announcement of more ends the connection."""


def frame_parts(frame: Frame) -> list[Any]:
    """A frame as the parts of one ZeroMQ message."""
    if len(frame.body) < _SMALL:
        return [frame.head + frame.body]
    view = memoryview(frame.body)
    return [frame.head, *(view[start : start + _PIECE] for start in range(0, len(view), _PIECE))]


def has_come(socket: Any) -> bool:
    """Whether a message is there to take: to ask costs a third of what it does to try in vain, at every round twice."""
    return bool(socket.get(_EVENTS) & _POLLIN)


def hand_over(socket: Any, parts: list[Any]) -> None:
    """Give a message to a socket, without waiting."""
    if len(parts) == 1:
        socket.send(parts[0], NO_WAIT)
    else:
        socket.send_multipart(parts, NO_WAIT, copy=False)


def take_over(socket: Any, first: zmq.Frame, peer: str) -> Came:
    """The peer's frame whose first part was taken from a socket; the other parts are taken now."""
    whole = first.buffer
    if not first.more:
        return Came(peer, whole[:HEADER_BYTES], whole[HEADER_BYTES:])
    parts = []
    while first.more:
        first = socket.recv(copy=False)
        parts.append(first.buffer)
    return Came(peer, whole, parts[0] if len(parts) == 1 else memoryview(b"".join(parts)))


def pass_over(socket: Any, first: zmq.Frame) -> None:
    """Take the other parts of a message, and drop it."""
    while first.more:
        first = socket.recv(copy=False)


def next_news(monitor: Any) -> tuple[int, int] | None:
    """The next event at a socket's monitor and what is told with it; None if there is none."""
    try:
        event, value = _MONITOR_EVENT.unpack(monitor.recv_multipart(NO_WAIT)[0])
    except zmq.Again:
        return None
    return event, value
