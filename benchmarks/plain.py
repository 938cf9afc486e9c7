"""Our transport without encryption, for benchmarks alone: it shows what CURVE costs, and is like for like with peers
that run without TLS. Nothing outside this folder can reach it.
"""

from __future__ import annotations

from typing import Any

import zmq

from mpc.network import Stranger
from mpc.transport import Transport


class PlainTransport(Transport):
    """Says its public key instead of proving it; all else is `Transport`."""

    def _monitor(self, socket: Any, peer: str | None, *watched: Any) -> Any:
        # Called for every socket after CURVE was switched on and before it binds or connects: the last word counts.
        if peer is None:
            socket.plain_server = True
        else:
            socket.plain_username = self._me.public
            socket.plain_password = b"-"
        return super()._monitor(socket, peer, *watched)

    def _authenticate(self) -> None:
        assert self._authenticator is not None
        version, request, _domain, _address, _identity, mechanism, *said = self._authenticator.recv_multipart()
        key = said[0].decode("ascii", "replace") if mechanism == b"PLAIN" and said else ""
        known = key in self._names
        if not known:
            self._events.append(Stranger(key))
        status, text, user = (b"200", b"OK", key.encode()) if known else (b"400", b"not on the allow-list", b"")
        self._authenticator.send_multipart([version, request, status, text, user, b""])


def mechanism(socket: Any) -> int:
    """ZeroMQ's name for how a socket authenticates: zmq.PLAIN, zmq.CURVE or zmq.NULL."""
    return int(socket.getsockopt(zmq.MECHANISM))
