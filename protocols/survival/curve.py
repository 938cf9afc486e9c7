"""Survival curves and the log-rank test from counts that all owners know: in the clear, no protocol.

The counts of an arm are exact, or with `min_cell` those that may be disclosed: events by stretches of times
(forward_merge.py), and censored patients deferred to later times (deferred.py). From these, a curve estimates the curve
of the exact counts, with a bound on its error. At the end of each stretch all events up to there are known, and the
error comes from the censored patients alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protocols.rows.results import Statistic

Counts = NDArray[np.int64]
Values = NDArray[np.float64]
Bits = NDArray[np.bool_]
Estimator = Literal["kaplan-meier", "actuarial"]

_NOTHING = 1e-12  # what rounding leaves of a variance that is zero, beside the largest


@dataclass(frozen=True)
class Arm:
    """What is known of an arm.

    Args:
        counts: without and with the event at each time, and those still at risk after the last one (T + 1, 2).
        ends: at which times (T,) a stretch ends: a stretch's events stand there.
        uncounted: the most who may have been censored by each time (T,) and are counted later.
        guess: the guess of that number.
        estimator: "actuarial" where times lie between the grid's points.
    """

    counts: Counts
    ends: Bits
    uncounted: Counts
    guess: float
    estimator: Estimator

    @property
    def rows(self) -> int:
        """The patients at risk at the beginning."""
        return int(self.counts.sum())

    @property
    def exact(self) -> bool:
        """Whether all counts are exact."""
        return not self.uncounted.any() and bool(self.ends.all())

    @property
    def lasts(self) -> Counts:
        """The last time of each stretch, as its place."""
        return np.flatnonzero(self.ends)

    @property
    def firsts(self) -> Counts:
        """The first time of each stretch, as its place."""
        return np.asarray(np.concatenate(([0], self.lasts[:-1] + 1)))

    @property
    def events(self) -> Counts:
        """The events of each stretch."""
        return np.asarray(self.counts[self.lasts, 1])

    def at_each_time(self, values: Counts | Values) -> Values:
        """A value of each stretch at all of its times (T,)."""
        return np.repeat(values.astype(np.float64), np.diff(self.lasts, prepend=-1))

    @property
    def lost_before(self) -> Values:
        """At each time: how many patients are counted as censored before it; of those censored at it none, or half
        (actuarial)."""
        by = np.concatenate(([0], self.counts[:-1, 0].cumsum()))
        return np.asarray((by[:-1] + by[1:]) / 2 if self.estimator == "actuarial" else by[:-1], dtype=np.float64)

    @property
    def _missed(self) -> Counts:
        """At each time: how many patients may have been censored before it and are counted later."""
        return np.asarray(np.concatenate(([0], self.uncounted[:-1])))

    def fewest(self, before: Counts | Values) -> Values:
        """The least number of patients at risk at each time, where so many had the event before."""
        missed = np.maximum(self._missed, self.uncounted) if self.estimator == "actuarial" else self._missed
        return self.held(self.rows - before - self.lost_before - missed, before)

    def most(self, before: Counts | Values) -> Values:
        """The largest number likewise."""
        return self.held(self.rows - before - self.lost_before, before)

    def held(self, at_risk: Values, before: Counts | Values) -> Values:
        """Those at risk at each time, but not fewer than will have the event."""
        return np.asarray(np.maximum(at_risk, self.counts[:-1, 1].sum() - before))


@dataclass(frozen=True)
class Curve:
    """A curve at each time: patients at risk, events, S(t), its standard error, and a bound on the error of S.

    A stretch's events are disclosed together: `events` has an equal part at each time, and S holds at its end.
    """

    at_risk: Values
    events: Values
    survival: Values
    se: Values
    error: Values


def curve(arm: Arm) -> Curve:
    """The curve of an arm.

    S(t) = prod_{t_j <= t} (1 - d_j / n_j),  Var S(t) = S(t)^2 sum d_j / (n_j (n_j - d_j))  (Greenwood)

    Kaplan and Meier, JASA 53 (1958): a patient censored at t_j was at risk at t_j. Actuarial (Cutler and Ederer,
    J. Chronic Dis. 8, 1958), for times between the points: half of those censored since the point before were.

    A stretch's events are spread evenly over it, and the number of censored patients not yet counted is guessed. With d
    events in a stretch, n at risk at its beginning and nobody censored, the product is 1 - d / n wherever the events
    lie: so S at its end is between the products with the most and the fewest patients censored before.
    """
    events = arm.at_each_time(arm.events / (arm.lasts - arm.firsts + 1))
    before = np.concatenate(([0.0], events.cumsum()[:-1]))
    at_risk = np.maximum(arm.held(arm.most(before) - _guessed(arm), before), arm.fewest(before))
    survival, variance = _product(at_risk, events)
    low, high = (_ends_only(arm, most=most) for most in (False, True))
    survival = np.where(arm.ends, np.clip(survival, low, high), survival)
    with np.errstate(invalid="ignore"):  # 0 times infinity
        se = np.where(survival > 0, survival * np.sqrt(variance), np.nan)
    return Curve(at_risk, events, survival, se, np.maximum(high - survival, survival - low))


def median(found: Curve, ends: Bits, times: Values) -> tuple[tuple[float | None, float] | None, bool]:
    """The ends between which half of the patients had the event (None: the beginning); if there are none, whether that
    is open."""
    half = 0.5 + _NOTHING  # a half, as products of doubles give it
    reached = np.flatnonzero(ends & (found.survival + found.error <= half))
    if not reached.size:
        return None, bool((found.survival - found.error <= half)[ends].any())
    before = np.flatnonzero(ends & (found.survival - found.error > half))
    before = before[before < reached[0]]
    return ((float(times[before[-1]]) if before.size else None), float(times[reached[0]])), False


def log_rank(at_risk: Counts | Values, events: Counts | Values) -> Statistic | None:
    """Do the arms' curves (arms, T) differ? None if no event fell where patients of two arms were at risk.

    u_g = sum_j (d_gj - d_j n_gj / n_j),  V_gh = sum_j d_j (n_j - d_j) / (n_j - 1) (n_gj / n_j)(delta_gh - n_hj / n_j).
    Mantel, Cancer Chemother. Rep. 50 (1966); for times between the points the n are actuarial, as a curve's.
    """
    at_risk, events = at_risk.astype(np.float64), events.astype(np.float64)
    n, d = at_risk.sum(axis=0), events.sum(axis=0)
    used = (d > 0) & (n > 1)
    part = at_risk[:, used] / n[used]
    u = (events[:, used] - d[used] * part).sum(axis=1)
    weight = d[used] * (n[used] - d[used]) / (n[used] - 1)
    v = np.diag((weight * part).sum(axis=1)) - (weight * part) @ part.T
    found = quadratic(u, v, 0.0)
    return None if found is None else found[0]


def quadratic(u: Values, v: Values, unit: float) -> tuple[Statistic, Values] | None:
    """X^2 = u' V^+ u and V^+ u, for V known to within `unit`; None if V is 0.

    The degrees of freedom are V's rank: the number of arms less one, and less one for each arm in which nobody was at
    risk at any event.
    """
    values, vectors = np.linalg.eigh(v)
    some = values > max(_NOTHING * max(1.0, float(values.max(initial=0.0))), len(u) * unit)
    if not some.any():
        return None
    x = vectors[:, some] @ ((u @ vectors[:, some]) / values[some])
    return Statistic(float(u @ x), int(some.sum())), x


def _product(at_risk: Values, events: Values) -> tuple[Values, Values]:
    """S and Greenwood's sum at each time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(at_risk > 0, 1.0 - events / at_risk, 1.0)
        terms = np.where(events > 0, events / (at_risk * (at_risk - events)), 0.0)
        return np.asarray(np.cumprod(np.maximum(kept, 0.0))), np.asarray(np.cumsum(terms))


def _ends_only(arm: Arm, *, most: bool) -> Values:
    """S at each time, with a stretch's events all at the time at which the most or the fewest are at risk."""
    before = arm.at_each_time(arm.events.cumsum() - arm.events)  # at each time, those before its stretch
    at_risk = arm.most(before)[arm.firsts] if most else arm.fewest(before)[arm.lasts]
    products, _ = _product(at_risk, arm.events.astype(np.float64))
    return arm.at_each_time(products)


def _guessed(arm: Arm) -> Values:
    """The guessed number of censored patients who are not counted yet: from none at first to `guess`."""
    lost = np.flatnonzero(arm.counts[:-1, 0])
    first = lost[0] if lost.size else len(arm.ends)
    return np.asarray(np.minimum(np.arange(len(arm.ends)) / max(first, 1), 1.0) * arm.guess)
