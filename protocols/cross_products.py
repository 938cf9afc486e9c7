"""The pooled covariances of all owners' columns, from what each owner sums up of its own rows.

With N rows, n_i at owner i, whose own means are m_i and whose sums of products about them are C_i:

    S = sum_i n_i m_i      Q = sum_i (C_i + n_i m_i m_i')      V = N Q - S S' = N^2 covariance

exactly, in integers of a wide ring. Under sharing, V takes one product of each two sums; what is opened is a power of
two next to each column's deviation (private_scales.py), in whose units its variance is between 1/4 and 1. In the open,
S and Q are told, and everyone works out V.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mpc.ghost import Array
from mpc.party import Party
from mpc.round import together
from mpc.share import Public, Share
from protocols.beaver import multiply
from protocols.irls import pairs
from protocols.least_squares import covariance_scale
from protocols.own_units import FACTOR_SCALE, UNITS_RING, places
from protocols.private_scales import check_varies, own_means, spread_exponents
from protocols.secure_sum import secure_sum
from protocols.wide import wide_truncate
from protocols.wide_inverse import MATRIX_RING

_SUM_SCALE = 96  # of S; Q and V have twice that
_RATIO_BITS = 224  # fractional bits of 1 / (N^2 2^(e_j + e_k + 2))
_MEAN_BITS = 160  # of 1 / (N 2^(e + 1))
_FLOOR = 80  # a variance below mean^2 / 2^80 is the rounding of the sums


@dataclass(frozen=True)
class Pooled:
    """The public units 2^(e + 1), float64 (D,), and in these the shared means (D,) and covariances (D, D).

    The means are in UNITS_RING at FACTOR_SCALE, the covariances in MATRIX_RING at `covariance_scale(D - 1)`.
    """

    units: Array
    means: Share
    covariance: Share


async def pooled_covariance(p: Party, x: Array, rows: tuple[int, ...], names: tuple[str, ...]) -> Pooled:
    """The covariances of columns x (n_i, D), |x| <= 2^40, over all owners' rows.

    24 rounds; reveals for each column a power of two next to its deviation, and whether it is constant, which ends
    the run.

    Raises:
        DataError: a column is constant over all owners' rows, or nearly; says which.
    """
    total, d = sum(rows), len(names)
    j, k = pairs(d)
    s, q = own_sums(p, x)
    products = await multiply(p, s[j], s[k], label="products of sums")
    v = q * Public(p.compute(np.full, j.shape, total, object, shape=j.shape), 0, UNITS_RING) - products
    e = await spread_exponents(p, v[j == k], products[j == k], total, names)
    ratio = p.compute(lambda: _ratios(e[j] + e[k] + 2, total**2, _RATIO_BITS), shape=j.shape)
    each = p.compute(lambda: _ratios(e + 1, total, _MEAN_BITS), shape=(d,))
    scaled, moved = v * Public(ratio, _RATIO_BITS, UNITS_RING), s * Public(each, _MEAN_BITS, UNITS_RING)
    covariance, means = await together(
        wide_truncate(p, scaled, scaled.scale - covariance_scale(d - 1)),
        wide_truncate(p, moved, moved.scale - FACTOR_SCALE),
    )
    narrow = Share(MATRIX_RING.reduce(covariance.value), covariance.scale, MATRIX_RING)
    units = p.compute(lambda: np.ldexp(1.0, e + 1), shape=(d,))
    return Pooled(units, means, narrow[places(d).reshape(-1)].reshape(d, d))


@dataclass(frozen=True)
class OpenMoments:
    """The pooled means (D,) and deviations (D,), and the correlations (pairs,), correctly rounded float64."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    correlation: tuple[float, ...]


async def open_moments(p: Party, x: Array, rows: tuple[int, ...], names: tuple[str, ...]) -> OpenMoments:
    """The same in the open. 1 round; reveals the sums of all columns and of the products of each two.

    Raises:
        DataError: as `pooled_covariance`.
    """
    s, q = own_sums(p, x)
    why = "every owner works out the fit from them"
    opened = await together(
        *(
            secure_sum(p, one.value, one.scale, UNITS_RING, what=what, why=why, label="sums")
            for one, what in ((s, "sums of columns"), (q, "sums of products of columns"))
        )
    )
    if p.dry:
        return OpenMoments((), (), ())
    total, (j, k) = sum(rows), pairs(len(names))
    sums, products = ([int(v) for v in UNITS_RING.centred(one.value)] for one in opened)
    v = [total * product - sums[a] * sums[b] for product, a, b in zip(products, j, k, strict=True)]
    spread = [one for one, a, b in zip(v, j, k, strict=True) if a == b]
    check_varies([name for name, one, s in zip(names, spread, sums, strict=True) if one << _FLOOR <= s**2])
    one, many = 1 << _SUM_SCALE, total << _SUM_SCALE
    # math.isqrt rounds down in integers, with 64 bits to spare: the same at every owner, as Python's divisions are.
    roots = [math.isqrt(value << 128) for value in spread]
    return OpenMoments(
        tuple(value / many for value in sums),
        tuple(root / (total * one << 64) for root in roots),
        tuple((value << 128) / (roots[a] * roots[b]) for value, a, b in zip(v, j, k, strict=True)),
    )


def own_sums(p: Party, x: Array) -> tuple[Share, Share]:
    """This owner's n_i m_i (D,) and C_i + n_i m_i m_i' (pairs,) of its rows x (n_i, D): its shares of S and Q."""
    j, _ = pairs(x.shape[1])
    s = p.compute(lambda: UNITS_RING.reduce(_exact_sums(x)[0]), shape=x.shape[1:])
    q = p.compute(lambda: UNITS_RING.reduce(_exact_sums(x)[1]), shape=j.shape)
    return Share(s, _SUM_SCALE, UNITS_RING), Share(q, 2 * _SUM_SCALE, UNITS_RING)


def _exact_sums(x: Array) -> tuple[Array, Array]:
    """n m and, for each two columns, c + n m m' of rows x (n, D), with m and c as float64 has them."""
    j, k = pairs(x.shape[1])
    centred = x - own_means(x)
    m = [round(Fraction(float(one)) * 2**_SUM_SCALE) for one in own_means(x)]
    c = [round(Fraction(float(one)) * 4**_SUM_SCALE) for one in (centred.T @ centred)[j, k]]
    s, q = np.empty(len(m), dtype=object), np.empty(len(c), dtype=object)
    s[:] = [len(x) * one for one in m]
    q[:] = [one + len(x) * m[a] * m[b] for one, a, b in zip(c, j, k, strict=True)]
    return s, q


def _ratios(exponents: Array, rows: int, bits: int) -> Array:
    """1 / (rows 2^exponent) at so many bits, rounded: integers, and so the same at every owner."""
    return np.array([round(Fraction(2) ** (bits - int(e)) / rows) for e in exponents], dtype=object)
