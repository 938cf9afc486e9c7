"""Encrypted sockets, and who may come in: CURVE keys and the allow-list."""

from __future__ import annotations

import base64
import ctypes
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import zmq
from zmq.utils import z85

from mpc.errors import InternalError
from mpc.links.zmq.messages import LARGEST_PART, PIECE

KEY_PREFIX = "bl1-"
KEY_CHARS: Final = 40  # of a key in Z85
_DECIDED = 42  # characters of base64 that 32 bytes decide alone: what follows the key in a public text is in the next
_ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_HEARTBEAT_MS = 2000
_HEARTBEAT_TIMEOUT_MS = 10_000
_ENDING_SECONDS = 1.0
_HANDSHAKE_MS = 3000  # so long may a connection stay unauthenticated: who only holds it open makes room again
_PENDING = 2  # connections of one key that were let in and have said nothing yet
_PENDING_SECONDS = 8.0  # more than the handshake and the silence that a listener allows

_AHEAD_MESSAGES: Final = 96  # of a connection, whole and not taken yet: then ZeroMQ reads no more of it

TURN_MESSAGES: Final = 4 * _AHEAD_MESSAGES
"""The most messages of a connection that are taken before this side looks elsewhere."""

HELD_BYTES: Final = (_AHEAD_MESSAGES + 16) * PIECE
"""The bytes that ZeroMQ may hold of one connection: whole messages, and parts of messages."""


@dataclass(frozen=True)
class Identity:
    """A CURVE key pair, in Z85."""

    public: bytes
    secret: bytes = field(repr=False)


def new_identity() -> Identity:
    """A fresh key pair."""
    return Identity(*zmq.curve_keypair())


def text_begins(key: bytes) -> str:
    """The beginning of a key's (32 bytes) public text, as it stands in a scenario."""
    return KEY_PREFIX + base64.urlsafe_b64encode(key).decode()[:_DECIDED]


def curve_socket(context: zmq.Context[zmq.Socket[bytes]], kind: int, me: Identity) -> zmq.Socket[bytes]:
    """A socket with one's keys: it still needs the listener's key, or to be told that it is the listener."""
    socket = context.socket(kind)
    socket.curve_publickey = me.public
    socket.curve_secretkey = me.secret
    socket.sndhwm = 0  # the session bounds what is under way
    socket.rcvhwm = _AHEAD_MESSAGES
    socket.maxmsgsize = LARGEST_PART
    socket.heartbeat_ivl = _HEARTBEAT_MS
    socket.heartbeat_timeout = _HEARTBEAT_TIMEOUT_MS
    socket.ipv6 = True
    return socket


def end_context(context: zmq.Context[zmq.Socket[bytes]], linger_seconds: float) -> None:
    """End a context; its closed sockets have so long to send the rest, and open ones are closed at once.

    Now and then ZeroMQ waits without end for a peer that went away while it was being dialled, whatever its sockets say
    of lingering (seen in `zmq_ctx_term`): it gets a second more, and is then left to the end of the process.
    """
    end = threading.Thread(target=context.destroy, args=(0,), daemon=True)
    end.start()
    end.join(linger_seconds + _ENDING_SECONDS)


class _Context(zmq.Context[zmq.Socket[bytes]]):
    """A context that is left alone where nobody ended it, as after an error.

    That of pyzmq ends itself in the garbage collector, in whichever thread that runs, and may wait there without end.
    """

    def __del__(self) -> None:
        """Does nothing; the end of the process frees it."""


def new_context() -> zmq.Context[zmq.Socket[bytes]]:
    """A context whose sockets give connections ids that nobody can guess.

    libzmq counts ids up from a value of the C library's generator, which nobody seeds: the same in every process. A
    client that claims the id to be given next ends the process in an assertion.
    """
    ctypes.CDLL(None).srand(ctypes.c_uint(int.from_bytes(os.urandom(4), "little")))
    return _Context()


class Curve:
    """The sockets of one party, and its answers to connection requests.

    Args:
        me: this party's keys.
        peers: name -> public key (Z85) of every party it may talk to: the allow-list.

    Raises:
        InternalError: the allow-list is empty.
    """

    def __init__(self, me: Identity, peers: Mapping[str, bytes]) -> None:
        if not peers:
            raise InternalError("a transport without an allow-list does not start")
        self._me = me
        self._keys = dict(peers)
        self.names = {key.decode(): name for name, key in peers.items()}
        self._context = new_context()
        self._pending: dict[str, list[float]] = {}  # by key: when connections were let in that have said nothing yet

    def dialling(self, peer: str) -> zmq.Socket[bytes]:
        """A socket that connects to nobody but this peer."""
        socket = self._socket(zmq.DEALER)
        socket.curve_serverkey = self._keys[peer]
        return socket

    def listening(self) -> zmq.Socket[bytes]:
        """A socket that admits the keys that `answer` admits; its owner must serve `questions`."""
        socket = self._socket(zmq.ROUTER)
        socket.curve_server = True
        return socket

    def questions(self) -> zmq.Socket[bytes]:
        """The socket at which ZeroMQ asks, within this process, whether a key may connect."""
        questions = self._context.socket(zmq.REP)
        questions.bind(_ZAP_ENDPOINT)
        return questions

    def answer(self, questions: zmq.Socket[bytes], number: int) -> tuple[str, str] | None:
        """Answer one question (ZAP, rfc.zeromq.org/spec/27).

        A key that was admitted often, and stays silent, has to try again later.

        Args:
            number: goes with the key into the `User-Id` of every message of the connection.

        Returns:
            For a refused key: the beginning of its public text, and its address.
        """
        version, request, _domain, address, _identity, mechanism, *credentials = questions.recv_multipart()
        key = self._key(mechanism, credentials)
        known = key in self.names
        status, text, user = (b"400", b"not on the allow-list", b"")
        if known:
            status, text, user = (
                (b"200", b"OK", f"{key}{number}".encode()) if self._may_enter(key) else (b"300", b"later", b"")
            )
        questions.send_multipart([version, request, status, text, user, b""])
        if known:
            return None
        where = address.decode(errors="replace").removeprefix("::ffff:")
        return text_begins(credentials[0] if credentials else b""), where

    def heard(self, key: str) -> str | None:
        """Note the peer whose key a connection has, when its first message comes."""
        if pending := self._pending.get(key):
            pending.pop(0)
        return self.names.get(key)

    def _may_enter(self, key: str) -> bool:
        now = time.monotonic()
        pending = self._pending[key] = [when for when in self._pending.get(key, ()) if now - when < _PENDING_SECONDS]
        if len(pending) < _PENDING:
            pending.append(now)
            return True
        return False

    def close(self, linger_seconds: float) -> None:
        """Wait until the closed sockets have sent the rest; open ones are closed at once."""
        end_context(self._context, linger_seconds)

    def _key(self, mechanism: bytes, credentials: list[bytes]) -> str:
        return z85.encode(credentials[0]).decode() if mechanism == b"CURVE" and credentials else ""

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = curve_socket(self._context, kind, self._me)
        socket.handshake_ivl = _HANDSHAKE_MS
        socket.zap_domain = b"beaverlodge"
        return socket
