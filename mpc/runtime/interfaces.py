"""What a party is given beside its data: where correlations come from, and who is told what it does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mpc.randomness.correlation import Kind
from mpc.sharing.share import Share


@dataclass(frozen=True)
class Revealed:
    """A declared reveal: what is opened, to whom, of which shape, and why."""

    what: str
    to: tuple[str, ...]
    shape: tuple[int, ...]
    why: str


class Supply(Protocol):
    """The source of a party's shares of correlated randomness, in the plan's order."""

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        """The next correlation: its number, this owner's drawn parts as `Mask`s, and its dealt parts as `Share`s."""

    def fork(self, way: bool) -> bool:
        """Note the way that the program takes at a fork, and return it; a dry run gets it from here."""


class Repeats(Protocol):
    """A dry run's memory of steps that are alike: see `Party.step`."""

    def mark(self, place: int, opened: Mapping[str, int]) -> Any:
        """The dry run's position; None if it is not between two steps."""

    def again(self, key: Hashable, now: Any, opened: dict[str, int]) -> Any:
        """Record once more what such a step does, if that is known, and return its `result`."""

    def ran(self, key: Hashable, first: Any, last: Any, result: Any) -> None:
        """Note that a step was run."""


class Observer(Protocol):
    """The observer of a program: the trace of a live run, or none."""

    def stage(self, name: str, done: int, total: int) -> None:
        """Note that the program is at step `done` of `total` of a stage."""

    def revealed(self, item: Revealed) -> None:
        """Note that a declared value was opened."""

    def forked(self, way: bool) -> None:
        """Note the way that the program took at a fork, by a revealed value."""

    def hinted(self, text: str) -> None:
        """Take a hint of the program for this owner."""
