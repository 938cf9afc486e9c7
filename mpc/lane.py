"""A lane: a TCP connection between two owners on one machine beside ZeroMQ's, for short frames that somebody waits for.

ZeroMQ hands a frame to a thread of its own, which wakes, seals and writes it; at the peer another thread wakes, reads
and opens it, and then wakes the one that waits. Frames on a lane are written and read by the parties' own threads.

A record is its length (4 bytes) and a frame without its tag, sealed with the record's number as its nonce, under a key
that belongs to one direction of one link in one session. What was altered, left out, repeated or comes from elsewhere
does not open, and ends the lane: the session then sends over ZeroMQ what did not arrive.
"""

from __future__ import annotations

import socket
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.wire import UNTAGGED_BYTES

LONGEST: Final = 1 << 17
"""Bytes of a payload that a lane takes: what is longer is better left to ZeroMQ's threads, beside other work."""

SEAL_BYTES: Final = 16
"""What a seal adds to a frame."""

LENGTH_BYTES: Final = 4

_LARGEST = LENGTH_BYTES + UNTAGGED_BYTES + LONGEST + SEAL_BYTES
_NONCE_BYTES = 12


class LaneKeys(NamedTuple):
    """The keys of a link's lane: of what this side sends, and of what the peer sends."""

    mine: bytes
    theirs: bytes


class LaneCipher(Protocol):
    """Seals what goes out on a lane and opens what comes in, by the records' numbers."""

    def seal(self, number: int, frame: bytes) -> bytes:
        """The frame as it travels."""

    def open(self, number: int, sealed: bytes | memoryview) -> bytes | None:
        """The frame that was sealed under this number; None if there is no such frame."""


class GcmCipher:
    """AES-256-GCM (NIST SP 800-38D), a key for each direction; a number serves once, for a lane's record."""

    def __init__(self, keys: LaneKeys) -> None:
        self._mine, self._theirs = AESGCM(keys.mine), AESGCM(keys.theirs)

    def seal(self, number: int, frame: bytes) -> bytes:
        """The frame as it travels."""
        return self._mine.encrypt(number.to_bytes(_NONCE_BYTES, "little"), frame, None)

    def open(self, number: int, sealed: bytes | memoryview) -> bytes | None:
        """The frame that was sealed under this number; None if there is no such frame."""
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
        self.full = False  # whether a part of the last record still waits for room on the way
        self._unsent = memoryview(b"")
        self._buffer = memoryview(bytearray(2 * _LARGEST))
        self._filled = 0

    def send(self, frame: bytes) -> None:
        """Send a frame, or as much of it as there is room for: the rest by `flush`. Not where the lane is full."""
        sealed = self._cipher.seal(self._sent, frame)
        self._sent += 1
        record = len(sealed).to_bytes(LENGTH_BYTES, "little") + sealed
        if (count := self._write(record)) < len(record):
            self._unsent = memoryview(record)[count:]
            self.full = True

    def flush(self) -> None:
        """Send what there is room for now."""
        self._unsent = self._unsent[self._write(self._unsent) :]
        self.full = bool(self._unsent)

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
            whole = stop <= self._filled
            opened = self._cipher.open(self._received, self._buffer[stop - size : stop]) if whole else None
            if opened is None:
                self.ended = True
                break
            self._received += 1
            frames.append(memoryview(opened))
            start = stop
        if start == self._filled:
            self._filled = 0
        elif start:
            rest = bytes(self._buffer[start : self._filled])
            self._filled = len(rest)
            self._buffer[: len(rest)] = rest
