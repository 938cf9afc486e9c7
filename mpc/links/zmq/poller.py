"""Waiting for any of many ZeroMQ sockets at once, by their descriptors: one cheap system call for all of them."""

from __future__ import annotations

import math
import select
from typing import Any


class Poller:
    """Gives the sockets at which something may have happened since each was last found empty.

    A ZeroMQ socket's descriptor rings when something happens in a socket that was found empty, and every call on the
    socket may silence it (zmq_getsockopt(3), ZMQ_FD). So whoever waits here takes all from a socket that is named, and
    looks into a socket that was used otherwise, before waiting again, or asks to be told of it `again`. A new one is
    named once without having rung.
    """

    def __init__(self) -> None:
        self._poll = select.poll()
        self._sockets: dict[int, Any] = {}
        self._new: list[Any] = []

    def watch(self, socket: Any) -> None:
        """Listen to a socket from now on."""
        self._poll.register(socket.fd, select.POLLIN)
        self._sockets[socket.fd] = socket
        self._new.append(socket)

    def forget(self, socket: Any) -> None:
        """Forget a socket that is about to be closed."""
        self._poll.unregister(socket.fd)
        del self._sockets[socket.fd]
        self._new = [one for one in self._new if one is not socket]

    def again(self, socket: Any) -> None:
        """Note that not all was taken from a socket: it is named the next time, without having rung."""
        self._new.append(socket)

    def wait(self, seconds: float) -> list[Any]:
        """The sockets to look into: at once if there are any, else after at most so long; empty if none rang."""
        new, self._new = self._new, []
        rang = [self._sockets[descriptor] for descriptor, _ in self._poll.poll(0 if new else math.ceil(seconds * 1000))]
        return [*new, *(socket for socket in rang if socket not in new)] if new else rang
