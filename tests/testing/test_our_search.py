"""Where a sum of the owners' own functions reaches 0, under all four checks."""

from __future__ import annotations

import numpy as np
import pytest

from mpc.ghost import Array
from mpc.party import Party
from mpc.testing import integers, own
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


def test_correct() -> None:
    hold_to_correct(MEDIAN)


def test_cost() -> None:
    hold_to_cost(MEDIAN)


@pytest.mark.soak
@pytest.mark.parametrize("owners", [2, 3])
def test_view(owners: int) -> None:
    hold_to_view(MEDIAN, owners)


def test_faults() -> None:
    hold_to_faults(MEDIAN)


def test_digits() -> None:
    assert [digits_for(points) for points in (2, 16, 17, 256, 257, 1_000_000)] == [1, 1, 2, 2, 3, 5]
