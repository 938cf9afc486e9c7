"""Rates of right and wrong guesses, with intervals: what an attack's scores are worth."""

from __future__ import annotations

import math

import numpy as np

from mpc.ring.array import Array
from protocols.evaluation.auc_pairs import ranked_right


def clopper_pearson(count: int, of: int, wrong: float = 0.05) -> tuple[float, float]:
    """The exact two-sided interval of a chance of which `count` of so many trials came out. Clopper, Pearson 1934.

    Args:
        wrong: with what chance, at the most, the interval does not hold; half of it at each end.
    """
    from scipy.special import betaincinv

    low = 0.0 if count == 0 else float(betaincinv(count, of - count + 1, wrong / 2))
    high = 1.0 if count == of else float(betaincinv(count + 1, of - count, 1 - wrong / 2))
    return low, high


def wilson_interval(wins: float, trials: int) -> tuple[float, float, float]:
    """The share of trials that were won (half: 1/2), and its 95 % interval. Wilson 1927."""
    if not trials:
        return 0.0, 0.0, 1.0
    z = 1.959964
    share, scale = wins / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return share, min(share, middle - reach), max(share, middle + reach)


def auc(members: Array, others: Array) -> float:
    """The chance that a member's score is above a non-member's; ties count half."""
    return ranked_right(members, others) / (2 * members.size * others.size)


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
