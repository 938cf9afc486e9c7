"""Tests and curves that follow from counts and sums that all owners know: in the clear, no protocol.

p-values are those of protocols/p_values.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Values = NDArray[np.float64]

_NOTHING = 1e-12  # what rounding leaves of a variance that is zero, beside the largest


@dataclass(frozen=True)
class Statistic:
    """A test's statistic and its degrees of freedom."""

    value: float
    df: float


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


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier curve at each point of time: who was waited for, to whom it came, S(t) and its standard error."""

    at_risk: Counts
    events: Counts
    survival: Values
    se: Values

    def median(self, times: Values) -> float | None:
        """The first point at which at most half are left; None if there is none."""
        reached = np.flatnonzero(self.survival <= 0.5 + 1e-12)  # a half, as products of doubles give it
        return float(times[reached[0]]) if reached.size else None


def kaplan_meier(counts: Counts) -> Curve:
    """The curve of counts (T + 1, 2): without and with the event, at each point of time and beyond the last.

    S(t) = prod_{t_j <= t} (1 - d_j / n_j),  Var S(t) = S(t)^2 sum d_j / (n_j (n_j - d_j))  (Greenwood). Who is lost
    at t_j was waited for at t_j. Kaplan and Meier, JASA 53 (1958).
    """
    leaving = counts.sum(axis=1)
    at_risk = np.cumsum(leaving[::-1])[::-1][:-1]
    events = counts[:-1, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(at_risk > 0, 1.0 - events / at_risk, 1.0)
        terms = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        survival = np.asarray(np.cumprod(kept), dtype=np.float64)
        se = np.asarray(survival * np.sqrt(np.cumsum(terms)), dtype=np.float64)
    se[survival <= 0] = np.nan
    return Curve(at_risk, events, survival, se)


def log_rank(at_risk: Counts, events: Counts) -> Statistic | None:
    """Do the arms' curves (arms, T) differ? None if never two were waited for, in two arms, when it came to one.

    u_g = sum_j (d_gj - d_j n_gj / n_j),  V_gh = sum_j d_j (n_j - d_j) / (n_j - 1) (n_gj / n_j)(delta_gh - n_hj / n_j),
    X^2 = u' V^+ u, with as many degrees of freedom as V has ranks: one less than there are arms, and one less for each
    in which nobody was waited for when it came to anybody, who could show nothing.
    Mantel, Cancer Chemother. Rep. 50 (1966).
    """
    at_risk, events = at_risk.astype(np.float64), events.astype(np.float64)
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    used = (d > 0) & (n > 1)
    part = at_risk[:, used] / n[used]
    u = (events[:, used] - d[used] * part).sum(axis=1)
    weight = d[used] * (n[used] - d[used]) / (n[used] - 1)
    v = np.diag((weight * part).sum(axis=1)) - (weight * part) @ part.T
    values, vectors = np.linalg.eigh(v)
    some = values > _NOTHING * max(1.0, float(values.max(initial=0.0)))
    if not some.any():
        return None
    return Statistic(float(((u @ vectors[:, some]) ** 2 / values[some]).sum()), int(some.sum()))
