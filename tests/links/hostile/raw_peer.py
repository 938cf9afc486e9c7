"""A listed peer's connection without libzmq: CurveZMQ over a socket, so that it can send what libzmq would never send.

A message that never ends, a length that is not kept, a routing id of any bytes, a connection that breaks in the middle
of a frame. ZMTP 3.1 and CurveZMQ: rfc.zeromq.org/spec/23, /spec/26. The boxes are those of the libsodium that pyzmq
brings along.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import itertools
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zmq
from zmq.utils import z85

from mpc.links.zmq.curve import Identity

MORE, COMMAND = 1, 2
"""The flags of a message's part, inside its box."""

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
_MAC, _NONCE = 16, 24
_SECONDS = 1.0


class BrokenOff(Exception):
    """The other side ended the connection, or does not answer."""


@cache
def sodium() -> Any:
    """The library of the boxes; the test is skipped where it is not."""
    beside = sorted(Path(zmq.__file__).parent.parent.glob("pyzmq.libs/libsodium*"))
    name = str(beside[0]) if beside else ctypes.util.find_library("sodium")
    if name is None:
        pytest.skip("there is no libsodium here")
    library = ctypes.CDLL(name)
    assert library.sodium_init() >= 0
    library.crypto_box_easy_afternm.argtypes = (
        *(ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulonglong),
        *(ctypes.c_char_p, ctypes.c_char_p),
    )
    library.crypto_box_open_easy_afternm.argtypes = library.crypto_box_easy_afternm.argtypes
    return library


def _shared(public: bytes, secret: bytes) -> bytes:
    key = ctypes.create_string_buffer(32)
    assert sodium().crypto_box_beforenm(key, public, secret) == 0
    return key.raw


def _box(key: bytes, nonce: bytes, plain: bytes) -> bytes:
    assert len(nonce) == _NONCE
    out = ctypes.create_string_buffer(len(plain) + _MAC)
    sodium().crypto_box_easy_afternm(out, plain, len(plain), nonce, key)
    return out.raw


def _open(key: bytes, nonce: bytes, boxed: bytes) -> bytes:
    out = ctypes.create_string_buffer(len(boxed) - _MAC)
    if sodium().crypto_box_open_easy_afternm(out, boxed, len(boxed), nonce, key) != 0:
        raise BrokenOff("a box that does not open")
    return out.raw


def _property(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def zmtp_frame(body: bytes, flags: int = 0, length: int | None = None) -> bytes:
    """A ZMTP frame; `length` is what it says of its body."""
    said = len(body) if length is None else length
    if said > 255:
        return bytes([flags | 2]) + struct.pack(">Q", said) + body
    return bytes([flags, said]) + body


class RawPeer:
    """One authenticated connection to a listener.

    Args:
        me: the keys; listed there.
        server: the listener's public key, in Z85.
        endpoint: where it listens.
        routing_id: as the socket claims to be called; libzmq gives it a name where this is empty.

    Raises:
        BrokenOff: it did not let us in.
    """

    def __init__(self, me: Identity, server: bytes, endpoint: str, routing_id: bytes = b"") -> None:
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        try:
            address = (host.strip("[]").removeprefix("::ffff:") or "127.0.0.1", int(port))
            self.socket = socket.create_connection(address, timeout=_SECONDS)
        except OSError as error:
            raise BrokenOff(str(error)) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._numbers = itertools.count(1)
        try:
            self._key = self._shake(me, z85.decode(server), routing_id)
        except BaseException:
            self.close()
            raise

    def _shake(self, me: Identity, server: bytes, routing_id: bytes) -> bytes:
        mine_secret, mine = z85.decode(me.secret), z85.decode(me.public)
        short_public, short_secret = (ctypes.create_string_buffer(32) for _ in range(2))
        sodium().crypto_box_keypair(short_public, short_secret)
        public, secret = short_public.raw, short_secret.raw
        self.write(_GREETING)
        self._read(64)
        to_server = _shared(server, secret)
        number = struct.pack(">Q", next(self._numbers))
        hello = b"\x05HELLO\x01\0" + bytes(72) + public + number
        self.write(zmtp_frame(hello + _box(to_server, b"CurveZMQHELLO---" + number, bytes(64)), 4))
        welcome = self.frame()
        if not welcome.startswith(b"\x07WELCOME"):
            raise BrokenOff("no welcome")
        opened = _open(to_server, b"WELCOME-" + welcome[8:24], welcome[24:])
        theirs, cookie = opened[:32], opened[32:]
        nonce = os.urandom(16)
        vouch = nonce + _box(_shared(theirs, mine_secret), b"VOUCH---" + nonce, public + server)
        number = struct.pack(">Q", next(self._numbers))
        key = _shared(theirs, secret)
        about = _property(b"Socket-Type", b"DEALER") + _property(b"Identity", routing_id)
        initiate = _box(key, b"CurveZMQINITIATE" + number, mine + vouch + about)
        self.write(zmtp_frame(b"\x08INITIATE" + cookie + number + initiate, 4))
        if not self.frame().startswith(b"\x05READY"):
            raise BrokenOff("not admitted")
        return key

    def part(self, body: bytes, flags: int = 0) -> bytes:
        """The bytes of one part of a message."""
        number = struct.pack(">Q", next(self._numbers))
        return zmtp_frame(
            b"\x07MESSAGE" + number + _box(self._key, b"CurveZMQMESSAGEC" + number, bytes([flags]) + body)
        )

    def send(self, *parts: bytes, ends: bool = True) -> None:
        """Send a message; one that does not end may go on with the next call."""
        last = len(parts) - 1
        self.write(b"".join(self.part(one, MORE if k < last or not ends else 0) for k, one in enumerate(parts)))

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise BrokenOff(str(error)) from error

    def frame(self) -> bytes:
        """The body of the next ZMTP frame."""
        flags = self._read(1)[0]
        length = struct.unpack(">Q", self._read(8))[0] if flags & 2 else self._read(1)[0]
        return self._read(length)

    def receive(self) -> tuple[int, bytes]:
        """The flags and the body of the next part that comes."""
        body = self.frame()
        opened = _open(self._key, b"CurveZMQMESSAGES" + body[8:16], body[16:])
        return opened[0], opened[1:]

    def message(self) -> bytes:
        """The next whole message that comes, its parts joined; heartbeats are answered."""
        parts = []
        while True:
            flags, body = self.receive()
            if flags & COMMAND:
                if body.startswith(b"\x04PING"):
                    self.write(self.part(b"\x04PONG" + body[7:], COMMAND))
                continue
            parts.append(body)
            if not flags & MORE:
                return b"".join(parts)

    def drain(self) -> int:
        """Throw away what has come; how many bytes that was."""
        count = len(self._buffer)
        self._buffer = b""
        self.socket.setblocking(False)
        try:
            while data := self.socket.recv(1 << 20):
                count += len(data)
        except OSError:
            pass
        finally:
            self.socket.settimeout(_SECONDS)
        return count

    def _read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                data = self.socket.recv(1 << 16)
            except OSError as error:
                raise BrokenOff(str(error)) from error
            if not data:
                raise BrokenOff("closed")
            self._buffer += data
        out, self._buffer = self._buffer[:count], self._buffer[count:]
        return out

    def close(self, *, reset: bool = False) -> None:
        """Hang up; with a reset, what was not read yet is lost to the other side as well."""
        with suppress(OSError):
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


@contextmanager
def raw_peer(me: Identity, server: bytes, endpoint: str, routing_id: bytes = b"") -> Iterator[RawPeer]:
    """A connection for the length of a block."""
    peer = RawPeer(me, server, endpoint, routing_id)
    try:
        yield peer
    finally:
        peer.close()
