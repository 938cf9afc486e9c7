"""A network in virtual time between a server and its clients, with faults: lost, repeated and late frames, cuts."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mpc.links.network import Came, Connected, Disconnected, Event
from mpc.links.probe import DOCTOR
from mpc.links.session import Frame
from mpc.star.client import StarClient
from mpc.star.sockets import PING_SECONDS
from mpc.star.wire import read_header

Fault = Callable[[int, bool, int, str], tuple[float, ...]]
"""(client, up, kind, stage) -> the delays with which a frame comes: none if it is lost, two if it comes twice."""


def no_fault(client: int, up: bool, kind: int, stage: str) -> tuple[float, ...]:
    return (0.001,)


@dataclass
class FakeNetwork:
    """The server's end; each client runs at once when a frame reaches it."""

    names: Sequence[str]
    clients: Sequence[StarClient]
    fault: Fault = no_fault
    ping: float = PING_SECONDS
    time: float = 0.0
    queue: list[tuple[float, int, Callable[[], Event | None]]] = field(default_factory=list)
    count: int = 0
    to_doctors: list[tuple[str, Frame]] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    turned_away: list[tuple[str, Frame]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)  # bytes, by client

    def begin(self) -> None:
        for i, client in enumerate(self.clients):
            self.up(i, client.begin())
            self.at(self.ping, lambda i=i: self.silence(i))  # type: ignore[misc]

    def at(self, delay: float, action: Callable[[], Event | None]) -> None:
        self.count += 1
        heapq.heappush(self.queue, (self.time + delay, self.count, action))

    def silence(self, i: int) -> None:
        """A client that has heard nothing: here each asks again and again."""
        if not self.clients[i].over:
            self.up(i, self.clients[i].ping())
            self.at(self.ping, lambda: self.silence(i))

    def up(self, i: int, frames: Sequence[Frame]) -> None:
        for one in frames:
            kind = read_header(one.head, one.body, "").kind
            delays = self.fault(i, True, kind, self.clients[i].stage)
            self.lost(i, delays)
            for delay in delays:
                came = Came(self.names[i], memoryview(one.head), memoryview(one.body))
                self.at(delay, lambda came=came: came)  # type: ignore[misc]
        if self.clients[i].vanished:
            self.at(0.001, lambda: Disconnected(self.names[i]))

    def lost(self, i: int, delays: Sequence[float]) -> None:
        """A frame is lost with its connection only: there is a new one."""
        if not delays:
            self.at(0.001, lambda: Connected(self.names[i]))

    def cut(self, i: int, after: float, until: float) -> None:
        self.at(after, lambda: Disconnected(self.names[i]))
        self.at(until, lambda: Connected(self.names[i]))

    def send(self, peer: str, one: Frame) -> None:
        if peer.endswith(DOCTOR):
            self.to_doctors.append((peer, one))
            return
        self.sent[peer] += one.size
        i = list(self.names).index(peer)
        kind = read_header(one.head, one.body, "").kind

        def deliver() -> None:
            if not self.clients[i].over:
                self.up(i, self.clients[i].came(one.head, one.body))

        delays = self.fault(i, False, kind, self.clients[i].stage)
        self.lost(i, delays)
        for delay in delays:
            self.at(delay, deliver)

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        end = self.time + seconds
        while self.queue and self.queue[0][0] <= end:
            self.time, _, action = heapq.heappop(self.queue)
            event = action()
            if event is not None:
                return event
        self.time = max(self.time, end)
        return None

    def now(self) -> float:
        return self.time

    def adopt(self, peer: str) -> None:
        self.adopted.append(peer)

    def turn_away(self, peer: str, one: Frame) -> None:
        self.turned_away.append((peer, one))

    def allow(self, peer: str, nbytes: int) -> None:
        """Clients' messages are as long as their stages say."""
