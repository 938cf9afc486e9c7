"""Survival curves and a log-rank test from a noisy table of events: public arithmetic, no protocol.

Of an arm, d_j patients had the event and c_j were censored in the stretch of time that ends at the grid's point t_j;
patients beyond the last point are in cells of their own. A patient is in one cell, so the table of all arms is one
release, and each cell has noise of one deviation. Patients at risk are sums of cells. Times lie anywhere in their
stretch, and half of those who are censored in it count as at risk (actuarial; Cutler and Ederer, J. Chronic Dis. 8,
1958):

    n_j = sum_(i >= j) (d_i + c_i) + beyond - c_j / 2,   H(t_j) = -sum_(i <= j) log(1 - d_i / n_i),   S = exp(-H)

**An interval accounts for sampling and for noise.** The noise in H is a sum over the cells, each times the derivative
of H; its variance is N. Sampling has Greenwood's variance V = sum d_i / (n_i (n_i - d_i)), which is proportional to H
where few have had the event: with m = H / V the interval holds all h with

    (H - h)^2 <= z^2 (N + h / m),   z = 1.96

as Wilson's of a share does. So it is one where hardly anybody had the event, too, and noise makes H less than 0.

A curve ends where fewer patients are left at risk than `_ENOUGH` deviations of the noise in their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.privacy.estimates import margin

Values = NDArray[np.float64]
Bits = NDArray[np.bool_]

_ENOUGH: Final = 5.0
_FEWEST: Final = 5.0
_TINY: Final = 1e-12


def at_risk_deviations(times: int, deviation: float) -> Values:
    """The deviation of the noise in the number of patients at risk at each time (T,)."""
    return np.asarray(deviation * np.sqrt(2.0 * np.arange(times + 1, 1, -1) - 0.75))


def least_at_risk(times: int, deviation: float) -> Values:
    """How many have to be at risk beside those with the event for a curve to be told at each time (T,)."""
    return np.asarray(np.maximum(_ENOUGH * at_risk_deviations(times, deviation), _FEWEST))


@dataclass(frozen=True)
class NoisyArm:
    """A noisy table without and with the event at each time, and beyond the last (..., T + 1, 2)."""

    table: Values
    deviation: float

    @property
    def events(self) -> Values:
        """d (..., T)."""
        return np.asarray(self.table[..., :-1, 1])

    @property
    def at_risk(self) -> Values:
        """n (..., T)."""
        waited = self.table.sum(axis=-1)[..., ::-1].cumsum(axis=-1)[..., ::-1]
        return np.asarray(waited[..., :-1] - self.table[..., :-1, 0] / 2)

    @property
    def disclosed(self) -> Bits:
        """At which times a curve is disclosed (..., T): before the first at which too few patients are at risk."""
        least = least_at_risk(self.table.shape[-2] - 1, self.deviation)
        enough = self.at_risk - np.maximum(self.events, 0.0) >= least
        return np.asarray(np.logical_and.accumulate(enough, axis=-1))


@dataclass(frozen=True)
class NoisyCurve:
    """S at each time with its interval (..., T); NaN where it is not disclosed."""

    survival: Values
    low: Values
    high: Values


def noisy_curve(arm: NoisyArm) -> NoisyCurve:
    """The curve of an arm, which falls (isotonic regression of H, each time by its inverse variance)."""
    told = arm.disclosed
    d, n = np.where(told, arm.events, 0.0), np.where(told, arm.at_risk, 1.0)
    hazard = -np.log1p(-d / n).cumsum(axis=-1)
    noise = _noise(arm, d, n, told)
    greenwood = (d / (n * (n - d))).cumsum(axis=-1)
    fewest = np.minimum.accumulate(np.where(told, n - d, np.inf), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        m = np.where((hazard > 0) & (greenwood > 0), hazard / greenwood, 0.0)
    m = np.clip(m, fewest, n[..., :1])
    z = margin(1.0)
    reach = z * np.sqrt(np.maximum(noise + hazard / m + z**2 / (4 * m**2), 0.0))
    middle = hazard + z**2 / (2 * m)
    rising = _rising(hazard, 1.0 / (noise + np.maximum(greenwood, 0.0) + _TINY), told)
    ends = (rising, np.maximum(middle + reach, rising), np.minimum(middle - reach, rising))
    return NoisyCurve(*(np.where(told, np.exp(-np.maximum(h, 0.0)), np.nan) for h in ends))


def median(curve: NoisyCurve) -> tuple[int | None, int | None, int | None]:
    """The first time's place at which S is at most a half, of a curve (T,), with the ends of its interval.

    None: S is above a half as long as the curve is told. Each end is beyond the median in 2.5 of 100 runs at most, as
    at the median S <= 1/2, and at the time before S > 1/2.
    """
    told = int(np.count_nonzero(~np.isnan(curve.survival)))
    survival, low, high = (of[:told] for of in (curve.survival, curve.low, curve.high))
    first = [int(np.argmax(of <= 0.5)) if (of <= 0.5).any() else None for of in (survival, low)]
    over = np.flatnonzero(high > 0.5)
    last = int(over[-1]) + 1 if over.size else 0
    return first[0], first[1], last if last < told else None


def _rising(hazard: Values, weights: Values, told: Bits) -> Values:
    """Isotonic regression of H (..., T), at the times at which it is disclosed."""
    from scipy.optimize import isotonic_regression

    found = np.zeros_like(hazard)
    for place in np.ndindex(hazard.shape[:-1]):
        some = int(told[place].sum())
        if some:
            found[place][:some] = isotonic_regression(hazard[place][:some], weights=weights[place][:some]).x
    return found


def _noise(arm: NoisyArm, d: Values, n: Values, told: Bits) -> Values:
    """N at each time (..., T)."""
    of_at_risk = np.where(told, d / (n * (n - d)), 0.0)  # minus the derivative of H by the patients at risk
    sums = of_at_risk.cumsum(axis=-1)
    of_event, of_censored = (np.where(told, 1 / (n - d), 0.0) - sums) ** 2, (of_at_risk / 2 - sums) ** 2
    later = 2.0 * np.arange(arm.table.shape[-2] - 1, 0, -1)
    return np.asarray(arm.deviation**2 * ((of_event + of_censored).cumsum(axis=-1) + later * sums**2))


def noisy_log_rank(arms: NoisyArm) -> tuple[Values, int]:
    """Do the curves of the arms (..., arms, T + 1, 2) differ? Chi-square, and its degrees of freedom; NaN where no time
    is told of all arms.

    u_g = sum_j (d_gj - d_j n_gj / n_j) over the times that are told of all, with the covariance V + N: V that of
    sampling (Mantel, Cancer Chemother. Rep. 50, 1966), N that of the noise, in which u is linear where it is small
    beside the patients at risk. So noise costs power, and raises no false alarms.
    """
    told = np.logical_and.accumulate(arms.disclosed.all(axis=-2), axis=-1)[..., None, :]
    d, n = np.where(told, arms.events, 0.0), np.where(told, arms.at_risk, 1.0)
    all_d, all_n = d.sum(axis=-2, keepdims=True), n.sum(axis=-2, keepdims=True)
    part = n / all_n
    u = (d - all_d * part).sum(axis=-1)
    groups = u.shape[-1]
    # of each arm g and each arm h (..., g, h, T)
    other = np.eye(groups)[:, :, None] - part[..., :, None, :]
    weight = all_d * (all_n - all_d) / np.maximum(all_n - 1, 1)
    v = (weight[..., None, :] * part[..., None, :, :] * other).sum(axis=-1)
    by_at_risk = all_d[..., None, :] / all_n[..., None, :] * other
    sums = by_at_risk.cumsum(axis=-1)
    by_event, by_censored = np.where(told[..., None, :], other, 0.0) - sums, by_at_risk / 2 - sums
    beyond = 2**0.5 * sums[..., -1:]
    slopes = np.concatenate((by_event, by_censored, beyond), axis=-1)
    slopes = slopes.reshape(*slopes.shape[:-2], -1)
    v = v + arms.deviation**2 * slopes @ np.swapaxes(slopes, -1, -2)
    x = np.einsum("...g,...gh,...h->...", u, np.linalg.pinv(v, rcond=_TINY, hermitian=True), u)
    return np.asarray(np.where(told[..., 0, 0], x, np.nan)), groups - 1
