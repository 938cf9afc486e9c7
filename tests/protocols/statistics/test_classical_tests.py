"""The log-rank test where arms are empty, alone, or never together; all else is beside pooled rows."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from statsmodels.duration.survfunc import survdiff

from protocols.survival.curve import log_rank


def counted(time: np.ndarray, status: np.ndarray, arm: np.ndarray, arms: int) -> tuple[np.ndarray, np.ndarray]:
    """At each time and arm, who was waited for and to whom it came: (arms, T) each."""
    times = np.unique(time)
    at_risk = np.array([[((arm == g) & (time >= t)).sum() for t in times] for g in range(arms)])
    events = np.array([[((arm == g) & (time == t) & (status == 1)).sum() for t in times] for g in range(arms)])
    return at_risk, events


@pytest.mark.parametrize("arms", [2, 3, 4])
def test_as_statsmodels_in_any_order_of_the_arms(arms: int) -> None:
    draw = np.random.default_rng(arms)
    time, status = draw.integers(1, 12, 90), draw.integers(0, 2, 90)
    arm = np.concatenate((np.arange(arms), draw.integers(0, arms, 90 - arms)))
    statistic, _ = survdiff(time, status, arm)
    for order in permutations(range(arms)):
        at_risk, events = (table[list(order)] for table in counted(time, status, arm, arms))
        found = log_rank(at_risk, events)
        assert found is not None and found.df == arms - 1
        assert found.value == pytest.approx(statistic, rel=1e-9)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_arm_that_can_show_nothing_has_no_part_in_it(order: tuple[int, ...]) -> None:
    """As in R's survival: `survdiff` counts the arms in which somebody was expected."""
    time, status = np.array([21, 12, 6, 21, 33, 12]), np.array([1, 0, 0, 1, 1, 0])
    arm = np.array([0, 0, 0, 1, 1, 2])
    at_risk, events = (table[list(order)] for table in counted(time, status, arm, 3))
    found = log_rank(at_risk, events)
    assert found is not None and found.df == 1 and found.value == pytest.approx(0.5)
    empty = np.zeros((1, at_risk.shape[1]), dtype=np.int64)
    assert log_rank(np.concatenate((at_risk, empty)), np.concatenate((events, empty))) == found


def test_arms_that_were_never_waited_for_together() -> None:
    """Two pairs, one after the other: each has its own degree of freedom, and their statistics add up."""
    first = (np.array([[4, 3, 2, 1], [4, 3, 1, 1]]), np.array([[1, 1, 1, 0], [0, 1, 0, 0]]))
    second = (np.array([[6, 5, 4, 4], [3, 2, 2, 0]]), np.array([[0, 1, 0, 2], [1, 0, 1, 0]]))
    one, two = log_rank(*first), log_rank(*second)
    assert one is not None and two is not None and one.df == two.df == 1
    nobody = np.zeros((2, 4), dtype=np.int64)
    both = [np.block([[a, nobody], [nobody, b]]) for a, b in zip(first, second, strict=True)]
    found = log_rank(both[0], both[1])
    assert found is not None and found.df == 2 and found.value == pytest.approx(one.value + two.value)


@pytest.mark.parametrize(
    ("at_risk", "events"),
    [
        ([[3, 2], [0, 0]], [[1, 1], [0, 0]]),  # one arm has nobody
        ([[3, 2], [2, 1]], [[0, 0], [0, 0]]),  # nothing came to anybody
        ([[2, 0], [0, 2]], [[1, 0], [0, 1]]),  # never together
        ([[1, 0], [1, 0]], [[1, 0], [1, 0]]),  # it came to all at once
    ],
)
def test_nothing_to_test(at_risk: list[list[int]], events: list[list[int]]) -> None:
    assert log_rank(np.array(at_risk), np.array(events)) is None
    assert log_rank(np.zeros((2, 0), dtype=np.int64), np.zeros((2, 0), dtype=np.int64)) is None
