"""Clients without sockets: their server's end of a network that is memory, in virtual time.

A frame arrives at once. Where nothing is under way, the clock goes on to what comes next: a late message, or the
server's deadline. So stragglers and clients that vanish cost no real time. Beside a real network the clock is the real
one, and both are heard.

Clients live wherever a `Clients` keeps them: in this thread (`LocalClients`), or elsewhere, as long as it takes frames
and gives back what the clients answer.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from mpc.links.network import Came, Disconnected, Event, Network
from mpc.links.session import Frame
from mpc.star.client import StarClient


class Reply(NamedTuple):
    """A client's answer to a frame.

    Args:
        client: its number.
        frames: what it sends.
        late: seconds by which that is delayed on purpose.
        gone: whether it vanished: its connection, if it had one, is closed.
    """

    client: int
    frames: tuple[Frame, ...]
    late: float = 0.0
    gone: bool = False


class Clients(Protocol):
    """Clients that live somewhere."""

    @property
    def most(self) -> int:
        """How many frames are delivered at a time: their answers are in memory together."""

    def begin(self) -> Iterable[Reply]:
        """What the clients say first."""

    def deliver(self, frames: Sequence[tuple[int, Frame]]) -> Iterable[Reply]:
        """Hand frames to their clients, in this order; returns what they answer."""


@dataclass
class _Local:
    """A client here, and the processor time of its own computation."""

    client: StarClient
    seconds: float = 0.0


@dataclass
class LocalClients:
    """Clients in this thread; they run one after another, so that one vector at most is under way.

    Args:
        clients: by name; `numbers` gives their numbers in the star.
    """

    clients: Mapping[str, StarClient]
    numbers: Mapping[str, int]
    most: int = 1
    hosted: dict[str, _Local] = field(init=False)

    def __post_init__(self) -> None:
        self.hosted = {name: _Local(one) for name, one in self.clients.items()}
        self._by_number = {self.numbers[name]: one for name, one in self.hosted.items()}

    @property
    def seconds(self) -> float:
        """The processor time of all clients' own computation."""
        return sum(one.seconds for one in self.hosted.values())

    def begin(self) -> Iterable[Reply]:
        """What the clients say first."""
        for i, one in self._by_number.items():
            yield Reply(i, tuple(one.client.begin()))

    def deliver(self, frames: Sequence[tuple[int, Frame]]) -> Iterable[Reply]:
        """Hand frames to their clients; one that is over hears nothing."""
        for i, (head, body) in frames:
            one = self._by_number[i]
            if one.client.over:
                continue
            started = time.thread_time()
            answer = tuple(one.client.came(head, body))
            one.seconds += time.thread_time() - started
            late, one.client.contact.late = one.client.contact.late, 0.0
            if answer or one.client.vanished:
                yield Reply(i, answer, late, one.client.vanished)


class MemoryNetwork:
    """The server's end: `mpc.links.network.Network`.

    Args:
        clients: who live in memory.
        names: all peers' names, by number.
        beside: the real network of the other peers, if there are any.
    """

    def __init__(self, clients: Clients, names: Sequence[str], beside: Network | None = None) -> None:
        self._clients = clients
        self._names = names
        self._beside = beside
        self._numbers = {name: i for i, name in enumerate(names)}
        self._inside: set[int] = set()
        self._time = 0.0
        self._count = 0
        self._outbox: deque[tuple[int, Frame]] = deque()
        self._coming: list[tuple[float, int, Event]] = []
        for reply in clients.begin():
            self._inside.add(reply.client)
            self._take(reply)

    def now(self) -> float:
        """Seconds on the virtual clock, or on the other network's."""
        return self._time if self._beside is None else self._beside.now()

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over."""
        i = self._numbers.get(peer)  # a doctor's is none
        if i in self._inside:
            self._outbox.append((i, frame))
        elif self._beside is not None:
            self._beside.send(peer, frame)

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        """The next event; clients compute in here. Where there is none, the virtual clock goes on by these seconds."""
        end = self.now() + seconds
        while True:
            if self._coming and self._coming[0][0] <= self.now():
                return heapq.heappop(self._coming)[2]
            if self._outbox:
                self._deliver()
                event = None if self._beside is None else self._beside.poll(0.0)
            else:
                event = self._wait(end, awaited)
            if event is not None:
                return event
            if not self._outbox and self.now() >= end and not (self._coming and self._coming[0][0] <= self.now()):
                return None

    def _wait(self, end: float, awaited: str | None) -> Event | None:
        """Let time go on to what comes next, and no further than `end`."""
        until = min(end, self._coming[0][0] if self._coming else math.inf)
        if self._beside is not None:
            return self._beside.poll(max(0.0, until - self.now()), awaited)
        self._time = max(self._time, until)
        return None

    def close(self) -> None:
        """Deliver the last words; nobody hears the answers."""
        while self._outbox:
            self._deliver()

    def _deliver(self) -> None:
        batch = [self._outbox.popleft() for _ in range(min(self._clients.most, len(self._outbox)))]
        for reply in self._clients.deliver(batch):
            self._take(reply)

    def _take(self, reply: Reply) -> None:
        name = self._names[reply.client]
        events: list[Event] = [Came(name, memoryview(head), memoryview(body)) for head, body in reply.frames]
        if reply.gone:
            events.append(Disconnected(name))
        for event in events:
            self._count += 1
            heapq.heappush(self._coming, (self.now() + reply.late, self._count, event))

    def adopt(self, peer: str) -> None:
        """Hear the other connection of a peer's key: it is one of the real network."""
        if self._beside is not None:
            self._beside.adopt(peer)

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Send the other connection of a peer's key a last frame, likewise."""
        if self._beside is not None:
            self._beside.turn_away(peer, frame)

    def allow(self, peer: str, nbytes: int) -> None:
        """Take no longer payload of a peer of the real network; those in memory send what their stages say."""
        if self._beside is not None and self._numbers.get(peer) not in self._inside:
            self._beside.allow(peer, nbytes)
