"""`parties.processes.party.member` over a link without encryption, for the test that measures what encryption costs."""

from __future__ import annotations

import sys

import zmq

from mpc.links.zmq.curve import Curve
from mpc.links.zmq.transport import Transport
from parties.processes.party import member
from parties.session import take_part


class Plain(Curve):
    """Sockets that say their public key, in place of proving it, and send in clear."""

    def dialling(self, peer: str) -> zmq.Socket[bytes]:
        socket = super().dialling(peer)
        socket.plain_username, socket.plain_password = self._me.public, b"-"
        assert socket.getsockopt(zmq.MECHANISM) == zmq.PLAIN, "what was set last counts"
        return socket

    def listening(self) -> zmq.Socket[bytes]:
        socket = super().listening()
        socket.plain_server = True
        assert socket.getsockopt(zmq.MECHANISM) == zmq.PLAIN, "what was set last counts"
        return socket

    def _key(self, mechanism: bytes, credentials: list[bytes]) -> str:
        return credentials[0].decode()


class PlainTransport(Transport):
    """All else is `Transport`."""

    curve = Plain


if __name__ == "__main__":
    take_part.Transport = PlainTransport  # type: ignore[attr-defined]
    sys.exit(member.main())
