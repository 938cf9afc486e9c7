"""Where a sum of the owners' own functions reaches 0, under all four checks."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.testing import integers, own
from protocols.grid_search import Wanted, grid_search
from protocols.search import FAN, digits_for, first_reached
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

DIGITS = 2
LARGEST = FAN**DIGITS - 1
WORD = 8


async def _median(p: Party, mine: Array) -> Array:
    """The lower median of the owners' numbers: the least k that half of them do not exceed."""
    n = len(p.owners)

    def reach(points: Array) -> Array:
        numbers = mine.view(np.int64)
        return 2 * (points >= numbers[:, None]).astype(np.int64) - 1

    found = await first_reached(p, reach, mine.shape[0], DIGITS, what="median", why="agreed")
    assert n > 1
    return p.compute(lambda: found.astype(np.float64), shape=found.shape)


def _median_twin(parts: tuple[Array, ...]) -> Array:
    return np.quantile(np.stack(parts), 0.5, axis=0, method="inverted_cdf")


def _secrets(n: int) -> Secrets:
    """One owner's number is another on the same side of the same median, each owner's in turn."""
    low, high, others = (90, 200, [50]) if n == 2 else (10, 30, [50, 90, *[50] * n][: n - 1])
    return [
        ([[[v] for v in (*others[:k], low, *others[k:])]], [[[v] for v in (*others[:k], high, *others[k:])]])
        for k in range(n)
    ]


MEDIAN = Spoken(
    _median,
    _median_twin,
    [own(integers(("m",), 0, LARGEST))],
    0.0,
    8 * DIGITS,
    DIGITS * (30 * (WORD + 12 + 6 + 3 + 3 + 3 + 2) + 4),  # of two items: thirty comparisons a digit
    DIGITS * 30 * (WORD + 8 + 4 + 2 + 2 + 2 + 1),
    {"m": 2},
    secrets=_secrets,
    view_sizes={"m": 4},
    structure_sizes={"m": 1},
    words=120,
    shift=0.9,
    every=11,
)


async def _on_grid(p: Party, mine: Array) -> Array:
    """The smallest of all numbers, and the one that half of all do not exceed, found among 16 points."""
    count = len(p.owners) * mine.shape[0]
    least = np.array([1, -(-count // 2)], dtype=np.int64)
    (found,) = await grid_search(p, [Wanted(FAN, least, lambda: _reached_by(mine))])
    (points,) = await p.reveal(found.points, what="quantiles", why="agreed", label="quantiles")
    return p.compute(lambda: points.value.astype(np.float64), shape=points.shape)


def _reached_by(mine: Array) -> Array:
    return np.cumsum(np.bincount(mine.astype(np.int64), minlength=FAN))


def _on_grid_twin(parts: tuple[Array, ...]) -> Array:
    return np.quantile(np.concatenate(parts), [0, 0.5], method="inverted_cdf")


SIDE = 4  # rows and columns of 16 points
COMPARED = 2 * 2 * (SIDE - 1)

ON_GRID = Spoken(
    _on_grid,
    _on_grid_twin,
    [own(integers(("m",), 0, FAN - 1))],
    0.0,
    19,
    COMPARED * (WORD + 12 + 6 + 3 + 3 + 3 + 2)
    + 2  # the comparisons' bits as numbers
    + (2 * SIDE + SIDE * 2 * (SIDE + 1)) * WORD  # which row, and both owners' counts
    + (2 * SIDE + 2 * 2 * 2 * SIDE) * WORD  # which point, and both owners' counts of the row, each twice
    + 2 * WORD,
    COMPARED * (WORD + 8 + 4 + 2 + 2 + 2 + 1) + COMPARED * WORD + (2 * 2 * (SIDE + 1) + 2 * 2 * 2 * SIDE) * WORD,
    {"m": 2},
    cost_owners=(2,),
    secrets=lambda n: [([[3, 9]] * n, [[3, 9]] * (n - 1) + [[3, 12]])],
    view_sizes={"m": 2},
    structure_sizes={"m": 1},
    words=120,
    shift=0.9,
    every=11,
)
both = pytest.mark.parametrize("case", [MEDIAN, ON_GRID], ids=["median", "on a grid"])


@both
def test_correct(case: Spoken) -> None:
    hold_to_correct(case)


@both
def test_cost(case: Spoken) -> None:
    hold_to_cost(case)


@pytest.mark.soak
@pytest.mark.parametrize("owners", [2, 3])
@both
def test_view(case: Spoken, owners: int) -> None:
    hold_to_view(case, owners)


@both
def test_faults(case: Spoken) -> None:
    hold_to_faults(case)


def test_digits() -> None:
    assert [digits_for(points) for points in (2, 16, 17, 256, 257, 1_000_000)] == [1, 1, 2, 2, 3, 5]
