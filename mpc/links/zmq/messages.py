"""What goes through a ZeroMQ socket: frames as messages, put together again with distrust.

A message has one part, always: ZeroMQ hands over a message of several parts when its last one is here, keeps all of
them until then, and counts them against no limit. So a long frame goes as several messages. The last byte of a message
says what it is; what stands before it, and so an array's words, keeps its alignment:

    head | payload                              | 0    a whole frame
    head | first piece  | payload's length 8    | 1    the beginning of a frame
    next piece          | where it begins 8     | 2    the next piece of the frame that was begun
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import zmq

from mpc.links.session import Frame
from mpc.links.wire import is_foreign
from mpc.runtime.round import HEADER_BYTES

PIECE: Final = 1 << 18
"""Bytes of payload in a message: between two messages heartbeats pass on a slow link."""

LARGEST_PART: Final = PIECE + 1024
"""The room for framing and encryption, which add less; an announcement of more ends the connection."""

LONGEST: Final = (1 << 22) + (1 << 16)
"""Bytes of a payload that are taken from a peer as long as nobody says otherwise: an object of the handshake."""

_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)
_NUMBER = struct.Struct("<Q")
_END = _NUMBER.size + 1
_WHOLE, _FIRST, _NEXT = b"\0", b"\1", b"\2"

WAIT: Final = 0
NO_WAIT: Final = int(zmq.NOBLOCK)
AWAITED_SECONDS: Final = 0.02
"""The longest wait of a party at one socket before it looks at all of them."""

MORE: Final = int(zmq.SNDMORE | zmq.NOBLOCK)
"""Plain integers: pyzmq's enumerations take longer to combine and to pass than a small message takes to send."""

hand_over: Final[Any] = zmq.backend.Socket.send
"""Of a socket, `send` without what it does before for sockets of other kinds."""


def messages_of(frame: Frame) -> Iterable[bytes]:
    """A frame as ZeroMQ's messages; each of a long one is made when it is asked for, where the last one was."""
    head, body = frame
    return (b"".join((head, body, _WHOLE)),) if len(body) <= PIECE else _pieces(head, body)


def _pieces(head: bytes, body: bytes) -> Iterator[bytes]:
    view = memoryview(body)
    yield b"".join((head, view[:PIECE], _NUMBER.pack(len(body)), _FIRST))
    for at in range(PIECE, len(body), PIECE):
        yield b"".join((view[at : at + PIECE], _NUMBER.pack(at), _NEXT))


class TooLong(Exception):
    """A peer began a frame that is longer than any that is taken of it now."""


class Assembler:
    """Puts the frames of one connection together.

    What does not fit, as after a cut in the middle of a frame, is dropped: the session asks for it again.
    """

    __slots__ = ("_body", "_filled", "_head")

    def __init__(self) -> None:
        self._drop()

    def take(self, message: memoryview, longest: int) -> tuple[memoryview, memoryview] | None:
        """A frame's header and payload, if this message makes one whole.

        Args:
            message: read-only; a whole frame's parts are views of it.
            longest: bytes of a payload that are taken.

        Raises:
            TooLong: the frame that begins here has more; nothing of it is kept.
        """
        kind = message[-1:]
        if kind == _WHOLE:
            return message[:HEADER_BYTES], message[HEADER_BYTES:-1]
        if kind == _FIRST and not is_foreign(message) and len(message) >= HEADER_BYTES + _END:
            self._begin(message, longest)
            return None
        if kind == _NEXT and len(message) >= _END and self._filled:
            return self._go_on(message[:-_END], _number(message))
        if is_foreign(message):  # whatever its form is: who takes it, sees what it is
            return message[:HEADER_BYTES], message[:0]
        return None

    def _begin(self, message: memoryview, longest: int) -> None:
        self._drop()
        length, piece = _number(message), message[HEADER_BYTES:-_END]
        if length > longest:
            raise TooLong
        if len(piece) < length:
            self._head = bytes(message[:HEADER_BYTES])
            self._body = np.empty(length, np.uint8).data  # a `bytearray` would be filled twice
            self._put(piece)

    def _go_on(self, piece: memoryview, at: int) -> tuple[memoryview, memoryview] | None:
        if at != self._filled or not 0 < len(piece) <= len(self._body) - at:
            self._drop()
            return None
        self._put(piece)
        if self._filled < len(self._body):
            return None
        whole = memoryview(self._head), self._body.toreadonly()
        self._drop()
        return whole

    def _put(self, piece: memoryview) -> None:
        self._body[self._filled : self._filled + len(piece)] = piece
        self._filled += len(piece)

    def _drop(self) -> None:
        self._head, self._body, self._filled = b"", memoryview(b""), 0


def _number(message: memoryview) -> int:
    number: int = _NUMBER.unpack_from(message, len(message) - _END)[0]
    return number


def has_message(socket: Any) -> bool:
    """Whether a message is there to take: this costs a third of a try in vain, and is done twice a round."""
    return bool(socket.get(_EVENTS) & _POLLIN)


def pass_over(socket: Any, first: zmq.Frame) -> None:
    """Take the other parts of a message that has more than one, and drop them."""
    while first.more:
        first = socket.recv(copy=False)
