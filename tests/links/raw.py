"""A raw connection with a listed key, by which a test sends what it likes."""

from __future__ import annotations

from typing import Any, Final

import zmq

from mpc.links.session import Frame
from mpc.links.zmq.curve import Identity, curve_socket
from mpc.links.zmq.messages import messages_of

ANY_MS: Final = 30_000


class Raw:
    """A DEALER socket of one's own, with any routing id."""

    def __init__(self, endpoint: str, server: bytes, me: Identity, route: bytes | None = None) -> None:
        self.context = zmq.Context()
        self.socket: Any = curve_socket(self.context, zmq.DEALER, me)
        self.socket.curve_serverkey = server
        self.socket.rcvtimeo = ANY_MS
        if route is not None:
            self.socket.routing_id = route
        self.socket.connect(endpoint)

    def say(self, *frames: Frame) -> None:
        """Send frames as a peer does."""
        for one in frames:
            for message in messages_of(one):
                self.socket.send(message)

    def hear(self) -> bytes:
        """The next message."""
        message: bytes = self.socket.recv()
        return message

    def rest(self) -> list[bytes]:
        """All that has come by now."""
        found = []
        while self.socket.poll(0):
            found.append(self.hear())
        return found

    def close(self) -> None:
        """Drop the connection."""
        self.socket.close(0)
        self.context.term()
