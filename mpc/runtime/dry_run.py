"""What a dry run writes down: rounds, correlations, forks and reveals; of steps that are alike, a few are run."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mpc.randomness.correlation import Kind
from mpc.randomness.layout import as_shares
from mpc.randomness.repeated import KindList, Repeated
from mpc.ring.abstract_array import abstract
from mpc.runtime.interfaces import Revealed
from mpc.sharing.share import Share


@dataclass(frozen=True)
class PlannedRound:
    """One round: its label, and the bytes of payload from one owner to each other owner.

    `draws` is the number of correlations that an owner draws between the round before and its sending.
    """

    label: str
    stage: str
    payload: int
    draws: int


@dataclass
class Recorder:
    """A dry run's supply and observer: it records all requests."""

    ways: tuple[bool, ...] = ()
    rounds: Repeated[PlannedRound] = field(default_factory=Repeated)
    drawn: int = 0  # correlations, when the last round began
    kinds: KindList = field(default_factory=KindList)
    forks: list[int] = field(default_factory=list)
    reveals: Repeated[Revealed] = field(default_factory=Repeated)
    at: str = ""
    stages: set[str] = field(default_factory=set)

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        number = len(self.kinds)
        self.kinds.append(kind)
        drawn, dealt = ([abstract(spec.shape) for spec in specs] for specs in (kind.drawn, kind.dealt))
        return number, as_shares(kind, drawn, dealt)

    def fork(self, way: bool) -> bool:
        number = len(self.forks)
        self.forks.append(len(self.kinds))
        return number < len(self.ways) and self.ways[number]

    def forked(self, way: bool) -> None:
        """Nothing to note: a dry run knows its ways."""

    def stage(self, name: str, done: int, total: int) -> None:
        self.at = name
        self.stages.add(name)

    def revealed(self, item: Revealed) -> None:
        self.reveals.append(item)

    def hinted(self, text: str) -> None:
        """Nothing to note: a dry run has no hints."""


@dataclass(frozen=True)
class _Mark:
    """A dry run's position: the numbers of rounds, correlations, forks and reveals so far; the place in a list."""

    rounds: int
    kinds: int
    other: tuple[int, int]
    place: int
    opened: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Block:
    """A step's correlations, openings and result."""

    first: _Mark
    last: _Mark
    result: Any


class StepMemory:
    """A dry run's memory of steps that are the same each time.

    A step is run until two records of it are alike, but for their places; after that its record is repeated, and it is
    not run.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._once: dict[Hashable, _Block] = {}
        self._twice: dict[Hashable, _Block] = {}

    def mark(self, place: int, opened: Mapping[str, int]) -> _Mark | None:
        """The dry run's position; None if it has drawn correlations since the last round."""
        now = self._recorder
        if now.drawn != len(now.kinds):
            return None
        return _Mark(len(now.rounds), len(now.kinds), (len(now.forks), len(now.reveals)), place, tuple(opened.items()))

    def again(self, key: Hashable, now: _Mark, opened: dict[str, int]) -> _Block | None:
        """Record the step once more without running it, if two records of it were alike."""
        block = self._twice.get(key)
        if block is None:
            return None
        first, last = block.first, block.last
        self._recorder.rounds.copied(first.rounds, last.rounds)
        self._recorder.kinds.copied(first.kinds, last.kinds, now.place - first.place)
        self._recorder.drawn = len(self._recorder.kinds)
        before = dict(first.opened)
        for label, count in last.opened:
            opened[label] = opened.get(label, 0) + count - before.get(label, 0)
        return block

    def ran(self, key: Hashable, first: _Mark, last: _Mark | None, result: Any) -> None:
        """Note that the step was run."""
        if last is None or first.other != last.other:
            self._once.pop(key, None)
            return
        block, known = _Block(first, last, result), self._once.get(key)
        self._once[key] = block
        if known is not None and self._alike(known, block):
            self._twice[key] = block

    def _alike(self, one: _Block, other: _Block) -> bool:
        rounds, kinds = self._recorder.rounds, self._recorder.kinds
        further = other.first.place - one.first.place
        return (
            rounds.numbered(one.first.rounds, one.last.rounds) == rounds.numbered(other.first.rounds, other.last.rounds)
            and one.last.kinds - one.first.kinds == other.last.kinds - other.first.kinds
            and kinds.alike(one.first.kinds, one.last.kinds, other.first.kinds, further)
        )
