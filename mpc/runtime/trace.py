"""A party's trace: rounds, bytes, messages, reveals, and the beginning of each stage. It holds no data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.errors import BeaverlodgeError
from mpc.runtime.interfaces import Revealed
from mpc.runtime.round import Round

StageListener = Callable[[str, int, int], None]


def _nobody(text: str) -> None:
    """Listens to no hint."""


def _nothing() -> None:
    """Keeps no list of what is opened."""


class Tracer:
    """A listener to every round and every message outside the rounds. It records nothing: `round_tracer` does."""

    values = False
    """Whether values are recorded, too: under a test seed."""

    def started(self) -> None:
        """The handshake is over: the protocol begins."""

    def finished(self) -> None:
        """The protocol ended; what follows is the parting."""

    def stage(self, name: str) -> None:
        """A stage began."""

    def resumes(self) -> None:
        """The party computes from now on: in one thread, where it was another one's turn."""

    def drew(self, kind: str) -> None:
        """A correlation of this kind was drawn."""

    def awaits(self, program: Any) -> None:
        """The program awaits its next round."""

    def asked(self, one: Round) -> None:
        """A round begins: its messages are handed over from now on."""

    def begins(self, label: str, sent: Mapping[str, int]) -> None:
        """As `asked`, where so many bytes, with their headers, go to each peer."""

    def handed(self) -> None:
        """All messages of the round are on their way."""

    def ready(self) -> None:
        """The work beside the messages is done: the party waits."""

    def came(self, peer: str, one: Round, answer: Any) -> None:
        """A peer's message of the round was taken."""

    def arrived(self, peer: str, size: int) -> None:
        """As `came`, of a payload of so many bytes."""

    def ended(self) -> None:
        """All that the round waits for has come."""

    def pushes(self) -> None:
        """A message outside the rounds is about to be handed over."""

    def pushed(self, label: str, peer: str, size: int) -> None:
        """The message was handed over."""

    def pulls(self, label: str, peer: str) -> None:
        """The party waits for a message outside the rounds."""

    def pulled(self, size: int) -> None:
        """The awaited message came."""

    def planned(self, plan: Mapping[str, Any]) -> None:
        """The plan is known."""

    def failed(self, error: BeaverlodgeError) -> None:
        """The party failed."""

    def close(self) -> None:
        """Nothing more is to come."""


@dataclass
class Trace:
    """Counts of a live run, from the end of the handshake on; resends are counted apart.

    Args:
        listener: called with each stage and step, for progress.
        advised: called with each hint.
        opening: called before any share of a revealed value leaves; its error ends the run.
        tracer: records every round, if that was asked for.
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
    tracer: Tracer = field(default_factory=Tracer)

    def stage(self, name: str, done: int, total: int) -> None:
        """The party is at this step of a stage."""
        if name != self.at:
            self.at = name
            self.began.setdefault(name, time.perf_counter())
            self.tracer.stage(name)
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
