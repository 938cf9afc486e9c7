"""Stretches of counts beside the rule as it is written down; what their ends give back, over all lists there are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from protocols.disclosure.forward_merge import WINDOW, stretches
from tests.examples import steady
from tests.helpers import lockstep, owner_names

Counts = NDArray[np.int64]


def in_clear(parts: Counts, m: int) -> NDArray[np.bool_]:
    """Where the stretches of lists end (lists, T), of counts (owners, lists, T)."""
    ends = np.zeros(parts.shape[1:], dtype=bool)
    ends[:, -1] = True
    for row, lists in zip(ends, np.moveaxis(parts.sum(axis=0) - parts, 1, 0), strict=True):
        up_to = lists.cumsum(axis=1)
        least, begin = np.where(up_to[:, -1] == 0, 0, m), np.zeros(len(parts), dtype=np.int64)
        for t in range(len(row) - 1):
            if (up_to[:, t] - begin >= least).all() and (up_to[:, -1] - up_to[:, t] >= least).all():
                row[t], begin = True, up_to[:, t]
    return ends


@steady(25)
@given(
    owners=st.integers(2, 4),
    lists=st.integers(1, 3),
    count=st.sampled_from([1, 2, 7, WINDOW, WINDOW + 1, 2 * WINDOW + 5]),
    m=st.integers(3, 6),
    mean=st.sampled_from([0.0, 0.2, 1.0, 6.0]),
    seed=st.integers(0, 1 << 30),
)
@example(owners=2, lists=1, count=2 * WINDOW + 5, m=6, mean=1.0, seed=3)  # one goes on from a window into the next
@example(owners=3, lists=2, count=2 * WINDOW + 5, m=6, mean=1.0, seed=5)
def test_stretches_end_where_the_rule_says(owners: int, lists: int, count: int, m: int, mean: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = rng.poisson(rng.choice([0.0, 0.3, 1.0], (owners, lists, 1)) * mean, (owners, lists, count))
    names = owner_names(owners)
    outcome = lockstep(
        {
            owner: lambda p, own=own: stretches(p, np.zeros(own.shape, np.int64) if p.dry else own, m)  # type: ignore[misc]
            for owner, own in zip(names, parts, strict=True)
        }
    )
    expected = in_clear(parts, m)
    for found in outcome.results.values():
        np.testing.assert_array_equal(found, expected)
    others = parts.sum(axis=0) - parts
    for k in range(lists):
        begins = np.concatenate(([0], np.flatnonzero(expected[k])[:-1] + 1))
        sums = np.add.reduceat(others[:, k], begins, axis=1)
        enough = others[:, k].sum(axis=1) >= m
        assert (sums[enough] >= m).all()  # of an owner's others who have enough in all, in every stretch
    log2, windows = int(np.ceil(np.log2(owners))), -(-count // WINDOW)
    assert len(outcome.plan.rounds) == 16 + count + log2 + (windows - 1) * (8 + log2)


@pytest.mark.parametrize(
    ("m", "count", "most"), [(3, 2, 12), (3, 3, 11), (4, 3, 12), pytest.param(3, 4, 9, marks=pytest.mark.soak)]
)
def test_no_cell_is_given_back_by_where_stretches_end(m: int, count: int, most: int) -> None:
    """Two owners: whatever one has, it cannot tell which of several the other's cell of 1 to m - 1 is.

    Of all lists of the other with a total that may be told, those that look alike are taken together.
    """
    lists = [one for one in product(range(most + 1), repeat=count) if sum(one) == 0 or m <= sum(one) <= most]
    for mine in product((0, 1, m), repeat=count):
        if 0 < sum(mine) < m:
            continue  # then nothing is told
        alike: dict[tuple[object, ...], list[tuple[int, ...]]] = {}
        for other in lists:
            ends = in_clear(np.array([[mine], [other]]), m)[0]
            begins = np.concatenate(([0], np.flatnonzero(ends)[:-1] + 1))
            sums = np.add.reduceat(np.array(other), begins)
            alike.setdefault((tuple(ends), tuple(sums)), []).append(other)
        for group in alike.values():
            for cells in zip(*group, strict=True):
                assert len(set(cells)) > 1 or not 0 < cells[0] < m, (mine, group)
