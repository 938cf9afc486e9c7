"""Cells that clients put to 0 themselves: what is left is 0 or enough, and no total is further off than is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.aggregation.own_cells import OwnCells, bias, without_small
from tests.examples import steady

CLIENTS = st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=12), min_size=1, max_size=6)


@steady(60)
@given(CLIENTS, st.integers(3, 6))
def test_no_cell_is_small_and_no_total_further_off_than_is_said(clients: list[list[tuple[int, int]]], m: int) -> None:
    """One column of flags; a row is (flag, weight), and the scale is 10."""
    flags = np.array([True])
    truth, told = np.zeros(3), np.zeros(3)
    for rows in clients:
        unweighted = OwnCells(*_totals([(flag, 1) for flag, _ in rows]), 10)
        left, withheld = without_small(unweighted, _ones(rows), flags, m)
        count, flagged = int(left.counts[0]), int(left.sums[0]) // 10
        assert all(cell == 0 or cell >= m for cell in (count, flagged, count - flagged))
        assert bool(withheld[0]) == (left.sums.tolist() != unweighted.sums.tolist() or count < len(rows))
        before = OwnCells(*_totals(rows), 10)
        after, _ = without_small(before, _ones(rows), flags, m)
        truth += [before.counts[0], before.weights[0], before.sums[0] / 10]
        told += [after.counts[0], after.weights[0], after.sums[0] / 10]
    for kind, error in zip(("count", "weight", "sum"), told - truth, strict=True):
        within = bias(kind, len(clients), m, (0, 1), flag=True, largest_weight=3)
        assert within.low <= error <= within.high


@steady(60)
@given(st.lists(st.lists(st.integers(-7, 20), max_size=8), min_size=1, max_size=6), st.integers(3, 6))
def test_sums_of_values_are_held_back_with_their_count(clients: list[list[int]], m: int) -> None:
    error = 0
    for rows in clients:
        cells = OwnCells(np.array([len(rows)]), np.array([len(rows)]), np.array([sum(rows)]), 1)
        left, _ = without_small(cells, np.array([1]), np.array([False]), m)
        assert (left.counts[0], left.sums[0]) == ((len(rows), sum(rows)) if len(rows) >= m else (0, 0))
        error += int(left.sums[0]) - sum(rows)
    within = bias("sum", len(clients), m, (-7.0, 20.0), flag=False)
    assert within.low <= error <= within.high


@pytest.mark.parametrize(
    ("kind", "bounds", "expected"),
    [
        ("count", (0, 9), (-40, 0)),
        ("weight", (0, 9), (-80, 0)),
        ("sum", (-2, 9), (-720, 160)),
        ("sum", (1, 9), (-720, 0)),
    ],
)
def test_the_bias_as_said(kind: str, bounds: tuple[float, float], expected: tuple[float, float]) -> None:
    found = bias(kind, 10, 5, bounds, flag=False, largest_weight=2)
    assert (found.low, found.high) == expected


def _totals(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    weight = sum(weight for _, weight in rows)
    flagged = sum(flag * weight for flag, weight in rows)
    return np.array([len(rows)]), np.array([weight]), np.array([10 * flagged])


def _ones(rows: list[tuple[int, int]]) -> np.ndarray:
    return np.array([sum(flag for flag, _ in rows)])
