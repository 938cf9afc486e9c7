"""`parties.member` over a link without encryption, for the test that measures what encryption costs, and only there."""

from __future__ import annotations

import sys
from typing import Any

import zmq

from mpc.transport import Transport
from parties import member, take_part


class PlainTransport(Transport):
    """Says its public key, in place of proving it, and sends in clear; all else is `Transport`."""

    def _monitor(self, socket: Any, peer: str | None, watched: int) -> Any:
        # Every socket passes here after CURVE was set up and before it binds or connects: the last word counts.
        if peer is None:
            socket.plain_server = True
        else:
            socket.plain_username, socket.plain_password = self._me.public, b"-"
        assert socket.getsockopt(zmq.MECHANISM) == zmq.PLAIN
        return super()._monitor(socket, peer, watched)

    def _authenticate(self) -> None:
        assert self._authenticator is not None
        version, request, *_, key, _password = self._authenticator.recv_multipart()
        status = b"200" if key.decode() in self._names else b"400"
        self._authenticator.send_multipart([version, request, status, b"", key, b""])


if __name__ == "__main__":
    take_part.Transport = PlainTransport  # type: ignore[attr-defined]
    sys.exit(member.main())
