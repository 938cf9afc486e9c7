"""What a party is given beside its data: where correlations come from, and who is told what it does."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mpc.randomness.correlation import Kind
from mpc.sharing.share import Share


@dataclass(frozen=True)
class Revealed:
    """Something that leaves the sharing on purpose: what, to whom, of which shape, and why."""

    what: str
    to: tuple[str, ...]
    shape: tuple[int, ...]
    why: str


class Supply(Protocol):
    """Where a party's shares of correlated randomness come from, in the plan's order."""

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        """The next correlation: its number, this owner's drawn parts as `Mask`s, and its dealt parts as `Share`s."""

    def fork(self, way: bool) -> bool:
        """The program goes this way from here on; a dry run, which does not know, is told which way to go."""


class Repeats(Protocol):
    """A dry run's memory of steps that are alike: see `Party.step`."""

    def mark(self, place: int, opened: Mapping[str, int]) -> Any:
        """Where the dry run is now; None if that is no place between two steps."""

    def again(self, key: Hashable, now: Any, opened: dict[str, int]) -> Any:
        """Write down once more what such a step does, if that is known: then its `result`."""

    def ran(self, key: Hashable, first: Any, last: Any, result: Any) -> None:
        """A step was run."""


class Observer(Protocol):
    """Who is told what a program does: the trace of a live run, or nobody."""

    def stage(self, name: str, done: int, total: int) -> None:
        """The program is at step `done` of `total` of a stage."""

    def revealed(self, item: Revealed) -> None:
        """A declared value was opened."""

    def forked(self, way: bool) -> None:
        """A revealed value said which way the program goes on."""

    def hinted(self, text: str) -> None:
        """The program has something to say to this owner."""
