"""The pooled covariances of all owners' columns, from sums over each owner's own rows.

With N rows, n_i at owner i, whose own means are m_i and whose sums of products about them are C_i:

    S = sum_i n_i m_i      Q = sum_i (C_i + n_i m_i m_i')      V = N Q - S S' = N^2 covariance

exactly, in integers of a wide ring. Under sharing, V takes one product of each two sums; what is opened is a power of
two next to each column's deviation (private_scales.py), in whose units its variance is between 1/4 and 1. In the open,
S and Q are opened, and everyone computes V.

Rows with weights of 1 on average count in units of 2^-40 of a row: n_i is then the sum of owner i's weights in this
unit, rounded once, m_i and C_i are weighted, and N is shared as S and Q are, for it is 2^40 times the number of rows
but for the owners' rounding. So V is exact as before, and only what it is divided by, which is public, is off by as
little as that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.secure_sum import secure_sum
from protocols.core.wide import wide_truncate
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE
from protocols.linalg.original_units import FACTOR_SCALE, UNITS_RING
from protocols.linalg.symmetric import pairs, places
from protocols.scaling.private_scales import check_varies, own_means, ratios, spread_exponents

_SUM_SCALE = 96  # of S; Q and V have twice that
_RATIO_BITS = 224  # fractional bits of 1 / (N^2 2^(e_j + e_k + 2))
_MEAN_BITS = 160  # of 1 / (N 2^(e + 1))
_FLOOR = 80  # a variance below mean^2 / 2^80 is the rounding of the sums
_COUNT_BITS = 40  # of a weighted row: V has 2 of these bits more, and 2^80 V of 2^30 rows of 2^41 is below 2^495


@dataclass(frozen=True)
class Pooled:
    """The public units 2^(e + 1), float64 (D,), and in these the shared means (D,) and covariances (D, D).

    The means are in UNITS_RING at FACTOR_SCALE, the covariances in MATRIX_RING at `covariance_scale(D - 1)`.
    """

    units: Array
    means: Share
    covariance: Share


async def pooled_covariance(
    p: Party, x: Array, rows: tuple[int, ...], names: tuple[str, ...], counts: Array | None = None
) -> Pooled:
    """The covariances of columns x (n_i, D), |x| <= 2^41, over all owners' rows.

    Args:
        counts: how much each row counts (n_i,), from 0, and 1 on average over all owners; None if all count once.

    24 rounds; reveals for each column a power of two next to its deviation, and whether it is constant, which ends
    the run.

    Raises:
        DataError: a column is constant over all owners' rows, or nearly; says which.
    """
    d, bits = len(names), 0 if counts is None else _COUNT_BITS
    total = sum(rows) << bits
    j, k = pairs(d)
    own = own_sums(p, x, counts)
    v, products = await _spreads(p, own, None if counts is not None else total)
    e = await spread_exponents(p, v[j == k], products[j == k], total, names)
    fine, middle = _RATIO_BITS + 2 * bits, _MEAN_BITS + bits
    ratio = p.compute(lambda: ratios(e[j] + e[k] + 2, total**2, fine), shape=j.shape)
    each = p.compute(lambda: ratios(e + 1, total, middle), shape=(d,))
    scaled, moved = v * Public(ratio, fine, UNITS_RING), own.columns * Public(each, middle, UNITS_RING)
    covariance, means = await together(
        wide_truncate(p, scaled, scaled.scale - covariance_scale(d - 1)),
        wide_truncate(p, moved, moved.scale - FACTOR_SCALE),
    )
    narrow = Share(MATRIX_RING.reduce(covariance.value), covariance.scale, MATRIX_RING)
    units = p.compute(lambda: np.ldexp(1.0, e + 1), shape=(d,))
    return Pooled(units, means, narrow[places(d).reshape(-1)].reshape(d, d))


async def _spreads(p: Party, own: OwnSums, total: int | None) -> tuple[Share, Share]:
    """[V] and [S S'] (pairs,), from N, or its shares where it is not public. 1 round; reveals values under masks."""
    s, q = own.columns, own.products
    j, k = pairs(s.shape[0])
    if total is not None:
        products = await multiply(p, s[j], s[k], label="products of sums")
        whole = Public(p.compute(np.full, j.shape, total, object, shape=j.shape), 0, UNITS_RING)
        return q * whole - products, products
    count = own.rows.value[np.zeros(j.shape, dtype=np.int64)]
    left, right = (np.concatenate(pair) for pair in ((s.value[j], count), (s.value[k], q.value)))
    both = await multiply(p, Share(left, 0, UNITS_RING), Share(right, 0, UNITS_RING), label="products of sums")
    products, counted = (both[half].at_scale(q.scale) for half in (slice(len(j)), slice(len(j), None)))
    return counted - products, products


@dataclass(frozen=True)
class OpenMoments:
    """The pooled means (D,) and deviations (D,), and the correlations (pairs,), correctly rounded float64."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    correlation: tuple[float, ...]


async def open_moments(
    p: Party, x: Array, rows: tuple[int, ...], names: tuple[str, ...], counts: Array | None = None
) -> OpenMoments:
    """The same in the open. 1 round; reveals the sums of all columns and of the products of each two.

    Of weighted rows the sum of the weights is opened, too, in units of their mean: that of a column of ones.

    Raises:
        DataError: as `pooled_covariance`.
    """
    own = own_sums(p, x, counts)
    s, q = own.columns, own.products
    if counts is not None:
        s = Share(np.concatenate((s.value, own.rows.value)), s.scale, UNITS_RING)
    why = "every owner works out the fit from them"
    opened = await together(
        *(
            secure_sum(p, one.value, one.scale, UNITS_RING, what=what, why=why, label="sums")
            for one, what in ((s, "sums of columns"), (q, "sums of products of columns"))
        )
    )
    if p.dry:
        return OpenMoments((), (), ())
    sums, products = ([int(v) for v in UNITS_RING.centred(one.value)] for one in opened)
    total, (j, k) = sum(rows) if counts is None else sums.pop(), pairs(len(names))
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


@dataclass(frozen=True)
class OwnSums:
    """An owner's shares of N (1,), of S (D,) and of Q (pairs,)."""

    rows: Share
    columns: Share
    products: Share


def own_sums(p: Party, x: Array, counts: Array | None = None) -> OwnSums:
    """This owner's n_i, n_i m_i and C_i + n_i m_i m_i' of its rows x (n_i, D), weighted by `counts` (n_i,) if any."""
    j, _ = pairs(x.shape[1])
    shapes = ((1,), x.shape[1:], j.shape)
    parts = (
        [abstract(shape) for shape in shapes] if p.dry else [UNITS_RING.reduce(one) for one in _exact_sums(x, counts)]
    )
    return OwnSums(*(Share(words, power * _SUM_SCALE, UNITS_RING) for power, words in enumerate(parts)))


def _exact_sums(x: Array, counts: Array | None) -> tuple[Array, Array, Array]:
    """n, n m and, for each two columns, c + n m m' of rows x (n, D), with m and c as float64 has them.

    Rows of weight 0 are left out first: a column that varies in them alone is constant.
    """
    j, k = pairs(x.shape[1])
    if counts is not None:
        x, counts = x[counts > 0], counts[counts > 0]
    middle, unit = own_means(x, counts), 1 if counts is None else 1 << _COUNT_BITS
    centred = x - middle
    weighted = centred if counts is None else centred * counts[:, np.newaxis]
    n = len(x) if counts is None else round(Fraction(float(counts.sum())) * unit)
    m = [round(Fraction(float(one)) * 2**_SUM_SCALE) for one in middle]
    c = [round(Fraction(float(one)) * 4**_SUM_SCALE * unit) for one in (weighted.T @ centred)[j, k]]
    s, q = np.empty(len(m), dtype=object), np.empty(len(c), dtype=object)
    s[:] = [n * one for one in m]
    q[:] = [one + n * m[a] * m[b] for one, a, b in zip(c, j, k, strict=True)]
    return np.array([n], dtype=object), s, q


def covariance_scale(features: int) -> int:
    """Fractional bits of A: read at MATRIX_SCALE, C becomes one that is at most 1, whatever the correlations."""
    return MATRIX_SCALE - math.ceil(math.log2(features))
