"""What the long tiers of tests share, soak and sweep: which part of its cases each tries, and how counts are told."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

T = TypeVar("T")

Tell = Callable[..., None]
"""`tell(series, outcome=count, ...)`: adds to a series' line; whole numbers add up, of others the largest counts."""


@dataclass(frozen=True)
class Tier:
    """A tier of tests beyond `make test`, run by `make NAME`.

    Args:
        name: also the marker of its tests, the folder of its own files, and how the names of those begin.
    """

    name: str

    @property
    def files(self) -> str:
        """The names of the files that choose their part of their cases themselves."""
        return f"{self.name}_*.py"

    def seed(self) -> int:
        """What chooses the part, and everything else that a test leaves to chance."""
        return int(os.environ.get(f"{self.name.upper()}_SEED", "1"))

    def part(self) -> float:
        """Which part of its cases a series tries: of 0 to 1."""
        return float(os.environ.get(f"{self.name.upper()}_PART", "1"))

    def in_time(self, limit: float, *, patient: float = 60.0) -> float:
        """Within how many seconds something has to happen: a whole tier has the machine for itself, a part may not.

        A part also runs where a failure turns a submission away. Being slow must be no failure there.
        """
        return limit if self.part() >= 1 else patient

    def chosen(self, what: str, cases: Iterable[T]) -> list[T]:
        """The seeded part of a series' cases that is tried, in their order; at least one."""
        every = list(cases)
        count = min(len(every), max(1, round(self.part() * len(every))))
        return [every[k] for k in sorted(Random(f"{self.seed()}/{what}").sample(range(len(every)), count))]


SOAK = Tier("soak")
SWEEP = Tier("sweep")
TIERS = (SOAK, SWEEP)


def lines(told: Sequence[tuple[str, dict[str, float]]]) -> list[str]:
    """One line a series: all that was told of it."""
    sums: dict[str, dict[str, float]] = {}
    for series, counts in told:
        mine = sums.setdefault(series, {})
        for outcome, count in counts.items():
            before = mine.get(outcome, 0)
            mine[outcome] = before + count if isinstance(count, int) else max(before, count)
    return [f"{series}: {', '.join(_count(*one) for one in sums[series].items())}" for series in sorted(sums)]


def _count(outcome: str, count: float) -> str:
    number = f"{count:,}" if isinstance(count, int) else f"{count:.3g}"
    return f"{number} {outcome.replace('_', ' ')}"
