"""Cells that clients put to 0 themselves: what is left is 0 or enough, and no total is further off than is said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.aggregation.cells.own import add_up, bias, without_small
from tests.examples import steady

CLIENTS = st.lists(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=12), min_size=1, max_size=6)


@steady(60)
@given(CLIENTS, st.integers(3, 6))
def test_no_cell_is_small_and_no_total_further_off_than_is_said(clients: list[list[tuple[int, int]]], m: int) -> None:
    """One column of flags; a row is (flag, weight)."""
    truth, told = np.zeros(3), np.zeros(3)
    for rows in clients:
        values, there, weights = _columns(rows)
        plain = add_up(values, there, np.ones_like(weights))
        left, withheld = without_small(values, there, np.ones_like(weights), m)
        count, flagged = int(left.counts[0]), int(left.sums[0])
        assert all(cell == 0 or cell >= m for cell in (count, flagged, count - flagged))
        assert bool(withheld[0]) == (left.sums.tolist() != plain.sums.tolist() or count < len(rows))
        before, (after, _) = add_up(values, there, weights), without_small(values, there, weights, m)
        truth += [before.counts[0], before.weights[0], before.sums[0]]
        told += [after.counts[0], after.weights[0], after.sums[0]]
    for kind, error in zip(("count", "weight", "sum"), told - truth, strict=True):
        within = bias(kind, len(clients), m, (0, 1), flag=True, largest_weight=3)
        assert within.low <= error <= within.high


@steady(60)
@given(st.lists(st.lists(st.sampled_from((-7, 0, 1, 2, 20)), max_size=20), min_size=1, max_size=6), st.integers(3, 6))
def test_a_clients_sum_is_that_of_rows_without_a_small_cell(clients: list[list[int]], m: int) -> None:
    """Against the rule as it reads, with rows counted one by one."""
    error = 0
    for rows in clients:
        values, there, weights = _columns([(one, 1) for one in rows])
        left, _ = without_small(values, there, weights, m)
        counts = Counter(sorted(rows))
        common = max(counts, key=lambda value: counts[value], default=0)
        if len(rows) < m:
            kept = []
        elif len(rows) - counts[common] < m:
            kept = [common] * len(rows)
        else:
            kept = [common if counts[one] < m and len(counts) <= 4 else one for one in rows]
        assert (left.counts[0], left.sums[0]) == (len(kept), sum(kept))
        error += int(left.sums[0]) - sum(rows)
    within = bias("sum", len(clients), m, (-7.0, 20.0), flag=False)
    assert within.low <= error <= within.high


@pytest.mark.parametrize(
    ("kind", "bounds", "expected"),
    [
        ("count", (0, 9), (-40, 0)),
        ("weight", (0, 9), (-240, 240)),
        ("sum", (-2, 9), (-7920, 7920)),
        ("sum", (1, 9), (-6480, 6480)),
    ],
)
def test_the_bias_as_said(kind: str, bounds: tuple[float, float], expected: tuple[float, float]) -> None:
    found = bias(kind, 10, 5, bounds, flag=False, largest_weight=2)
    assert (found.low, found.high) == expected


def _columns(rows: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One column of values, all there, and the weights."""
    values = np.array([[value] for value, _ in rows], dtype=np.int64).reshape(-1, 1)
    return values, np.ones(values.shape, dtype=bool), np.array([weight for _, weight in rows], dtype=np.int64)
