"""A network in virtual time: the parties' real link code, one thread a party, of which only one runs at a time.

A party that polls with nothing to take hands a baton on; when all wait, the clock jumps to the next thing that will
happen. So a run is deterministic, takes no longer than its computing, and a wait of an hour costs nothing.

The links behave as ZeroMQ's over TCP: in order, complete while a connection lasts; a broken connection loses what is
under way, and the side that dials keeps what it is handed while there is no connection. A `Trouble` says what goes
wrong with the frame of one number.
"""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from math import inf
from typing import Any, Protocol

from mpc.faults.wires import Sent, Wires
from mpc.links.network import Came, Connected, Disconnected, Event, Overlong
from mpc.links.session import Frame
from mpc.runtime.speed import LinkSpeed

LATENCY = 0.001
_TICK = 1e-6  # a poll that waits for nothing takes so long, as a real one takes some time
_REAL_SECONDS = 300.0  # only a program that computes without end takes so long
_MOST_POLLS = 200_000


def every_link(one: str, other: str) -> LinkSpeed:
    """The speed of the link of two parties, where nothing else is said."""
    return LinkSpeed(LATENCY, inf)


class VirtualWires(Wires, Protocol):
    """The further effects of a `Trouble` here."""

    def cut(self, one: str, other: str, seconds: float, unnoticed_by: str | None = None) -> None:
        """Break a connection; one of the two may learn of that only when it is back."""

    def overtake(self, sent: Sent, wait: float) -> None:
        """Let the next frame go first; after so many seconds without one, this one goes."""


class Trouble(Protocol):
    """The faults of a network."""

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        """Called with every frame that is handed over; True if it was handled, else it is carried as usual."""


class Smooth:
    """No trouble."""

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        return False


@dataclass(frozen=True)
class End:
    """The end of a party's part: its value or error, the time, and whether it was made to die."""

    value: Any = None
    error: BaseException | None = None
    died: bool = False
    at: float = 0.0


class _Ended(BaseException):
    """Unwinds a party's thread: its process died, or the whole run is given up."""


@dataclass
class _Seat:
    """One party's place: its baton, and what has happened to it."""

    name: str
    baton: threading.Lock = field(default_factory=threading.Lock)
    inbox: deque[Event] = field(default_factory=deque)
    allowed: dict[str, int] = field(default_factory=dict)  # the longest payload that it takes from a peer
    wake: float = 0.0
    still: float = 0.0  # until when its process is stopped
    gone: bool = False
    dead: bool = False


@dataclass
class _Line:
    """The connection of two parties; `dialler` is the later of them."""

    dialler: str
    speed: LinkSpeed
    up: bool = False
    begun: bool = False
    age: int = 0  # how many connections there were: a frame of an older one is lost
    sent: dict[str, float] = field(default_factory=dict)  # sender -> when the link has sent all of it
    arrives: dict[str, float] = field(default_factory=dict)  # sender -> when its last frame does
    kept: dict[str, list[Sent]] = field(default_factory=dict)
    held: dict[str, Sent] = field(default_factory=dict)


class VirtualNetwork:
    """All parties' links.

    Args:
        names: the parties; the later of each pair dials the earlier.
        trouble: the faults.
        horizon: the virtual second at which a party that is still busy counts as hanging.
        speed: of the link of two parties.
    """

    def __init__(
        self,
        names: Sequence[str],
        trouble: Trouble,
        horizon: float,
        speed: Callable[[str, str], LinkSpeed] = every_link,
    ) -> None:
        self.time = 0.0
        self.sent: list[Sent] = []
        self.hanging: list[str] = []
        self._trouble = trouble
        self._horizon = horizon
        self._seats = {name: _Seat(name) for name in names}
        self._lines = {frozenset((a, b)): _Line(b, speed(a, b)) for i, a in enumerate(names) for b in names[i + 1 :]}
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._polls = 0
        self._over = threading.Event()
        for i, (pair, line) in enumerate(self._lines.items()):
            self._later(LATENCY * (1 + i), self._opener(tuple(sorted(pair)), line))

    def end_of(self, name: str) -> VirtualEnd:
        """One party's end of the network."""
        return VirtualEnd(self, name)

    def run(self, jobs: Mapping[str, Callable[[], Any]]) -> dict[str, End]:
        """Run each party's job in its thread, to the end of all.

        `hanging` then names who had not ended at the horizon; their threads were unwound.
        """
        ends: dict[str, End] = {}

        def live(seat: _Seat) -> None:
            seat.baton.acquire()
            try:
                if not self.hanging:
                    ends[seat.name] = End(jobs[seat.name](), at=self.time)
            except _Ended:
                ends[seat.name] = End(died=seat.dead, at=self.time)
            except BaseException as error:
                ends[seat.name] = End(error=error, at=self.time)
            self._leave(seat)

        for seat in self._seats.values():
            seat.baton.acquire()
            threading.Thread(target=live, args=(seat,), daemon=True).start()
        self._pass_on()
        if not self._over.wait(_REAL_SECONDS):
            self.hanging = [name for name, seat in self._seats.items() if not seat.gone]
        return {name: ends.get(name, End(at=self.time)) for name in self._seats}

    # What a party's end does

    def hand_over(self, sender: str, receiver: str, frame: Frame) -> None:
        """Take a frame; the trouble looks at it first."""
        sent = Sent(len(self.sent), sender, receiver, frame)
        self.sent.append(sent)
        if not self._trouble.disturb(sent, self):
            self.carry(sent)

    def wait(self, name: str, seconds: float) -> Event | None:
        """The next event of a party, or None after so long."""
        seat = self._seats[name]
        self._polls += 1
        if not seat.inbox and not self.hanging:
            seat.wake = self.time + max(seconds, _TICK)
            self._hand_on(seat)
        if self.hanging:
            raise _Ended
        return seat.inbox.popleft() if seat.inbox else None

    def allow(self, name: str, peer: str, nbytes: int) -> None:
        """A party takes no payload of a peer that is longer than this."""
        self._seats[name].allowed[peer] = nbytes

    # What trouble does

    def carry(self, sent: Sent, later: float = 0.0) -> None:
        line = self._line(sent)
        if not line.up:
            if not line.begun or sent.sender == line.dialler:
                line.kept.setdefault(sent.sender, []).append(sent)
            return
        held = line.held.pop(sent.sender, None)
        begins = max(self.time, line.sent.get(sent.sender, 0.0))
        line.sent[sent.sender] = begins + sent.frame.size / line.speed.bandwidth
        arrives = max(line.sent[sent.sender] + line.speed.latency + later, line.arrives.get(sent.sender, 0.0))
        line.arrives[sent.sender] = arrives
        age = line.age
        self._later(arrives - self.time, lambda: self._arrive(sent, line, age))
        if held is not None:
            self.carry(held)

    def overtake(self, sent: Sent, wait: float) -> None:
        line = self._line(sent)
        line.held[sent.sender] = sent

        def release() -> None:
            if line.held.get(sent.sender) is sent:
                del line.held[sent.sender]
                self.carry(sent)

        self._later(wait, release)

    def cut(self, one: str, other: str, seconds: float, unnoticed_by: str | None = None) -> None:
        line = self._lines[frozenset((one, other))]
        if not line.up:
            return
        line.up = False
        line.age += 1
        line.held.clear()
        for name, peer in ((one, other), (other, one)):
            if name != unnoticed_by:
                self._seats[name].inbox.append(Disconnected(peer))
        self._later(seconds, self._opener((one, other), line))

    def stop(self, name: str, seconds: float) -> None:
        seat = self._seats[name]
        seat.wake = seat.still = self.time + seconds
        self._hand_on(seat)
        if self.hanging:
            raise _Ended

    def die(self, name: str) -> None:
        self._seats[name].dead = True
        raise _Ended

    # The clock and the baton

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.time + seconds, next(self._order), act))

    def _next(self) -> _Seat | None:
        """The party that runs next; the clock jumps ahead until one can."""
        while True:
            here = [seat for seat in self._seats.values() if not seat.gone]
            for seat in here:
                if self.hanging or (seat.still <= self.time and (seat.inbox or seat.wake <= self.time)):
                    return seat
            if not here:
                return None
            upcoming = min(seat.still if seat.inbox else max(seat.wake, seat.still) for seat in here)
            if self._agenda:
                upcoming = min(upcoming, self._agenda[0][0])
            if upcoming > self._horizon or self._polls > _MOST_POLLS:
                self.hanging = [seat.name for seat in here]
                continue
            self.time = max(self.time, upcoming)
            while self._agenda and self._agenda[0][0] <= self.time:
                heapq.heappop(self._agenda)[2]()

    def _hand_on(self, seat: _Seat) -> None:
        """Let others run until it is this party's turn again."""
        if (following := self._next()) is not seat:
            if following is not None:
                following.baton.release()
            seat.baton.acquire()

    def _pass_on(self) -> None:
        following = self._next()
        if following is not None:
            following.baton.release()
        else:
            self._over.set()

    def _leave(self, seat: _Seat) -> None:
        """A party's process has ended: its peers see that when all it sent has come."""
        seat.gone = True
        for pair, line in self._lines.items():
            if seat.name in pair and line.up:
                (peer,) = pair - {seat.name}
                if (held := line.held.pop(seat.name, None)) is not None:
                    self.carry(held)
                line.up = False
                gone = Disconnected(seat.name)
                self._later(
                    max(LATENCY, line.arrives.get(seat.name, 0.0) - self.time),
                    lambda peer=peer, gone=gone: self._seats[peer].inbox.append(gone),  # type: ignore[misc]
                )
        self._pass_on()

    # The connections

    def _line(self, sent: Sent) -> _Line:
        return self._lines[frozenset((sent.sender, sent.receiver))]

    def _arrive(self, sent: Sent, line: _Line, age: int) -> None:
        if line.age != age:
            return
        seat, frame = self._seats[sent.receiver], sent.frame
        fits = len(frame.body) <= seat.allowed.get(sent.sender, len(frame.body))
        came = Came(sent.sender, memoryview(frame.head), memoryview(frame.body)) if fits else Overlong(sent.sender)
        seat.inbox.append(came)

    def _opener(self, ends: tuple[str, ...], line: _Line) -> Callable[[], None]:
        one, other = ends

        def connect() -> None:
            left = [name for name in ends if not self._seats[name].gone]
            if len(left) < 2:  # who did not notice that the connection broke hears no heartbeat any more
                for name in left:
                    self._seats[name].inbox.append(Disconnected(other if name == one else one))
                return
            line.up = line.begun = True
            line.sent.clear()
            line.arrives.clear()
            self._seats[one].inbox.append(Connected(other))
            self._seats[other].inbox.append(Connected(one))
            for kept in line.kept.values():
                for sent in kept:
                    self.carry(sent)
            line.kept.clear()

        return connect


@dataclass(frozen=True)
class VirtualEnd:
    """One party's end: a `mpc.links.network.Network`."""

    net: VirtualNetwork
    name: str

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over; never blocks."""
        self.net.hand_over(self.name, peer, frame)

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        """The next event, or None if nothing happens for so long."""
        return self.net.wait(self.name, seconds)

    def now(self) -> float:
        """Virtual seconds."""
        return self.net.time

    def allow(self, peer: str, nbytes: int) -> None:
        """Take no longer payload of this peer."""
        self.net.allow(self.name, peer, nbytes)

    def adopt(self, peer: str) -> None:
        """Nobody has two connections at a time here."""

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Nobody has two connections at a time here."""
