"""Test whether a training has come to rest: one declared bit at its end; with a tolerance also during the training.

    |w_j - w'_j| <= tolerance for every j        w: now, w': `EVERY` steps before

The bits of a run are no, no, ..., no, yes. Together they disclose after how many steps the weights came to rest, and so
something of how well conditioned the data are, but the direction and size of no weight's move.

    |w_j - w'_j| <= 0.2 / sqrt(rows)             w: after the last step, w': before the last quarter of the steps

is the convergence check. No weight of a standardised feature has a standard error below 2 / sqrt(rows), for a row's
p (1 - p) is at most 1/4, and the bound is a tenth of that. What is left of a way that shrinks by a factor with each
step is less than three times what its last quarter covered, unless three quarters have not even halved it; and then
the last quarter moves by a tenth of it or more, but for directions that are so flat that their errors are as large.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import any_set, outside

T = TypeVar("T")

EVERY = 10
"""The number of steps between two tests: a test takes as many rounds as three steps do."""

STOP_TEST = "stop test"
CONVERGENCE_CHECK = "convergence check"


def is_due(steps: int, most: int) -> bool:
    """Whether there is a test after so many steps, of `most`: after the last one there is nothing to stop."""
    return steps % EVERY == 0 and steps < most


def steps_taken(most: int, ways: Sequence[bool]) -> int:
    """The number of steps taken, from the results of the tests."""
    return (list(ways).index(True) + 1) * EVERY if True in ways else most


async def at_rest(p: Party, w: Share, before: Share, tolerance: float) -> bool:
    """Whether no entry of [w] (d,) differs from [w'] by more than `tolerance`, for entries within 2^62 in ring units.

    9 rounds; reveals w - w' + r, uniform over Z_2^64, masked bits, and one word: zero if all of w is at rest, else
    uniform. The program's flow follows that bit, and so discloses nothing more.
    """
    word = await any_set(
        p,
        await moved(p, w, before, tolerance, label="stop/mask"),
        what=STOP_TEST,
        why=f"one bit: zero if no weight moved by more than {tolerance:g} in {EVERY} steps, else a random word",
    )
    return p.fork(lambda: not word.value.any())


async def moved(p: Party, w: Share, before: Share, tolerance: float, *, label: str) -> Share:
    """[|w_j - w'_j| > tolerance] in bit 0 of each byte (d,). 7 rounds; reveals masked values and bits only."""
    edge = np.full(w.shape, round(tolerance * 2.0**w.scale), dtype=np.int64)
    return await outside(p, w - before, -edge, edge, label=label)


def last_quarter(steps: int) -> int:
    """How many of so many steps the convergence check looks back: of 512 and more, up to a 128th beyond a quarter."""
    quarter = max(1, steps // 4)
    return quarter + (steps - quarter) % _spacing(steps)


def _spacing(steps: int) -> int:
    """Which multiples of steps are kept for the convergence check, after so many steps: a power of two."""
    return 1 << max(0, steps.bit_length() - 9)


class Lately(Generic[T]):
    """The weights at the beginning of a training's last quarter, whenever it ends: at most some 256 vectors are kept.

    Args:
        first: [w] before the first step.
    """

    def __init__(self, first: T) -> None:
        self._steps = 0
        self._kept = {0: first}

    def add(self, w: T) -> None:
        """Note [w] after one more step."""
        self._steps += 1
        first = self._first
        while (oldest := next(iter(self._kept))) < first:
            del self._kept[oldest]
        if self._steps % _spacing(self._steps) == 0:
            self._kept[self._steps] = w

    def before(self) -> T:
        """[w] before the last quarter of the steps so far; without any step the first one."""
        return self._kept[self._first]

    @property
    def _first(self) -> int:
        return max(0, self._steps - last_quarter(self._steps))


def rest_bound(rows: int) -> float:
    """The largest move of a weight in the last quarter of a converged training on so many rows."""
    return 0.2 / math.sqrt(max(1, rows))


async def tell_moved(p: Party, bits: Share, rows: int) -> Public:
    """Reveal whether a weight moved by more than `rest_bound(rows)`: 0 if none did, else a uniform word, (1,).

    2 rounds; reveals that word, and masked bits.
    """
    why = f"one bit: zero if no weight moved by more than {rest_bound(rows):.2g} in the last quarter of the steps, "
    return await any_set(p, bits, what=CONVERGENCE_CHECK, why=f"{why}else a random word")
