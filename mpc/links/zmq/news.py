"""News of a socket's connections: ZeroMQ's monitor of it, read in order."""

from __future__ import annotations

import itertools
import os
import struct
from collections import deque
from collections.abc import Iterator
from typing import Any

import zmq

from mpc.links.zmq.messages import NO_WAIT

# zmq_socket_monitor(3): the event, then a descriptor or an error number. pyzmq's own parser loads asyncio with it, as
# nothing else does here: 35 ms and 2 MB a process.
_MONITOR_EVENT = struct.Struct("=Hi")


def monitor_of(socket: Any, events: int) -> Any:
    """A socket at which ZeroMQ tells what happens to the connections of another one.

    Its address is new each time. pyzmq would make one of the socket's descriptor, which may have been that of a socket
    whose monitor is not quite gone yet.
    """
    return socket.get_monitor_socket(events, f"inproc://monitor-{os.urandom(16).hex()}")


def next_news(monitor: Any) -> tuple[int, int] | None:
    """The next event at a socket's monitor and what is told with it; None if there is none."""
    try:
        event, value = _MONITOR_EVENT.unpack(monitor.recv_multipart(NO_WAIT)[0])
    except zmq.Again:
        return None
    return event, value


class News:
    """Events of a listening socket: heard of first, and acted on when their turn has come.

    Attributes:
        monitor: the socket that tells it.
        begun: connections, in all that was heard of.
        noted: and in what was acted on.
    """

    def __init__(self, socket: Any, events: int) -> None:
        self.monitor = monitor_of(socket, events)
        self.begun = self.noted = 0
        self._heard: deque[tuple[int, int]] = deque()

    def fetch(self, most: int | None) -> bool:
        """Hear what there is, of so many events at most; whether there may be more."""
        for _ in itertools.count() if most is None else range(most):
            news = next_news(self.monitor)
            if news is None:
                return False
            self._heard.append(news)
            self.begun += news[0] == zmq.EVENT_ACCEPTED
        return True

    def to_act_on(self, begun: int | None) -> Iterator[tuple[int, int]]:
        """The events that were heard of, and what is told with each; only until so many connections have begun."""
        while self._heard and (begun is None or self.noted < begun):
            event, value = self._heard.popleft()
            self.noted += event == zmq.EVENT_ACCEPTED
            yield event, value
