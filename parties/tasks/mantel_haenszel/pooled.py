"""The pooled odds ratio over strata and its tests, from the strata's 2 x 2 tables in the clear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """A Mantel-Haenszel estimate; numbers that the tables do not determine are None."""

    odds_ratio: float | None
    log_se: float | None
    low: float | None
    high: float | None
    chi_square: float | None  # Mantel and Haenszel's, without continuity correction, 1 degree of freedom
    p: float | None
    breslow_day: float | None
    breslow_day_df: int
    breslow_day_p: float | None


def pooled_odds_ratio(tables: NDArray[np.int64], confidence: float = 0.95) -> Pooled:
    """From counts (K, 2, 2): [stratum, exposed or not, event or not].

    R_k = a d / n, S_k = b c / n; the odds ratio is R / S (Mantel and Haenszel 1959). With P_k = (a + d) / n and
    Q_k = (b + c) / n, the variance of its logarithm is sum PR / 2R^2 + sum (PS + QR) / 2RS + sum QS / 2S^2 (Robins,
    Breslow and Greenland 1986). Homogeneity by Breslow and Day 1980: sum (a - E)^2 / V, E the count that has this odds
    ratio under the stratum's margins, 1 / V = 1 / E + 1 / (n1 - E) + 1 / (m1 - E) + 1 / (n - n1 - m1 + E).
    """
    from scipy.stats import chi2

    t = tables.astype(float)
    t = t[t.sum((1, 2)) > 1]
    a, b, c, d = t[:, 0, 0], t[:, 0, 1], t[:, 1, 0], t[:, 1, 1]
    n, n1, m1 = t.sum((1, 2)), a + b, a + c
    r, s, p, q = a * d / n, b * c / n, (a + d) / n, (b + c) / n
    big_r, big_s = r.sum(), s.sum()
    variance = (n1 * (n - n1) * m1 * (n - m1) / (n**2 * (n - 1))).sum()
    chi = float((a - n1 * m1 / n).sum() ** 2 / variance) if variance > 0 else None
    p_value = None if chi is None else float(chi2.sf(chi, 1))
    if not (big_r > 0 and big_s > 0):
        return Pooled(None, None, None, None, chi, p_value, None, 0, None)
    ratio = big_r / big_s
    log_variance = (p * r).sum() / (2 * big_r**2) + (p * s + q * r).sum() / (2 * big_r * big_s)
    se = math.sqrt(log_variance + (q * s).sum() / (2 * big_s**2))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    low, high = (math.exp(math.log(ratio) + sign * z * se) for sign in (-1, 1))
    k = (n1 > 0) & (n1 < n) & (m1 > 0) & (m1 < n)  # the strata that contribute to it
    a, n, n1, m1 = a[k], n[k], n1[k], m1[k]
    e = _with_odds(ratio, n, n1, m1)
    distance = float(((a - e) ** 2 * (1 / e + 1 / (n1 - e) + 1 / (m1 - e) + 1 / (n - n1 - m1 + e))).sum())
    df = len(n) - 1
    bd_p = float(chi2.sf(distance, df)) if df > 0 else None
    return Pooled(ratio, se, low, high, chi, p_value, distance if df > 0 else None, max(df, 0), bd_p)


def _with_odds(ratio: float, n: Counts, n1: Counts, m1: Counts) -> Counts:
    """E with E (n - n1 - m1 + E) = ratio (n1 - E) (m1 - E), between 0 and the margins."""
    u, v, w = 1 - ratio, (n - n1 - m1) + ratio * (n1 + m1), -ratio * n1 * m1
    # The root 2w / (-v - sqrt(v^2 - 4uw)), which holds for u = 0, too.
    return np.asarray(2 * w / (-v - np.sqrt(v * v - 4 * u * w)))
