"""The logistic function of a shared value in one round, by Fourier series.

Boura, Chillotti, Gama, Jetchev, Peceny, Petric, "High-precision privacy-preserving real-valued function evaluation",
Financial Cryptography 2018. The value z is held so that the period P fills the ring: then m = z + r, r uniform over
Z_2^64, shows nothing, and with the helper's shares of sin(kr), cos(kr)

    sigma(z) ~ 1/2 + sum_k c_k sin(k z),   sin(k z) = sin(k m) cos(k r) - cos(k m) sin(k r),   k odd

is a public combination of shares. Outside |z| <= T it is wrong, not saturated: see range_check.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from mpc.randomness.correlation import Book, OneMask
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.functions.sigmoid_fits import SigmoidFit
from protocols.functions.trig import harmonic_weights
from protocols.functions.waves import scaled_waves, wave_sums

TRIG_SCALE = 24  # fractional bits of the helper's sines and cosines


@dataclass(frozen=True)
class SineMask(OneMask):
    """A mask r (B,) whose period is the whole ring, with cos(kr) and sin(kr) for the odd k = 1, 3, ..., 2 terms - 1.

    These have `waves` fractional bits.
    """

    terms: int
    waves: int = TRIG_SCALE

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((2 * self.terms, self.count), self.waves),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (dealt_waves(drawn[0], self.terms, self.waves),)


def dealt_waves(r: Array, terms: int, scale: int) -> Array:
    """cos(kr), then sin(kr), as ring elements (2 terms, B) at `scale`: what the helper deals."""
    return scaled_waves(r, np.full((2, terms), float(1 << scale)), cosines_first=True)


@lru_cache(maxsize=64)
def _weights(fit: SigmoidFit, weight: float, scale: int) -> Array:
    """weight c_k at `scale` for the sines, and less that for the cosines: a training asks for the same few always."""
    weights = harmonic_weights(fit.coefficients, float(np.ldexp(weight, scale)))
    return np.stack((weights, -weights))


def expansion(m: Array, fit: SigmoidFit, weight: float, scale: int) -> Array:
    """The public coefficients of cos(kr) and sin(kr), (2K, B) at `scale`: weight c_k sin(km), -weight c_k cos(km).

    The same bits at every owner, whatever its CPU.
    """
    return scaled_waves(m, _weights(fit, weight, scale))


def series(p: Party, m: Public, waves: Share, fit: SigmoidFit, weight: float, scale: int) -> Share:
    """The sum over k of `expansion`'s coefficients times the shares `waves` (2K, B) of cos(kr) and sin(kr)."""
    weights = _weights(fit, weight, scale)  # a dry run has them too, so that no round waits until they are worked out
    return Share(p.compute(wave_sums, m.value, waves.value, weights, shape=m.shape), waves.scale + scale)


async def sigmoid(p: Party, z: Share, fit: SigmoidFit, weight: float, scale: int, *, label: str = "sigmoid") -> Share:
    """[weight * sigma(z)] at scale TRIG_SCALE + `scale`, for z (B,) at 64 - log2(P) fractional bits and |z| <= T.

    Error at most weight * (fit.error + rounding). 1 round; reveals z + r, uniform over Z_2^64.
    """
    odd = await odd_part(p, z, fit, weight, scale, label=label)
    return p.plus(odd, p.constant(round(weight * 0.5 * 2.0**odd.scale), (1,), odd.scale))


async def odd_part(
    p: Party, z: Share, fit: SigmoidFit, weight: float, scale: int, *, waves: int = TRIG_SCALE, label: str
) -> Share:
    """[weight * (sigma(z) - 1/2)] at scale `waves` + `scale`, else as `sigmoid`: the sum of the sines alone.

    Args:
        waves: fractional bits of the helper's sines and cosines.
    """
    r, shares = p.correlation(SineMask(z.shape[0], z.scale, len(fit.coefficients), waves))
    (m,) = await p.open(z + r, label=label)
    return series(p, m, shares, fit, weight, scale)


def less_half(p: Party, y: Share, weight: float, scale: int) -> Share:
    """[weight * (y - 1/2)] at `scale`, for whole numbers y: the odd part less this is weight * (sigma(z) - y)."""
    half = p.constant(-round(weight * 0.5 * 2.0**scale), (1,), scale)
    return p.plus(p.constant(round(weight * 2.0**scale), (1,), scale) * y, half)
