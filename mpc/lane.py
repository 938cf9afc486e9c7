"""A lane: a TCP connection between two parties on one machine, beside ZeroMQ's.

ZeroMQ hands a frame to a thread of its own, which wakes, seals and writes it; at the peer another thread wakes, reads
and opens it, and then wakes the one that waits. Frames on a lane are written and read by the parties' own threads.

A record is its length (4 bytes) and a frame, or a piece of a long one, that is sealed with the record's number as its
nonce, under a key that belongs to one direction of one link in one session. What was altered, left out, repeated or
comes from elsewhere does not open, and ends the lane: the session then sends over ZeroMQ what did not arrive.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.wire import HEADER_BYTES, length_in

PIECE: Final = 1 << 17
"""Bytes of a payload in one record at most: they stay in the processor's cache until they are sent, or put in place."""

SEAL_BYTES: Final = 16
"""What a seal adds to a record."""

LENGTH_BYTES: Final = 4

_LARGEST = LENGTH_BYTES + HEADER_BYTES + PIECE + SEAL_BYTES
_NONCE_BYTES = 12


class LaneKeys(NamedTuple):
    """The keys of a link's lane: of what this side sends, and of what the peer sends."""

    mine: bytes
    theirs: bytes


class LaneCipher(Protocol):
    """Seals what goes out on a lane and opens what comes in, by the records' numbers."""

    def seal(self, number: int, content: bytes | memoryview) -> bytes:
        """A record's content as it travels."""

    def open(self, number: int, sealed: bytes | memoryview) -> bytes | None:
        """What was sealed under this number; None if nothing was that looks so."""


class GcmCipher:
    """AES-256-GCM (NIST SP 800-38D), a key for each direction; a number serves once, for a lane's record."""

    def __init__(self, keys: LaneKeys) -> None:
        self._mine, self._theirs = AESGCM(keys.mine), AESGCM(keys.theirs)

    def seal(self, number: int, content: bytes | memoryview) -> bytes:
        """A record's content as it travels."""
        return self._mine.encrypt(number.to_bytes(_NONCE_BYTES, "little"), content, None)

    def open(self, number: int, sealed: bytes | memoryview) -> bytes | None:
        """What was sealed under this number; None if nothing was that looks so."""
        try:
            return self._theirs.decrypt(number.to_bytes(_NONCE_BYTES, "little"), sealed, None)
        except InvalidTag:
            return None


class Lane:
    """One end of a lane; it never blocks.

    Args:
        peer: who is at the other end.
        connection: to the peer.
        cipher: with the keys that the two have.
        received: how many of the peer's records were read already.
    """

    def __init__(self, peer: str, connection: socket.socket, cipher: LaneCipher, received: int = 0) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = peer
        self.fd = connection.fileno()
        self.ended = False
        self._connection = connection
        self._cipher = cipher
        self._sent, self._received = 0, received
        self._unsent = memoryview(b"")  # of the last record
        self._waiting: deque[bytes | memoryview] = deque()  # what the next records are to hold
        self._buffer = memoryview(bytearray(2 * _LARGEST))
        self._filled = 0
        self._parts: list[bytes] = []  # of a frame that has not come whole, and how much of it has
        self._come = 0

    @property
    def full(self) -> bool:
        """Whether something still waits for room on the way."""
        return bool(self._unsent) or bool(self._waiting)

    def send(self, head: bytes, body: bytes) -> None:
        """Send a frame, or as much of it as there is room for: the rest by `flush`."""
        if len(body) > PIECE:
            view = memoryview(body)
            self._waiting += [head, *(view[start : start + PIECE] for start in range(0, len(view), PIECE))]
        else:
            self._waiting.append(head + body)
        if not self._unsent:
            self.flush()

    def say(self, record: bytes) -> None:
        """Send a record that is no frame, before all frames."""
        self._waiting.append(record)
        self.flush()

    def flush(self) -> None:
        """Send what there is room for now."""
        while not self.ended:
            if self._unsent:
                self._unsent = self._unsent[self._write(self._unsent) :]
            elif self._waiting:
                sealed = self._cipher.seal(self._sent, self._waiting.popleft())
                self._sent += 1
                record = len(sealed).to_bytes(LENGTH_BYTES, "little") + sealed
                self._unsent = memoryview(record)[self._write(record) :]
            else:
                return
            if self._unsent:
                return

    def receive(self) -> list[memoryview]:
        """The frames that have come whole, in order. After the last one, `ended` is true."""
        frames: list[memoryview] = []
        room = 0
        while not room and not self.ended:
            try:
                count = self._connection.recv_into(self._buffer[self._filled :])
            except BlockingIOError:
                break
            except OSError:
                count = 0
            self.ended = not count
            self._filled += count
            room = len(self._buffer) - self._filled
            self._open_records(frames)
        return frames

    def close(self) -> None:
        """Let the connection go."""
        self.ended = True
        self._connection.close()

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return self._connection.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.ended = True
            return len(data)

    def _open_records(self, frames: list[memoryview]) -> None:
        """Open all whole records in the buffer, and move the rest to its beginning."""
        start = 0
        while self._filled - start >= LENGTH_BYTES:
            size = int.from_bytes(self._buffer[start : start + LENGTH_BYTES], "little")
            stop = start + LENGTH_BYTES + size
            if stop > self._filled and stop - start <= _LARGEST:
                break
            opened = (
                self._cipher.open(self._received, self._buffer[stop - size : stop]) if stop <= self._filled else None
            )
            if opened is None or not self._joined(opened, frames):
                self.ended = True
                break
            self._received += 1
            start = stop
        if start:
            rest = bytes(self._buffer[start : self._filled])
            self._filled = len(rest)
            self._buffer[: len(rest)] = rest

    def _joined(self, opened: bytes, frames: list[memoryview]) -> bool:
        """Put a record's content to its frame; False if it goes beyond the frame's end."""
        self._parts.append(opened)
        self._come += len(opened)
        first = self._parts[0]
        missing = HEADER_BYTES + length_in(first) - self._come if len(first) >= HEADER_BYTES else -1
        if not missing:
            frames.append(memoryview(first if len(self._parts) == 1 else b"".join(self._parts)))
            self._parts, self._come = [], 0
        return missing >= 0
