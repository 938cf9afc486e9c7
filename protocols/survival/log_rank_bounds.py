"""The log-rank test of two arms from their disclosed counts, with a bound on its error: in the clear.

The number at risk in arm g at t is between two bounds (curve.py), and so is p_1(t) = n_1(t) / n(t). The d events of a
stretch lie anywhere in it: they add between d min p_1 and d max p_1 to E_1, and to V likewise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.rows.results import Statistic
from protocols.survival.curve import Arm, curve, log_rank

Values = NDArray[np.float64]
Range = tuple[Values, Values]


def log_rank_disclosed(arms: Sequence[Arm]) -> tuple[Statistic, float] | None:
    """The test of two arms' estimated curves, and the largest difference to the test of the exact counts.

    None if there is nothing to compare.
    """
    found = [curve(arm) for arm in arms]
    test = log_rank(np.array([one.at_risk for one in found]), np.array([one.events for one in found]))
    if test is None:
        return None
    (low_1, high_1), (low_2, high_2) = (_waited(arm) for arm in arms)
    part = _ratio(low_1, low_1 + high_2), _ratio(high_1, high_1 + low_2)
    together = sum(arm.at_each_time(arm.events) for arm in arms)
    fewest = low_1 + low_2
    ties = _ratio(np.maximum(fewest - together, 0.0), np.maximum(fewest - 1.0, 1.0))
    ends = part[0] * (1 - part[0]), part[1] * (1 - part[1])
    middle = (part[0] <= 0.5) & (part[1] >= 0.5)
    spread = np.minimum(*ends) * np.minimum(ties, 1.0), np.where(middle, 0.25, np.maximum(*ends))
    expected, variance = (
        tuple(sum(_over_stretches(arm, one[k], k) for arm in arms) for k in (0, 1)) for one in (part, spread)
    )
    observed = float(arms[0].counts[:-1, 1].sum())
    far = max(abs(observed - expected[0]), abs(observed - expected[1]))
    near = 0.0 if expected[0] <= observed <= expected[1] else min(abs(observed - one) for one in expected)
    high = far**2 / variance[0] if variance[0] > 0 else np.inf
    low = near**2 / variance[1] if variance[1] > 0 else 0.0
    return test, max(high - test.value, test.value - low)


def _waited(arm: Arm) -> Range:
    """The least and the largest number at risk at each time."""
    by = arm.events.cumsum()
    least, most = arm.at_each_time(by - arm.events), arm.at_each_time(by)
    most[arm.firsts] = by - arm.events
    return arm.fewest(most), arm.most(least)


def _over_stretches(arm: Arm, values: Values, most: int) -> float:
    """Each stretch's events times the least or the most of the values at its times, summed up."""
    extreme = (np.maximum if most else np.minimum).reduceat(values, arm.firsts)
    return float((arm.events * extreme).sum())


def _ratio(a: Values, b: Values) -> Values:
    return np.asarray(np.divide(a, b, out=np.zeros_like(a, dtype=np.float64), where=b > 0))
