"""Those who were lost, by lots: what they hide, over all lists there are, and by how many they are late."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.survival.deferred import MOST_DISCLOSED, deferred, disclosed_times, uncounted
from tests.examples import steady


def told_of(lost: tuple[int, ...], m: int) -> tuple[int, ...]:
    """What an owner tells of its lost at each time, and those who are still waited for at the end."""
    counts = np.zeros((len(lost), 2), dtype=np.int64)
    counts[:, 0] = lost
    return tuple(deferred(counts, m)[:, 0].tolist())


@pytest.mark.parametrize(("m", "times", "most"), [(3, 1, 12), (3, 2, 8), (3, 3, 4), (4, 2, 9)])
def test_no_cell_is_given_back_by_lots(m: int, times: int, most: int) -> None:
    alike: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for lost in product(range(most + 1), repeat=times + 1):
        if sum(lost) <= most and (sum(lost) == 0 or sum(lost) >= m):
            told = told_of(lost, m)
            assert sum(told) == sum(lost) and all(one == 0 or one >= m for one in told)
            alike.setdefault(told, []).append(lost)
    for group in alike.values():
        for cells in zip(*group, strict=True):
            assert len(set(cells)) > 1 or not 0 < cells[0] < m, group


@steady(200)
@given(lost=st.lists(st.lists(st.integers(0, 7), min_size=6, max_size=6), min_size=1, max_size=4), m=st.integers(3, 6))
def test_lots_are_late_by_no_more_than_is_said(lost: list[list[int]], m: int) -> None:
    told = np.sum([told_of(tuple(one), m) for one in lost], axis=0)
    late = np.sum(lost, axis=0)[:-1].cumsum() - told[:-1].cumsum()
    assert (late >= 0).all()
    assert (late <= uncounted(np.stack((told, 0 * told), axis=1), len(lost), m)).all()


def test_events_stay_and_those_beyond_are_waited_for() -> None:
    counts = np.array([[[1, 2], [9, 0], [0, 3]], [[5, 1], [5, 1], [6, 0]]])
    np.testing.assert_array_equal(deferred(counts, 5)[..., 1], [[2, 0, 0], [1, 1, 0]])
    np.testing.assert_array_equal(deferred(counts, 5)[..., 0], [[0, 8, 5], [5, 5, 6]])  # 3 beyond: two are taken back


@pytest.mark.parametrize("points", [1, 2, MOST_DISCLOSED, MOST_DISCLOSED + 1, 1000])
def test_a_curve_is_told_at_no_more_times_than_that(points: int) -> None:
    found = disclosed_times(points)
    assert len(found) <= MOST_DISCLOSED and found[-1] == points - 1 and len(found) >= min(points, MOST_DISCLOSED // 2)
