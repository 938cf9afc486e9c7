"""t-tests and correlations from noisy sums, of the population that rows are drawn from: no protocol.

Sums over the rows of a cell: n rows, f = sum u, g = sum (2 u^2 - 1), each with noise of one deviation s; u is a value
on its agreed range, which is [-1, 1] here (job.py). Intervals and p account for sampling and for the noise, whose
variance is known. Sums are also rounded by at most `rounding`, which widens s.

**A difference of means** (Welch, Biometrika 34, 1947, with noise). Of a sample: m = f / n, v the variance of u, and

    variance of m:  q + r,   q = v / n by sampling,   r = s^2 (1 + m^2) / n^2 by noise in f - m n

T, the sum of both samples' q + r, is itself an estimate: v is that of few rows, and noisy. As Welch takes degrees of
freedom that give the estimate's variance, so here:

    df = 2 T^2 / sum (2 q^2 / (n - 1) + s^2 (1/4 + 4 m^2 + (1/2 + m^2 - 2 v)^2) / n^4)

**A correlation** r = S_uv / sqrt(S_uu S_vv) has, where it truly is h, about the variance (1 - h^2)^2 / (n - 1) by
sampling (of normal values), and by noise s^2 |a - h b|^2: a and b are the derivatives of S_uv / sqrt(S_uu S_vv), with
the root held fixed, and of the root's logarithm, by the six sums. The interval holds all h that r is not too far from;
p is that of h = 0.

**A table** O of N rows with shares p of its rows and q of its columns: are they independent? The residuals
u = O - N p q' have, if so, the covariance of sampling N A x B, A = diag(p) - p p', B = diag(q) - q q' (Pearson's), and
that of noise s^2 (P P') x (Q Q'), P = 1 - p 1', Q = 1 - q 1', as u changes by P dO Q'. With W such that W' P P' W = 1
and W' A W = diag(d), and V, e likewise of Q and B, chi-square is the sum of (W' u V)_ij^2 / (N d_i e_j + s^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_MANY: Final = 10.0  # rows, in deviations of the noise: the count is nearly exact beside it
_LARGE: Final = 6.0  # sums of squares about the mean, likewise
_ROUNDINGS: Final = 1.5  # deviations that cover a rounding of each sum by 1, at the ends of an interval
_FEWEST: Final = 4.0


@dataclass(frozen=True)
class Moments:
    """Noisy sums of a column over cells (...,): rows, sum of u, sum of 2 u^2 - 1."""

    count: Values
    first: Values
    second: Values

    @property
    def mean(self) -> Values:
        """m, which is in [-1, 1]."""
        return np.asarray(np.clip(self.first / self.count, -1.0, 1.0))

    def about_mean(self, deviation: float) -> Values:
        """The sum of squares about the mean; without what the noise's square adds to f^2 / n, on average."""
        m, n = self.mean, self.count
        return np.asarray((self.second + n) / 2 - self.first * m + deviation**2 * (1 + m**2) / n)


@dataclass(frozen=True)
class Difference:
    """The difference of two means, in units of u (...,); NaN where there are too few rows for the noise."""

    value: Values
    low: Values
    high: Values
    t: Values
    df: Values
    p: Values


@dataclass(frozen=True)
class Correlation:
    """Pearson's r, its interval and p (...,); NaN where there are too few rows for the noise."""

    r: Values
    low: Values
    high: Values
    p: Values


def noisy_welch(one: Moments, other: Moments, deviation: float, rounding: float) -> Difference:
    """The difference of the means of two samples, one less the other."""
    from scipy.special import stdtr, stdtrit

    s = deviation + _ROUNDINGS * rounding
    total = varies = np.zeros_like(one.count)
    for of in (one, other):
        n, m = of.count, of.mean
        v = np.maximum(of.about_mean(s), 0.0) / (n - 1)
        q = v / n
        total = total + q + s**2 * (1 + m**2) / n**2
        varies = varies + 2 * q**2 / (n - 1) + s**2 * (0.25 + 4 * m**2 + (0.5 + m**2 - 2 * v) ** 2) / n**4
    value, root = one.mean - other.mean, np.sqrt(total)
    df = 2 * total**2 / varies
    reach, t = stdtrit(df, 0.975) * root, value / root
    told = np.minimum(one.count, other.count) >= max(_MANY * s, _FEWEST)
    low, high = np.maximum(value - reach, -2.0), np.minimum(value + reach, 2.0)  # means are in [-1, 1]
    found = (value, low, high, t, df, 2 * stdtr(df, -np.abs(t)))
    return Difference(*(np.where(told, of, np.nan) for of in found))


def noisy_pearson(x: Moments, y: Moments, product: Values, deviation: float, rounding: float) -> Correlation:
    """The correlation of two columns over the same rows.

    Args:
        product: the noisy sum of u v.
    """
    from scipy.special import stdtr, stdtrit

    s, n = deviation + _ROUNDINGS * rounding, x.count
    mx, my, xx, yy = x.mean, y.mean, x.about_mean(s), y.about_mean(s)
    noise = [s * np.sqrt(0.25 + 4 * m**2 + (0.5 + m**2) ** 2) for m in (mx, my)]
    told = (n >= max(_MANY * s, _FEWEST)) & (xx >= _LARGE * noise[0]) & (yy >= _LARGE * noise[1])
    xx, yy = np.where(told, xx, 1.0), np.where(told, yy, 1.0)
    root = np.sqrt(xx * yy)
    r = (product - n * mx * my) / root
    # By the noise in n, f of u and of v, g of u and of v, and the sum of u v.
    a = np.stack((mx * my, -my, -mx, 0 * n, 0 * n, 1 + 0 * n)) / root
    b = np.stack(
        (
            (0.5 + mx**2) / xx + (0.5 + my**2) / yy,
            -2 * mx / xx,
            -2 * my / yy,
            0.5 / xx,
            0.5 / yy,
            0 * n,
        )
    )
    b = b / 2
    aa, ab, bb = ((i * j).sum(axis=0) for i, j in ((a, a), (a, b), (b, b)))

    def variance(h: Values) -> Values:
        return np.asarray((1 - h**2) ** 2 / (n - 1) + s**2 * (aa - 2 * h * ab + h**2 * bb))

    df = np.maximum(n - 2, 1.0)
    t = r / np.sqrt(variance(np.zeros_like(r)))
    z = stdtrit(df, 0.975)
    held = np.linspace(-1.0, 1.0, 2001).reshape(-1, *(1,) * r.ndim)
    near = (r - held) ** 2 <= z**2 * variance(held)
    estimate = np.clip(r, -1.0, 1.0)
    low = np.minimum(np.where(near, held, 1.0).min(axis=0), estimate)
    high = np.maximum(np.where(near, held, -1.0).max(axis=0), estimate)
    found = (estimate, low, high, 2 * stdtr(df, -np.abs(t)))
    return Correlation(*(np.where(told, of, np.nan) for of in found))


def noisy_chi_square(table: Values, deviation: float) -> tuple[float, int] | None:
    """Chi-square of independence of a noisy table (r, c), and its degrees of freedom; None where noise hides how many
    rows there are."""
    number = float(table.sum())
    if number < max(_MANY * deviation * table.size**0.5, _FEWEST):
        return None
    p, q = (_shares(table.sum(axis=axis) / number) for axis in (1, 0))
    u = table - np.outer(table.sum(axis=1), table.sum(axis=0)) / number
    (d, w), (e, v) = _directions(p), _directions(q)
    terms = (w.T @ u @ v) ** 2 / (number * np.outer(d, e) + deviation**2)
    return float(terms.sum()), terms.size


def _shares(noisy: Values) -> Values:
    """Shares that are none below 0."""
    some = np.maximum(noisy, 0.0)
    return np.asarray(some / some.sum())


def _directions(p: Values) -> tuple[Values, Values]:
    """d (r - 1,) and W (r, r - 1), whose columns add up to 0 as those of A and P do."""
    from scipy.linalg import eigh, helmert

    basis = helmert(len(p)).T
    slopes = basis.T @ (np.eye(len(p)) - p[:, None])
    d, w = eigh(basis.T @ (np.diag(p) - np.outer(p, p)) @ basis, slopes @ slopes.T)
    return np.maximum(d, 0.0), basis @ w
