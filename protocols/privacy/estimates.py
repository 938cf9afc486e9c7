"""Estimates from noisy counts and sums, with intervals that account for the noise: public arithmetic, no protocol.

An interval is for what all owners' clipped rows have, not for a population that they are drawn from: it holds it in at
least 95 of 100 runs. Noise is normal to many digits, of known standard deviation; sums are also rounded, by a known
bound. What follows from noisy numbers costs no privacy (post-processing).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, hypot, sqrt
from typing import Final

_Z: Final = 1.959963984540054  # of the normal law, on both sides of 0.95 of it
_Z_OF_THREE: Final = 2.3939797998185104  # likewise of 1 - 0.05 / 3: three numbers lie in theirs together (Bonferroni)

_MANY: Final = 20.0
_WIDER: Final = 1.03


@dataclass(frozen=True)
class Estimate:
    """A number and its interval; None where the noise leaves too little to say."""

    value: float | None
    low: float | None
    high: float | None


NOTHING: Final = Estimate(None, None, None)


@dataclass(frozen=True)
class NoisySums:
    """Noisy sums over the rows of a cell, in patients.

    Args:
        count: of rows.
        first: of u, in [-1, 1] each; u = (x - centre) / half.
        second: of 2 u^2 - 1, in [-1, 1] each; None where it was not asked for.
        deviation: the standard deviation of the noise in each of them.
        rounding: by which each sum may be off beside the noise.
    """

    count: float
    first: float
    second: float | None
    deviation: float
    rounding: float


def margin(deviation: float) -> float:
    """By how much a noisy number is off at most, in 95 of 100 cases."""
    return _Z * deviation


def count_of(noisy: float, deviation: float) -> Estimate:
    """A whole number of rows: it may be below 0, for cutting it off would make sums of cells too large."""
    reach = margin(deviation)
    return Estimate(round(noisy), max(0, ceil(noisy - reach)), max(0, floor(noisy + reach)))


def sum_of(of: NoisySums, centre: float, half: float) -> Estimate:
    """The sum of x: centre * count + half * first."""
    value = centre * of.count + half * of.first
    reach = margin(of.deviation) * hypot(centre, half) + half * of.rounding
    return Estimate(value, value - reach, value + reach)


def mean_of(of: NoisySums, centre: float, half: float) -> Estimate:
    """The mean of x: centre + half * first / count. Its interval is Fieller's (1954): all m in [-1, 1] for which
    |first - m count| is no larger than its noise, z sqrt(1 + m^2) deviations, and the rounding."""
    k = (margin(of.deviation) + of.rounding) ** 2
    a = of.count**2 - k
    if of.count <= 0 or a <= 0:
        return NOTHING
    middle, spread = of.first * of.count / a, sqrt(k * max(0.0, of.count**2 + of.first**2 - k)) / a
    value, low, high = (
        centre + half * min(1.0, max(-1.0, m)) for m in (of.first / of.count, middle - spread, middle + spread)
    )
    return Estimate(value, min(value, low), max(value, high))


def variance_of(of: NoisySums, half: float) -> Estimate:
    """The variance of x over count - 1: half^2 v, v = ((second + count) / 2 - first^2 / count) / (count - 1).

    Its interval is that of the delta method, a little wider, where there are `_MANY` times as many rows as the noise
    has deviations: v is nearly linear then. Else it has all values that the three numbers can give while each is in an
    interval of 1 - 0.05 / 3: that one is wide, and holds more often than it says.
    """
    if of.second is None or of.count - _Z_OF_THREE * of.deviation <= 2:
        return NOTHING
    mean, below = of.first / of.count, of.count - 1
    value = ((of.second + of.count) / 2 - of.first * mean) / below
    if of.count >= _MANY * of.deviation:
        value += of.deviation**2 / (of.count * below)  # the noise's square in first^2, on average
        slope = sqrt(0.25 + 4 * mean**2 + (0.5 + mean**2 - value) ** 2) / below
        reach = _WIDER * (margin(of.deviation) + of.rounding) * slope
        low, high = value - reach, value + reach
    else:
        low, high = _all_variances(of)
    most = (of.count - _Z_OF_THREE * of.deviation) / (of.count - _Z_OF_THREE * of.deviation - 1)
    value, low, high = (half**2 * min(most, max(0.0, one)) for one in (value, low, high))
    return Estimate(value, min(value, low), max(value, high))


def _all_variances(of: NoisySums) -> tuple[float, float]:
    """The least and the largest v, and beyond, of sums that are each within its reach."""
    assert of.second is not None
    reach = _Z_OF_THREE * of.deviation
    fewest, most, sums = of.count - reach, of.count + reach, reach + of.rounding
    nearest, farthest = max(0.0, abs(of.first) - sums), abs(of.first) + sums
    low = (of.second - sums + fewest) / 2 - farthest**2 / fewest
    high = (of.second + sums + most) / 2 - nearest**2 / most
    return low / (most - 1), high / (fewest - 1)


def root_of(variance: Estimate) -> Estimate:
    """The standard deviation."""
    value, low, high = (None if one is None else sqrt(one) for one in (variance.value, variance.low, variance.high))
    return Estimate(value, low, high)
