"""Laws of noise in floating point, and what a mechanism's law gives away: by sums over all that it can open."""

from __future__ import annotations

from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy import signal, stats

from protocols.privacy.discrete_gaussian import law

_LONG = 2000
Law = NDArray[np.float64]
"""The chances of -reach, ..., reach."""


def reach_of(variance: float) -> int:
    """Twelve standard deviations: what is beyond has a chance of 1e-32."""
    return int(12 * variance**0.5) + 2


def sum_law(*variances: float) -> Law:
    """The law of a sum of independent discrete Gaussians, by convolution; to 1e-20 where it is long."""
    found = np.ones(1)
    for variance in variances:
        other = law(variance, reach_of(variance))
        long = min(len(found), len(other)) > _LONG
        found = np.maximum(signal.fftconvolve(found, other), 0.0) if long else np.convolve(found, other)
    return found


def delta_of(noise: Law, shift: int, epsilon: float) -> float:
    """The exact delta of noise on a whole number that a patient changes by `shift`, in whichever direction."""
    padded = np.concatenate([noise, np.zeros(shift)]), np.concatenate([np.zeros(shift), noise])
    return max(float(np.maximum(p - exp(epsilon) * q, 0.0).sum()) for p, q in (padded, padded[::-1]))


def misfit(samples: NDArray[np.int64], noise: Law, bins: int = 60) -> float:
    """The p-value of a chi-square test that samples are of a law, in bins of about equal chance."""
    reach = len(noise) // 2
    ends = np.unique(np.searchsorted(noise.cumsum(), np.arange(1, bins) / bins))
    places = np.searchsorted(ends, np.clip(samples + reach, 0, len(noise) - 1), side="left")
    expected = np.diff(np.concatenate([[0.0], noise.cumsum()[ends], [1.0]])) * len(samples)
    found = np.bincount(places, minlength=len(expected))
    keep = expected > 5
    expected, found = np.append(expected[keep], expected[~keep].sum()), np.append(found[keep], found[~keep].sum())
    expected, found = expected[expected > 0], found[: np.count_nonzero(expected > 0)]
    return float(stats.chisquare(found, expected * found.sum() / expected.sum()).pvalue)
