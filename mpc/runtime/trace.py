"""A party's trace: rounds, bytes, messages, reveals, and the beginning of each stage. It holds no data."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mpc.runtime.interfaces import Revealed

StageListener = Callable[[str, int, int], None]


def _nobody(text: str) -> None:
    """Listens to no hint."""


def _nothing() -> None:
    """Keeps no list of what is opened."""


@dataclass
class Trace:
    """Counts of a live run, from the end of the handshake on; resends are counted apart.

    Args:
        listener: called with each stage and step, for progress.
        advised: called with each hint.
        opening: called before any share of a revealed value leaves; its error ends the run.
    """

    listener: StageListener
    advised: Callable[[str], None] = _nobody
    rounds: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    messages: int = 0
    resent: int = 0
    reveals: list[Revealed] = field(default_factory=list)
    ways: list[bool] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    at: str = "start"
    opening: Callable[[], None] = _nothing

    def stage(self, name: str, done: int, total: int) -> None:
        """The party is at this step of a stage."""
        if name != self.at:
            self.at = name
            self.began.setdefault(name, time.perf_counter())
        self.listener(name, done, total)

    def revealed(self, item: Revealed) -> None:
        self.opening()
        self.reveals.append(item)

    def forked(self, way: bool) -> None:
        self.ways.append(way)

    def hinted(self, text: str) -> None:
        self.advised(text)

    def sent(self, size: int) -> None:
        """A data frame of `size` bytes was handed over."""
        self.messages += 1
        self.bytes_sent += size

    def received(self, size: int) -> None:
        """A data frame of `size` bytes was taken in."""
        self.bytes_received += size

    def round(self, label: str) -> None:
        """A round began."""
        self.rounds += 1
        self.labels[label] = self.labels.get(label, 0) + 1

    def restart_counts(self) -> None:
        """Forget the cost of the handshake: the plan is about what follows it."""
        self.rounds = self.bytes_sent = self.bytes_received = self.messages = self.resent = 0
        self.labels = {}

    def seconds(self, first: str, last: str) -> float:
        """Time between the beginnings of two stages; 0 where one was not reached."""
        if first not in self.began or last not in self.began:
            return 0.0
        return self.began[last] - self.began[first]
