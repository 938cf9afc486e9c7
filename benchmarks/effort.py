"""How much `make bench` measures."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.contenders import Runs
from benchmarks.telling import minutes


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        ours: our runs of a training.
        sessions: our sessions of a microbenchmark, and our runs of what is measured beside its plan.
        peers: how often peers run.
        jobs: which jobs; those after the first come last of all.
        minutes: from then on peers' lines are left out, and say so, so that our own all come to their turn.
        quick: whether variants that add little are left out.
    """

    ours: int
    sessions: int
    peers: Runs
    jobs: tuple[str, ...]
    minutes: float
    quick: bool


FULL = Effort(7, 2, Runs(2, 20, 10, 5), ("A", "C", "B", "D", "E"), 21.0, quick=False)
QUICK = Effort(5, 1, Runs(1, 5, 3, 3), ("A", "C"), 4.0, quick=True)


def late(effort: Effort) -> str:
    """Why a peer's line is left out, if it is."""
    return f"not run: the first {effort.minutes:g} minutes were over" if minutes() > effort.minutes else ""
