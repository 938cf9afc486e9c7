"""The AUC's interval beside the formula written out another way, and beside what samples show."""

from __future__ import annotations

import numpy as np
import pytest

from protocols.evaluation.auc_interval import auc_interval


def hanley_mcneil(auc: float, n1: int, n0: int) -> float:
    """The standard error as Hanley and McNeil (1982) print it, in one line."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return float(np.sqrt((auc * (1 - auc) + (n1 - 1) * (q1 - auc**2) + (n0 - 1) * (q2 - auc**2)) / (n1 * n0)))


@pytest.mark.parametrize(("auc", "n1", "n0"), [(0.893, 51, 58), (0.5, 10, 10), (0.99, 212, 357), (0.2, 3, 40)])
def test_it_is_hanley_and_mcneils(auc: float, n1: int, n0: int) -> None:
    found = auc_interval(auc, n1, n0)
    se = hanley_mcneil(auc, n1, n0)
    assert found["auc_se"] == pytest.approx(se, rel=1e-12)
    assert found["auc_low"] == pytest.approx(max(0.0, auc - 1.959964 * se), abs=1e-6)
    assert found["auc_high"] == pytest.approx(min(1.0, auc + 1.959964 * se), abs=1e-6)


def test_their_own_example() -> None:
    """Table I of their paper: 58 normal and 51 abnormal images, area 0.893, standard error 0.032."""
    assert auc_interval(0.893, 51, 58)["auc_se"] == pytest.approx(0.032, abs=6e-4)


@pytest.mark.parametrize("auc", [None, 0.0, 1.0])
def test_there_is_none_where_it_would_say_nothing(auc: float | None) -> None:
    assert set(auc_interval(auc, 5, 5).values()) == {None}
