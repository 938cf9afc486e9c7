"""Tests that follow from counts and sums that all owners know: in the clear, no protocol.

p-values are those of protocols/evaluation/p_values.py.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from protocols.rows.results import Statistic

Counts = NDArray[np.int64]
Values = NDArray[np.float64]


def chi_square(observed: Counts) -> Statistic | None:
    """Pearson's test of independence of a table (r, c), without Yates' correction; None if there is nothing to test.

    X^2 = sum (o - e)^2 / e,  e = row total x column total / total,  df = (r - 1)(c - 1) over rows and columns that are
    not empty.  Pearson, Phil. Mag. 50 (1900).
    """
    table = observed[observed.sum(axis=1) > 0][:, observed.sum(axis=0) > 0].astype(np.float64)
    if min(table.shape) < 2:
        return None
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return Statistic(float(((table - expected) ** 2 / expected).sum()), (table.shape[0] - 1) * (table.shape[1] - 1))


def welch(n: Counts, mean: Values, variance: Values) -> Statistic | None:
    """Welch's t-test of two samples (2,); None where one has fewer than two values, or both vary not at all.

    t = (m1 - m2) / sqrt(q1 + q2),  q = v / n,  df = (q1 + q2)^2 / (q1^2 / (n1 - 1) + q2^2 / (n2 - 1)).
    Welch, Biometrika 34 (1947).
    """
    if min(n) < 2:
        return None
    q = variance / n
    total = float(q.sum())
    if total <= 0.0:
        return None
    df = total**2 / float((q**2 / (n - 1)).sum())
    return Statistic(float(mean[0] - mean[1]) / math.sqrt(total), df)


def pearson(xx: float, yy: float, xy: float) -> float | None:
    """r = S_xy / sqrt(S_xx S_yy); None where a column does not vary."""
    if xx <= 0.0 or yy <= 0.0:
        return None
    return max(-1.0, min(1.0, xy / math.sqrt(xx) / math.sqrt(yy)))


def pearson_test(r: float, n: int) -> Statistic | None:
    """t = r sqrt((n - 2) / (1 - r^2)) with n - 2 degrees of freedom; None of fewer than three pairs."""
    if n < 3:
        return None
    rest = 1.0 - r * r
    return Statistic(math.copysign(math.inf, r) if rest <= 0.0 else r * math.sqrt((n - 2) / rest), n - 2)
