"""Run cells on this machine: each is a process that starts its parties' processes; none is left at the end."""

from __future__ import annotations

import os
import selectors
import signal
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InternalError, InterruptedRun
from parties.processes.child import Child, Program, start_child
from parties.processes.signals import Interrupts
from parties.scenario.program import ProgramFile

ENDING_PATIENCE: Final = 8.0
"""Seconds between SIGTERM to a cell, in which it ends its parties, and SIGKILL."""

_REAP_PATIENCE: Final = 2.0


@dataclass(frozen=True)
class Order:
    """The work of a cell's process.

    Args:
        name: the cell's.
        scenario: its scenario file.
        out: the folder of its record, which does not exist yet.
        compare: whether it is compared with a run in the clear.
        program: the protocol that it runs, if its kind has one.
    """

    name: str
    scenario: Path
    out: Path
    compare: bool
    program: ProgramFile | None = None


EndCallback = Callable[[str, BeaverlodgeError | None, Sequence[str], float | None], None]
"""Called as each cell ends: (cell, error if it has no record, warnings, duration in seconds or None if unknown)."""


def run_local(orders: Iterable[Order], jobs: int, program: Program, on_end: EndCallback) -> None:
    """Run cells, at most `jobs` at a time, each on cores of its own where there are enough.

    Args:
        program: the program of a cell's process.
        on_end: called as each ends.

    Raises:
        InterruptedRun: after Ctrl-C, SIGTERM or SIGHUP. No process of a cell is left by then.
        UsageError: the system cannot start another process.
    """
    waiting = deque(orders)
    with Interrupts() as interrupts, selectors.DefaultSelector() as selector:
        selector.register(interrupts.descriptor, selectors.EVENT_READ)
        pool = _Pool(selector, _places(jobs), on_end)
        try:
            while waiting or pool.running:
                while waiting and pool.free:
                    pool.start(waiting.popleft(), program)
                for key, _ in selector.select():
                    if key.fd == interrupts.descriptor:
                        interrupts.read()
                    else:
                        pool.read(key.data)
                if interrupts.received is not None:
                    raise InterruptedRun("interrupted")
        finally:
            pool.clear_away()


def _places(jobs: int) -> list[list[int] | None]:
    """The cores of each cell that runs at a time, in equal parts; None where there are too few cores."""
    if not hasattr(os, "sched_getaffinity"):
        return [None] * jobs
    cores = sorted(os.sched_getaffinity(0))
    each = len(cores) // jobs
    return [cores[k * each : (k + 1) * each] or None for k in range(jobs)]


class _Pool:
    """The running cells, and the cores that are free."""

    def __init__(self, selector: selectors.BaseSelector, places: list[list[int] | None], on_end: EndCallback) -> None:
        self.running: dict[str, Child] = {}
        self.free = places
        self._selector = selector
        self._on_end = on_end
        self._place: dict[str, list[int] | None] = {}
        self._warnings: dict[str, list[str]] = {}
        self._started_at: dict[str, float] = {}

    def start(self, order: Order, program: Program) -> None:
        child = start_child(order.name, program, scenario=order.scenario, out=order.out.parent)
        self.running[order.name] = child
        self._place[order.name] = self.free.pop(0)
        self._warnings[order.name] = []
        self._started_at[order.name] = monotonic()
        assert child.events is not None
        self._selector.register(child.events, selectors.EVENT_READ, child)
        message: Mapping[str, Any] = {
            "scenario": str(order.scenario),
            "out": str(order.out),
            "compare": order.compare,
            "cores": self._place[order.name],
            "program": None if order.program is None else order.program.model_dump(mode="json"),
        }
        child.send(message)

    def read(self, child: Child) -> None:
        """Read the events of a cell; at their end, end the cell and report it."""
        events = child.read()
        for event in events or ():
            if event["event"] == "log" and event["level"] == "warning":
                self._warnings[child.name].append(event["text"])
        if events is None:
            self._end(child, _REAP_PATIENCE)
            seconds = monotonic() - self._started_at.pop(child.name)
            self._on_end(child.name, _error_of(child), self._warnings.pop(child.name), seconds)

    def _end(self, child: Child, patience: float) -> None:
        assert child.events is not None
        self._selector.unregister(child.events)
        child.close_events()
        child.release()
        if not child.reap(patience):
            child.kill()
            child.reap(_REAP_PATIENCE)
        child.close_exited()
        child.remove_empty_stderr()
        self.free.append(self._place.pop(child.name))
        del self.running[child.name]

    def clear_away(self) -> None:
        """End the cells that still run, without a report."""
        for child in self.running.values():
            os.kill(child.pid, signal.SIGTERM)  # it is not reaped, so the process id is still its own
        until = monotonic() + ENDING_PATIENCE
        for child in list(self.running.values()):
            self._end(child, max(0.0, until - monotonic()))


def _error_of(child: Child) -> BeaverlodgeError | None:
    if child.failure is not None or child.result is not None:
        return child.failure
    return child.vanished() or InternalError(f"{child.name} ended without a result")
