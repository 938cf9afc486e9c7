"""Standardisation that discloses no mean and no deviation: only a power of two next to each deviation.

    2^e <= deviation < 2^(e+1)         e is opened, a number a column
    x' = (x - mean) / 2^(e+1)          the mean stays shared: to subtract it is linear

So a column's deviation becomes one in [1/2, 1), which conditions the training nearly as well as 1 does, for nothing a
row: every owner scales its rows by a public power of two. A secret scale would take a product with every cell (an
opening and a correction of rows x columns words, and as many and more to cut it), and these comparisons to begin with.

With N rows, n_i at owner i, whose own mean and sum of squares about it are m_i and c_i:

    S = sum_i n_i m_i      Q = sum_i (c_i + n_i m_i^2)      V = N Q - S^2 = N^2 variance

exactly, in integers of a wide ring. e is found by comparing V with N^2 4^k, eleven k at once and twice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.rings import B8, Z64
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.wide import wide_truncate
from protocols.core.wide_comparison import below
from protocols.linalg.original_units import FACTOR_SCALE, UNITS_RING
from protocols.rows.limits import X_LIMIT, X_SCALE

SMALLEST_EXPONENT = -60
_RADIX = 11  # eleven thresholds, twice, tell 121 exponents apart: from 2^-60 to beyond the largest cell, 2^40
_SUM_SCALE = 96  # fractional bits of the owners' sums
_FLOOR = 80  # a variance below mean^2 / 2^80 is the rounding of the sums
_RATIO_BITS = 160  # fractional bits of 1 / (N 2^(e+1))


@dataclass(frozen=True)
class PrivateScales:
    """Public scales 2^(e+1), float64 (d,), and the shared means in these units: in UNITS_RING, at X_SCALE."""

    scale: Array
    mean: Share

    @property
    def mean_words(self) -> Share:
        """The means over Z_2^64: each share's low word."""
        return Share(Z64.reduce(self.mean.value), X_SCALE)

    def factors(self, p: Party) -> Share:
        """1 / 2^(e+1) in UNITS_RING at FACTOR_SCALE, as in_original_units takes it."""
        words = p.compute(
            lambda: np.array([int(Fraction(2) ** FACTOR_SCALE / Fraction(float(s))) for s in self.scale], dtype=object),
            shape=self.scale.shape,
        )
        return p.public(Public(words, FACTOR_SCALE, UNITS_RING))

    @property
    def shifts(self) -> Share:
        """The means as in_original_units takes them."""
        return self.mean.shifted(FACTOR_SCALE - X_SCALE).at_scale(FACTOR_SCALE)


async def private_scales(p: Party, x: Array, rows: tuple[int, ...], features: tuple[str, ...]) -> PrivateScales:
    """The scales, and the shared means, from each owner's own rows x (n_i, d), |x| <= 2^40.

    24 rounds; reveals for each feature the exponent e (as the bits of comparisons that follow from it), and whether
    its deviation is below 2^-60 or below the rounding of its mean, which ends the run.

    Raises:
        DataError: a feature is constant over all owners' training rows, or nearly; says which.
    """
    total, columns = sum(rows), (len(features),)
    s, q = (Share(words, scale, UNITS_RING) for words, scale in _own_sums(p, x))
    squared = await multiply(p, s, s, label="squared sums")
    v = q * Public(p.compute(np.full, columns, total, object, shape=columns), 0, UNITS_RING) - squared
    exponents = await spread_exponents(p, v, squared, total, features)
    scale = p.compute(lambda: np.ldexp(1.0, exponents + 1), shape=columns)
    ratio = p.compute(lambda: ratios(exponents + 1, total, _RATIO_BITS), shape=columns)
    scaled = s * Public(ratio, _RATIO_BITS, UNITS_RING)
    return PrivateScales(scale, await wide_truncate(p, scaled, scaled.scale - X_SCALE))


def plain_scales(tables: Sequence[Array]) -> Array:
    """The scales 2^(e+1) of owners' rows in the clear (d,): infinite for a column that is constant up to rounding."""
    sums = [_exact_sums(x) for x in tables]
    s, q = (np.sum([one[k] for one in sums], axis=0) for k in range(2))
    rows = sum(len(x) for x in tables)
    found = []
    for v, square in zip(rows * q - s**2, s**2, strict=True):
        exponent = (int(v).bit_length() - (rows**2).bit_length()) // 2 - _SUM_SCALE + 1
        while v > 0 and _threshold(exponent, rows) > v:
            exponent -= 1
        found.append(math.inf if v << _FLOOR <= square else math.ldexp(1.0, exponent + 1))
    return np.array(found)


def _own_sums(p: Party, x: Array) -> list[tuple[Array, int]]:
    """This owner's n_i m_i and c_i + n_i m_i^2, as its shares of the sums, with their scales."""
    if p.dry:
        return [(x.sum(axis=0), _SUM_SCALE), (x.sum(axis=0), 2 * _SUM_SCALE)]
    s, q = _exact_sums(x)
    return [(UNITS_RING.reduce(s), _SUM_SCALE), (UNITS_RING.reduce(q), 2 * _SUM_SCALE)]


def _exact_sums(x: Array) -> tuple[Array, Array]:
    """n m and c + n m^2 of rows x (n, d), with m and c as float64 has them: integers at _SUM_SCALE and twice that."""
    rows, mean = len(x), own_means(x)
    centred = ((x - mean) ** 2).sum(axis=0)
    m = [round(Fraction(float(one)) * 2**_SUM_SCALE) for one in mean]
    c = [round(Fraction(float(one)) * 4**_SUM_SCALE) for one in centred]
    s = np.array([rows * one for one in m], dtype=object)
    q = np.array([one + rows * middle**2 for one, middle in zip(c, m, strict=True)], dtype=object)
    return s, q


def own_means(x: Array, counts: Array | None = None) -> Array:
    """The means (d,) of an owner's rows x (n, d): of equal numbers exactly these, else they would look spread.

    Args:
        counts: above 0 (n,), how much each row counts; None if all count once.
    """
    rows, columns = x.shape
    if not rows:
        return np.zeros(columns)
    return np.where(np.ptp(x, axis=0) == 0, x[0], np.average(x, axis=0, weights=counts))


async def spread_exponents(p: Party, v: Share, squared: Share, rows: int, features: tuple[str, ...]) -> Array:
    """e of each feature, int64 (d,), from V = N^2 variance and S^2, both (d,), in two batches of comparisons.

    22 rounds; reveals what `private_scales` does.
    """
    d = len(features)
    # V below mean^2 N^2 / 2^80, that is V 2^80 - S^2 at most 0: constant up to rounding.
    spread = v.shifted(_FLOOR) - squared
    coarse = np.full((_RADIX, d), 0, dtype=object)
    coarse[:] = [[_threshold(SMALLEST_EXPONENT + _RADIX * j, rows)] for j in range(_RADIX)]
    floor = np.full((1, d), 1, dtype=object)
    found = await together(below(p, v, coarse, label="deviations"), below(p, spread, floor, label="spreads"))
    bits = np.concatenate([less.value for less in found])
    first = await _reveal_bits(p, bits, "whether a feature varies, and roughly how much")
    p.insist_jointly(lambda: _check_spread(first, features), lambda: DataError("a feature is constant"))
    most = p.compute(lambda: (1 - first[:_RADIX]).sum(axis=0).astype(np.int64) - 1, shape=(d,))
    base = p.compute(lambda: SMALLEST_EXPONENT + _RADIX * most, shape=(d,))

    def fine() -> Array:
        found = [[_threshold(int(base[k]) + j, rows) for k in range(d)] for j in range(1, _RADIX)]
        return np.array(found, dtype=object).reshape(_RADIX - 1, d)

    thresholds = p.compute(fine, shape=(_RADIX - 1, d))
    less = await below(p, v, thresholds, label="deviations")
    second = await _reveal_bits(p, less.value, "the power of two next to each feature's standard deviation")
    return p.compute(lambda: base + (1 - second).sum(axis=0).astype(np.int64), shape=(d,))


async def _reveal_bits(p: Party, bits: Array, why: str) -> Array:
    lowest = Share(bits & np.uint8(1), 0, B8)
    (opened,) = await p.reveal(lowest, what="feature scales", why=f"standardisation: {why}", label="scales")
    return opened.value


def _threshold(exponent: int, rows: int) -> int:
    """N^2 (2^exponent)^2 at V's scale."""
    shift = 2 * exponent + 2 * _SUM_SCALE
    return rows**2 << shift if shift >= 0 else rows**2 >> -shift


def ratios(exponents: Array, rows: int, bits: int) -> Array:
    """1 / (rows 2^exponent) at so many bits, rounded: integers, and so the same at every owner."""
    return np.array([round(Fraction(2) ** (bits - int(e)) / rows) for e in exponents], dtype=object)


def _check_spread(bits: Array, features: tuple[str, ...]) -> bool:
    check_varies([name for name, rounding in zip(features, bits[_RADIX], strict=True) if rounding])
    narrow = [name for name, less in zip(features, bits[0], strict=True) if less]
    if narrow:
        raise DataError(f"column {', '.join(narrow)} has values too close to each other", "give it in smaller units")
    return True


def check_varies(constant: list[str]) -> None:
    """Raise DataError if columns are constant."""
    if constant:
        raise DataError(
            f"column {', '.join(constant)} has the same value in all training rows of all owners",
            "leave it out of `features` (of a target: name another one): a constant column tells the model nothing",
        )


def check_reach(x: Array, scale: Array, names: tuple[str, ...], owner: str, total: int) -> bool:
    """True if no row of this owner's x (n, d) can lie beyond X_LIMIT once the common mean is taken off.

    No value lies further than sqrt(N) deviations from the mean of N, so this asks nothing up to N = 2^20. Beyond, the
    owner's own mean is at most sqrt(N / n) deviations from the common one.

    Raises:
        DataError: one might; names the column.
    """
    rows = len(x)
    if total <= X_LIMIT**2 or not rows:
        return True
    furthest = np.abs(x - x.mean(axis=0)).max(axis=0) / scale + math.sqrt(total / rows)
    beyond = [name for name, reach in zip(names, furthest, strict=True) if reach > X_LIMIT]
    if beyond:
        raise DataError(
            f'{owner}: column {beyond[0]} has values too far from its mean for standardise = "private"',
            "clip the column, or set standardise = true",
            party=owner,
        )
    return True
