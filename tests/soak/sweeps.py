"""What every sweep of a soak shares: which part of its cases it tries, by which seed, and how it tells its counts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")

PART = "SOAK_PART"
SEED = "SOAK_SEED"

Tell = Callable[..., None]
"""`tell(sweep, outcome=count, ...)`: adds to a sweep's line; whole numbers add up, of others the largest counts."""


def seed() -> int:
    """What chooses the part, and everything else that a sweep leaves to chance."""
    return int(os.environ.get(SEED, "1"))


def part() -> float:
    """Which part of its cases a sweep tries: of 0 to 1."""
    return float(os.environ.get(PART, "1"))


def in_time(limit: float, *, patient: float = 60.0) -> float:
    """Within how many seconds something has to happen: a whole soak has the machine for itself, a part may not have it.

    A part of a soak also runs where a failure turns a submission away. Being slow must be no failure there.
    """
    return limit if part() >= 1 else patient


def chosen(what: str, cases: Iterable[T]) -> list[T]:
    """The seeded part of a sweep's cases that this soak tries, in their order; at least one."""
    every = list(cases)
    count = min(len(every), max(1, round(part() * len(every))))
    return [every[k] for k in sorted(Random(f"{seed()}/{what}").sample(range(len(every)), count))]


def lines(told: Sequence[tuple[str, dict[str, float]]]) -> list[str]:
    """One line a sweep: all that was told of it."""
    sums: dict[str, dict[str, float]] = {}
    for sweep, counts in told:
        mine = sums.setdefault(sweep, {})
        for outcome, count in counts.items():
            before = mine.get(outcome, 0)
            mine[outcome] = before + count if isinstance(count, int) else max(before, count)
    return [f"{sweep}: {', '.join(_count(*one) for one in sums[sweep].items())}" for sweep in sorted(sums)]


def _count(outcome: str, count: float) -> str:
    number = f"{count:,}" if isinstance(count, int) else f"{count:.3g}"
    return f"{number} {outcome.replace('_', ' ')}"
