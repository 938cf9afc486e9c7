"""The faults of a run at its launcher, which strikes at times, helps who strikes itself, and notes what struck."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from mpc.faults.fault import Fault
from parties.processes.child import Child

_AGAIN: Final = 0.02
"""Seconds after which a process that has not stopped yet is looked at again."""

Cut = Callable[[str, str, float], None]
"""Has the relay break the connection of two parties, for so many seconds."""


@dataclass
class FaultLog:
    """The faults of a run, and when each struck; filled in while the run goes on.

    Attributes:
        others: faults of many clients, in words; their places come after those of `faults`.
        struck: when each fault struck, in seconds since the parties met; by its place.
    """

    faults: tuple[Fault, ...]
    others: tuple[str, ...] = ()
    struck: dict[int, list[float]] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The part of the run's record on its faults; empty where there are none."""
        found = [
            {"fault": text, "struck": [round(at, 3) for at in self.struck.get(place, ())]}
            for place, text in enumerate(self.texts)
        ]
        return {"faults": found} if found else {}

    @property
    def texts(self) -> tuple[str, ...]:
        """All faults, in words."""
        return (*map(str, self.faults), *self.others)


class Agenda:
    """The launcher's work for the faults of a run, and its times.

    Args:
        log: notes what strikes.
        find: a party's process.
        cut: breaks a connection.
        say: tells the user of a party.
    """

    def __init__(
        self, log: FaultLog, find: Callable[[str | None], Child | None], cut: Cut, say: Callable[[Child, str], None]
    ) -> None:
        self._log = log
        self._find = find
        self._cut = cut
        self._say = say
        self._met: float | None = None
        self._due: list[tuple[float, Callable[[float], None]]] = []
        self.stopped: set[str] = set()

    def begin(self, now: float) -> None:
        """The parties are told of each other: times count from here."""
        self._met = now
        for place, fault in enumerate(self._log.faults):
            if fault.at is not None and (child := self._find(fault.party)) is not None:
                self._due.append((now + fault.at, partial(self._strike, place, child)))

    @property
    def struck(self) -> list[int]:
        """The places of the faults that have struck."""
        return [*self._log.struck]

    @property
    def wake_at(self) -> float | None:
        """When `act` is to be called next."""
        return min((due for due, _ in self._due), default=None)

    def act(self, now: float) -> None:
        """Do what is due."""
        ready = [act for due, act in self._due if due <= now]
        self._due = [(due, act) for due, act in self._due if due > now]
        for act in ready:
            act(now)

    def note(self, child: Child, place: int, peer: str | None, now: float) -> None:
        """A party says that a fault strikes it: help it, where it cannot help itself."""
        if not 0 <= place < len(self._log.texts):
            return
        if place < len(self._log.faults) or place not in self._log.struck:  # of many clients, one line is enough
            self._say(child, f"a fault on purpose: {self._log.texts[place]}")
        self._log.struck.setdefault(place, []).append(now - (self._met if self._met is not None else now))
        if place >= len(self._log.faults):
            return
        fault = self._log.faults[place]
        if fault.of is not None and fault.party != child.name:  # its stage, and another's fault
            victim = self._find(fault.party)
            if victim is None or victim.exit_code is not None:
                return
            child = victim
            _signal(child, signal.SIGSTOP if fault.kind == "stop" else signal.SIGKILL)
        if fault.kind == "drop" and peer is not None:
            self._cut(child.name, peer, fault.seconds)
        elif fault.kind == "stop":
            self.stopped.add(child.name)
            self._due.append((now + fault.seconds, partial(self._let_go, child)))
        elif fault.kind in ("kill", "restart"):
            child.killed_on_purpose = True
            child.to_restart = fault.kind == "restart"

    def _strike(self, place: int, child: Child, now: float) -> None:
        """A fault of a time strikes, unless the party has ended."""
        fault = self._log.faults[place]
        if child.exit_code is not None:
            return
        self.note(child, place, fault.peer, now)
        if fault.kind != "drop":
            _signal(child, signal.SIGSTOP if fault.kind == "stop" else signal.SIGKILL)

    def _let_go(self, child: Child, now: float) -> None:
        """A process that stopped goes on; one that is only about to stop is waited for."""
        if child.exit_code is not None:
            return
        if not child.stopped():
            self._due.append((now + _AGAIN, partial(self._let_go, child)))
            return
        _signal(child, signal.SIGCONT)
        self.stopped.discard(child.name)


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid, number)
