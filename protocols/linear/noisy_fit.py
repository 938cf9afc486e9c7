"""A linear regression from noisy sums of products: coefficients, and intervals that account for the noise. No protocol.

With A, c and t the exact sums of c^2 u u^T, c^2 u y' and c^2 y'^2 (noisy_moments.py), k = d + 1 columns, and E, e
and f the noise in them (symmetric; of variance s^2 on a diagonal, s^2 / 2 elsewhere), what is known is A + E, c + e and
t + f. As A b* + (sum of c^2 u times residuals) = c for the true b*,

    b = (A + E)^-1 (c + e),      b - b* = (A + E)^-1 (sum of c^2 u times residuals + e - E b*)

is exact. The bracket has mean 0 and the covariance sigma^2 (sum of c^4 u u^T) + V, where

    V = (s^2 / 2) ((1 + |b*|^2) I + b* b*^T)                                 by the variances of E and e

and c^4 <= c^2. So the variance of b is taken as (A + E)^-1 (sigma^2 (A + E) + V) (A + E)^-1, b* replaced by b. That A
and b are known with noise only is second order where A^-1 E is small. Its mean square along any b is below

    h^2 = s^2 tr (A + E)^-2,       and there are intervals where 1 / h is at least `CLEAR`.

Where it is not, A + E is given a ridge that lifts its least eigenvalue to the spectral norm that such noise has,
s sqrt(2 k) (Wigner 1958; AdaSSP of Wang 2018), for the features alone: coefficients are then too near 0.

sigma^2 is the noisy residual sum t - 2 b c + b A b, without its noise's mean (b is fitted to the noise, too), plus one
deviation of its noise, s (1 + |b|^2), over sum of c^2 less k. So it is rather too large, and intervals too wide. They
are widened by 4 % and more where A is hardly clear of the noise, for what is second order, and for choosing by A + E
whether there are any. Tests measure the coverage, by simulation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.linear.noisy_moments import Scaling
from protocols.rows.results import QUANTILE

Floats = NDArray[np.float64]

CLEAR: Final = 3.0
_WIDER: Final = 1.04
_EDGE: Final = 1.5
_FEWEST: Final = 10.0  # degrees of freedom of an interval


@dataclass(frozen=True)
class Explained:
    """R2 of the weighted, clipped rows, and its interval for the noise."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class NoisyFit:
    """What every owner computes from what was opened, in the columns' own units, the intercept last.

    Args:
        errors: standard errors, of rows and noise together; None where the noise is too large for an interval.
        noise_errors: of the noise alone, likewise.
        low, high: the ends of intervals of 95 %.
        weight: how much all rows count, about: the noisy sum of c^2.
        residual_se: the residuals' standard deviation, rather too large; None where there are no intervals.
        ridge: what the scaled features' squares were raised by; 0 where there are intervals.
        clear: 1 / h, by how much the sums exceed their noise: `CLEAR` is enough.
    """

    features: tuple[str, ...]
    coefficients: tuple[float, ...]
    errors: tuple[float, ...] | None
    noise_errors: tuple[float, ...] | None
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None
    weight: float
    residual_se: float | None
    explained: Explained | None
    ridge: float
    clear: float


def fit_moments(moments: Floats, names: Sequence[str], scaling: Scaling, deviation: float) -> NoisyFit:
    """Least squares from the noisy sums (d + 2, d + 2) of `noisy_moments.moments_of`.

    Args:
        deviation: s, of the noise in a diagonal sum.
    """
    k = len(names) + 1
    a, c, t = moments[:k, :k], moments[:k, k], float(moments[k, k])
    to_own, own_target = _to_own_units(scaling)
    least, *_ = eigenvalues = np.linalg.eigvalsh(a)
    clear = float(1 / (deviation * np.sqrt((eigenvalues**-2).sum()))) if least > 0 else 0.0
    if clear < CLEAR or a[0, 0] < k + _FEWEST:
        b, ridge = _shrunken(a, c, deviation * sqrt(2.0 * k))
        own = to_own @ b + own_target
        return NoisyFit(tuple(names), _in_order(own), None, None, None, None, float(a[0, 0]), None, None, ridge, clear)
    inverse = np.linalg.inv(a)
    b = inverse @ c
    from_noise = inverse @ _noise_covariance(b, deviation) @ inverse
    left = t - float(b @ c) + float(np.trace(inverse @ _noise_covariance(b, deviation)))
    sigma2 = (max(0.0, left) + deviation * (1 + float(b @ b))) / (float(a[0, 0]) - k)
    own = to_own @ b + own_target
    errors = np.sqrt(np.diag(to_own @ (sigma2 * inverse + from_noise) @ to_own.T))
    reach = _WIDER * (1 + _EDGE * clear**-2) * _quantile(float(a[0, 0]) - k) * errors
    return NoisyFit(
        tuple(names),
        _in_order(own),
        _in_order(errors),
        _in_order(np.sqrt(np.diag(to_own @ from_noise @ to_own.T))),
        _in_order(own - reach),
        _in_order(own + reach),
        float(a[0, 0]),
        sqrt(sigma2) * scaling.target.half,
        _explained(moments, b, left, deviation),
        0.0,
        clear,
    )


def _noise_covariance(b: Floats, deviation: float) -> Floats:
    """V, the covariance of e - E b."""
    found: Floats = deviation**2 / 2 * ((1 + b @ b) * np.eye(len(b)) + np.outer(b, b))
    return found


def _shrunken(a: Floats, c: Floats, norm: float) -> tuple[Floats, float]:
    """The fit where noise is large: with a ridge on the features; without features where not even the rows are clear.

    The intercept is taken out first (a Schur complement), so that it is not shrunken.
    """
    rows, sums = max(float(a[0, 0]), norm), a[0, 1:]
    centred = a[1:, 1:] - np.outer(sums, sums) / rows
    d = len(sums)
    if not d:
        return np.array([c[0] / rows]), 0.0
    ridge = max(0.0, norm - float(np.linalg.eigvalsh(centred)[0]))
    slopes = np.linalg.solve(centred + ridge * np.eye(d), c[1:] - sums * c[0] / rows)
    return np.concatenate(([(c[0] - sums @ slopes) / rows], slopes)), ridge


def _explained(moments: Floats, b: Floats, left: float, deviation: float) -> Explained | None:
    """R2 and its interval for the noise; None where that would be from 0 to 1.

    Both sums of squares are of the form v^T M v of the noisy sums M, v = (-b, 1) and w = (-mean, 0, ..., 0, 1). Noise
    in such forms has the covariance s^2 (v . w)^2. The interval is Fieller's (1954): all parts x that are left of the
    spread for which |left - x total| is no larger than its noise.
    """
    v = np.append(-b, 1.0)
    w = np.zeros(len(v))
    w[0], w[-1] = -moments[0, -1] / moments[0, 0], 1.0
    total = float(w @ moments @ w)
    of_left, of_total, both = (float(one @ other) ** 2 for one, other in ((v, v), (w, w), (v, w)))
    reach = (_WIDER * QUANTILE * deviation) ** 2
    if total <= 0 or total**2 <= reach * of_total:
        return None
    square, middle = total**2 - reach * of_total, max(0.0, left) * total - reach * both
    root = sqrt(max(0.0, middle**2 - square * (left**2 - reach * of_left)))
    parts = max(0.0, left) / total, (middle + root) / square, (middle - root) / square
    value, low, high = (min(1.0, max(0.0, 1 - part)) for part in parts)
    return Explained(value, min(low, value), max(high, value))


def _to_own_units(scaling: Scaling) -> tuple[Floats, Floats]:
    """A matrix (k, k) from the coefficients of the scaled columns, the intercept first, to those of the columns' own
    units, and what is added to these (k,)."""
    (slope, constant), (centres, halves) = scaling.parts, scaling.ends
    k = len(constant) + 1
    matrix, added = np.eye(k), np.zeros(k)
    matrix[1:, 1:] = slope / halves[:, np.newaxis]
    matrix[0, 1:] = constant - centres @ matrix[1:, 1:]
    added[0] = scaling.target.centre
    return matrix * scaling.target.half, added


def _in_order(values: Floats) -> tuple[float, ...]:
    """The values with the intercept last instead of first."""
    return tuple(map(float, (*values[1:], values[0])))


def _quantile(df: float) -> float:
    """The quantile of Student's t with 95 % between it and its negative."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.975))
