"""Our transport without encryption, for benchmarks alone: it shows what CURVE costs, and is like for like with peers
that run without TLS. Nothing outside this folder can reach it.
"""

from __future__ import annotations

from typing import Any

import zmq

from mpc.links.zmq.curve import Curve
from mpc.links.zmq.transport import Transport


class Plain(Curve):
    """Sockets that say a public key instead of proving it."""

    def dialling(self, peer: str) -> zmq.Socket[bytes]:
        """A socket without keys: of ZeroMQ's mechanisms the one that was set last counts."""
        socket = super().dialling(peer)
        socket.plain_username, socket.plain_password = self._me.public, b"-"
        return socket

    def listening(self) -> zmq.Socket[bytes]:
        """A socket that takes a key on trust."""
        socket = super().listening()
        socket.plain_server = True
        return socket

    def _key(self, mechanism: bytes, credentials: list[bytes]) -> str:
        return credentials[0].decode("ascii", "replace") if mechanism == b"PLAIN" and credentials else ""


class PlainTransport(Transport):
    """All else is `Transport`."""

    curve = Plain


def mechanism(socket: Any) -> int:
    """ZeroMQ's name for how a socket authenticates: zmq.PLAIN, zmq.CURVE or zmq.NULL."""
    return int(socket.getsockopt(zmq.MECHANISM))
