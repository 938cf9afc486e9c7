"""Survival curves and the log-rank test from counts that all owners know: in the clear, no protocol.

The counts of an arm may be all that there are, or what is told of them with `min_cell`: events by stretches of times,
as forward_merge.py cuts them, and the lost as deferred.py defers them. Then a curve is an estimate of what all
counts would give, with a bound on how far off it is; at the end of each stretch, where all events up to there are
known, it takes part of what is unknown only by who was lost.
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
        counts: without and with the event at each time, and those still waited for after the last one (T + 1, 2).
        ends: at which times (T,) a stretch ends: a stretch's events stand there.
        uncounted: how many may have been lost by each time (T,) and are counted later, at most.
        guess: as how many these are taken.
        estimator: "actuarial" where times lie between the grid's points.
    """

    counts: Counts
    ends: Bits
    uncounted: Counts
    guess: float
    estimator: Estimator

    @property
    def rows(self) -> int:
        """All who are waited for at the beginning."""
        return int(self.counts.sum())

    @property
    def exact(self) -> bool:
        """Whether nothing is unknown."""
        return not self.uncounted.any() and bool(self.ends.all())

    @property
    def lost_before(self) -> Values:
        """At each time: how many, as is told, were lost before it, of those lost at it none, or half (actuarial)."""
        by = np.concatenate(([0], self.counts[:-1, 0].cumsum()))
        return np.asarray((by[:-1] + by[1:]) / 2 if self.estimator == "actuarial" else by[:-1], dtype=np.float64)

    @property
    def _missed(self) -> Counts:
        """At each time: how many may have been lost before it and are counted later."""
        return np.asarray(np.concatenate(([0], self.uncounted[:-1])))

    def fewest(self, before: Counts | Values) -> Values:
        """Who counts as waited for at each time, at least, where so many had the event before."""
        missed = np.maximum(self._missed, self.uncounted) if self.estimator == "actuarial" else self._missed
        return self.held(self.rows - before - self.lost_before - missed, before)

    def most(self, before: Counts | Values) -> Values:
        """And at most."""
        return self.held(self.rows - before - self.lost_before, before)

    def held(self, at_risk: Values, before: Counts | Values) -> Values:
        """No fewer than those who will have the event."""
        return np.asarray(np.maximum(at_risk, self.counts[:-1, 1].sum() - before))


@dataclass(frozen=True)
class Curve:
    """A curve at each time: who is waited for, to whom it comes, S(t), its standard error, and how far off S may be.

    Of a stretch whose events are told together, `events` has an equal part at each time, and S holds at its end.
    """

    at_risk: Values
    events: Values
    survival: Values
    se: Values
    error: Values


def curve(arm: Arm) -> Curve:
    """The curve of an arm.

    S(t) = prod_{t_j <= t} (1 - d_j / n_j),  Var S(t) = S(t)^2 sum d_j / (n_j (n_j - d_j))  (Greenwood)

    Kaplan and Meier, JASA 53 (1958): who is lost at t_j was waited for at t_j. Actuarial (Cutler and Ederer, J. Chronic
    Dis. 8, 1958), for times that lie between the points: half of those lost since the point before were.

    A stretch's events are spread evenly over it, and those who are not counted as lost yet are guessed. Of d events in
    a stretch, n waited for at its beginning and nobody lost, the product is 1 - d / n however they lie: so S at its end
    is between the products with the most and the fewest who were lost before.
    """
    events = _spread(arm.counts[:-1, 1], arm.ends)
    before = np.concatenate(([0.0], events.cumsum()[:-1]))
    at_risk = np.maximum(arm.held(arm.most(before) - _guessed(arm), before), arm.fewest(before))
    survival, variance = _product(at_risk, events)
    low, high = (_ends_only(arm, most=most) for most in (False, True))
    survival = np.where(arm.ends, np.clip(survival, low, high), survival)
    with np.errstate(invalid="ignore"):  # 0 times infinity
        se = np.where(survival > 0, survival * np.sqrt(variance), np.nan)
    return Curve(at_risk, events, survival, se, np.maximum(high - survival, survival - low))


def median(found: Curve, ends: Bits, times: Values) -> tuple[tuple[float | None, float] | None, bool]:
    """After which end (None: the beginning) and by which half had the event; and, if by none, whether that is open."""
    half = 0.5 + _NOTHING  # a half, as products of doubles give it
    reached = np.flatnonzero(ends & (found.survival + found.error <= half))
    if not reached.size:
        return None, bool((found.survival - found.error <= half)[ends].any())
    before = np.flatnonzero(ends & (found.survival - found.error > half))
    before = before[before < reached[0]]
    return ((float(times[before[-1]]) if before.size else None), float(times[reached[0]])), False


def log_rank(at_risk: Counts | Values, events: Counts | Values) -> Statistic | None:
    """Do the arms' curves (arms, T) differ? None if never two were waited for, in two arms, when it came to one.

    u_g = sum_j (d_gj - d_j n_gj / n_j),  V_gh = sum_j d_j (n_j - d_j) / (n_j - 1) (n_gj / n_j)(delta_gh - n_hj / n_j).
    Mantel, Cancer Chemother. Rep. 50 (1966); of times that lie between the points the n are actuarial, as a curve's.
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
    """X^2 = u' V^+ u and V^+ u, for V known to within `unit`; None if V is nothing.

    As many degrees of freedom as V has ranks: one less than there are arms, and one less for each in which nobody was
    waited for when it came to anybody, who could show nothing.
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
    """S with a stretch's events where the most or the fewest are waited for, all at one time: at each time."""
    places = np.flatnonzero(arm.ends)
    begins = np.concatenate(([0], places[:-1] + 1))
    by = np.concatenate(([0], arm.counts[:-1, 1].cumsum()))
    before = np.repeat(by[begins], np.diff(places, prepend=-1))  # at each time, those before its stretch
    at_risk = arm.most(before)[begins] if most else arm.fewest(before)[places]
    products, _ = _product(at_risk, arm.counts[places, 1].astype(np.float64))
    return np.asarray(np.repeat(products, np.diff(places, prepend=-1)))


def _spread(counts: Counts, ends: Bits) -> Values:
    """Each stretch's count in equal parts over its times."""
    places = np.flatnonzero(ends)
    widths = np.diff(places, prepend=-1)
    return np.repeat(counts[places] / widths, widths)


def _guessed(arm: Arm) -> Values:
    """As how many those are taken who were lost and are not counted yet: from none at first to `guess`."""
    lost = np.flatnonzero(arm.counts[:-1, 0])
    first = lost[0] if lost.size else len(arm.ends)
    return np.asarray(np.minimum(np.arange(len(arm.ends)) / max(first, 1), 1.0) * arm.guess)
