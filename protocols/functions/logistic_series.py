"""The logistic function, its derivative and its integral of one shared value, all three from one opening.

The square wave that alternates between logistic steps up and down every half period P/2 has the sine series

    sum_j (-1)^j tanh((z - j P/2) / 2) / 2 = sum_k c_k sin(t_k z),   c_k = (4 pi / P) / sinh(pi t_k),
                                                                     t_k = 2 pi k / P, k odd

(the Fourier transform of the logistic density is pi t / sinh(pi t)). Term by term it gives, for |z| <= P/4,

    sigma(z)              ~ 1/2 + sum_k c_k sin(t_k z)
    sigma(z)(1-sigma(z))  ~ sum_k c_k t_k cos(t_k z)
    log(1 + e^z)          ~ z/2 + P/8 - sum_k (c_k / t_k) cos(t_k z)

but for the neighbouring steps, e^(-P/4), and for what is left out of the series: with P = 64 and 24 terms 1e-6 in all.
Rounding adds up to 4e-5 for one value; it is of either sign by chance, so that a mean over rows is nearer.
The shares of the waves are those of sigmoid.py, and so is the opening.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.functions.sigmoid import TRIG_SCALE, SineMask
from protocols.functions.trig import harmonic_weights
from protocols.functions.waves import wave_sums

PERIOD_BITS = 6
LARGEST = 16.0  # a quarter of the period
ANGLE_SCALE = 64 - PERIOD_BITS  # at which the period fills the ring
COEFFICIENT_SCALE = 18
SERIES_SCALE = TRIG_SCALE + COEFFICIENT_SCALE
# (4 pi / 64) / sinh(pi t_k) for k = 1, 3, ...: written out, for a library's sinh may differ in its last bit.
SINES = (
    0.6266374852707041,
    0.1847004218930588,
    0.0880374673314251,
    0.04594680960411985,
    0.024559677565164608,
    0.013216921733247405,
    0.007126683797977424,
    0.003844956971190829,
    0.0020747573299867692,
    0.0011196029778124525,
    0.0006041807336039417,
    0.0003260404417673938,
    0.00017594486246782866,
    9.494713349464173e-05,
    5.1237410070062045e-05,
    2.7649831765958917e-05,
    1.4920996244322844e-05,
    8.051988574906383e-06,
    4.345187077043505e-06,
    2.3448432102020472e-06,
    1.2653746739277138e-06,
    6.828486691476387e-07,
    3.6849347040572293e-07,
    1.9885436388322395e-07,
)
_TERMS = len(SINES)


async def logistic_parts(
    p: Party, z: Share, *, coefficients: int = COEFFICIENT_SCALE, label: str = "logistic"
) -> Share:
    """[sigma(z) - 1/2], [sigma(z)(1 - sigma(z))] and [log(1 + e^z) - z/2] (3, m) at SERIES_SCALE, for z (m,).

    z is at ANGLE_SCALE with |z| <= LARGEST. With another scale of the `coefficients`, at most 32, the result is at
    TRIG_SCALE more than that; then the rounding of a value is that of the waves, 1e-7.

    1 round; reveals z + r, uniform over Z_2^64.
    """
    r, waves = p.correlation(SineMask(z.shape[0], ANGLE_SCALE, _TERMS))
    (m,) = await p.open(z + r, label=label)
    scale = TRIG_SCALE + coefficients
    total = Share(p.compute(_series, m.value, waves.value, coefficients, shape=(3, z.shape[0])), scale)
    constants = np.array([[0], [0], [round(LARGEST / 2 * 2.0**scale)]], dtype=np.uint64)
    return p.plus(total, Public(constants, scale))


def _series(m: Array, waves: Array, coefficients: int) -> Array:
    """The three sums, at this owner's shares `waves` (2K, B) of cos(kr) and sin(kr)."""
    return np.stack([wave_sums(m, waves, weights, cosines_first=first) for weights, first in _weights(coefficients)])


@lru_cache(maxsize=2)
def _weights(coefficients: int) -> tuple[tuple[Array, bool], ...]:
    """What multiplies the waves of m next to cos(kr) and to sin(kr), and whether those are its cosines first.

    sin(k(m - r)) = sin(km) cos(kr) - cos(km) sin(kr), cos(k(m - r)) = cos(km) cos(kr) + sin(km) sin(kr).
    """
    steps = [2 * math.pi * k / 2.0**PERIOD_BITS for k in range(1, 2 * _TERMS, 2)]
    scale = 2.0**coefficients
    sines = harmonic_weights(SINES, scale)
    slopes = harmonic_weights([c * t for c, t in zip(SINES, steps, strict=True)], scale)
    areas = harmonic_weights([-c / t for c, t in zip(SINES, steps, strict=True)], scale)
    return (np.stack((sines, -sines)), False), (np.stack((slopes, slopes)), True), (np.stack((areas, areas)), True)
