"""Rates of right and wrong guesses, with intervals: what an attack's scores are worth."""

from __future__ import annotations

import math

import numpy as np

from mpc.ring.array import Array


def clopper_pearson(count: int, of: int, wrong: float = 0.05) -> tuple[float, float]:
    """The exact two-sided interval of a chance of which `count` of so many trials came out. Clopper, Pearson 1934.

    Args:
        wrong: with what chance, at the most, the interval does not hold; half of it at each end.
    """
    from scipy.special import betaincinv

    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, wrong / 2))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 1 - wrong / 2))
    return low, high


def auc(members: Array, others: Array) -> float:
    """The chance that a member's score is above a non-member's; ties count half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, members, "left").sum(dtype=np.float64)
    not_above = np.searchsorted(ordered, members, "right").sum(dtype=np.float64)
    return float((below + not_above) / (2.0 * members.size * others.size))


def auc_interval(members: Array, others: Array) -> tuple[float, float]:
    """The 95 % interval of the AUC of independent scores. DeLong, DeLong, Clarke-Pearson 1988."""
    found = auc(members, others)
    above = _placements(members, others)
    below = 1.0 - _placements(others, members)
    spread = _mean_variance(above) + _mean_variance(below)
    reach = 1.96 * math.sqrt(spread)
    return max(0.0, found - reach), min(1.0, found + reach)


def threshold(others: Array, rate: float) -> float:
    """The least threshold that at most this part of the non-members' scores exceeds."""
    ordered = np.sort(others)[::-1]
    return float(ordered[min(math.floor(rate * ordered.size), ordered.size - 1)])


def _placements(scores: Array, others: Array) -> Array:
    ordered = np.sort(others)
    both = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    return both / (2.0 * others.size)


def _mean_variance(values: Array) -> float:
    return float(values.var(ddof=1) / values.size) if values.size > 1 else 0.25
