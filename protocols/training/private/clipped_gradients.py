"""Each row's gradient in whole numbers, clipped, and an owner's sum of them: what noise is added to.

A row x (d,) becomes a = (u, 1), u = (x - centre) / half, x clipped to its agreed range, in units of 2^-16. At public
weights w its gradient of the logistic loss is (sigmoid(a w) - y) a. It is scaled down to the agreed L2 norm C where it
is longer (Abadi et al. 2016, "Deep Learning with Differential Privacy", CCS; of a linear score that is the gradient of
a Huberised loss: Song, Steinke, Thakkar, Thakurta 2021). Beside it stands C/4 for each row, so that a noisy number of
rows, by which steps are divided, comes with each sum. A row's addend so has an L2 norm of C sqrt(17/16) or less, and
the sum over an owner's rows changes by no more when a row is added or removed.

**In whole numbers.** A row's addend depends on that row and on public numbers alone: scores are sums of whole numbers,
whatever the other rows are, the sigmoid is read from a table, and what is left of floating point (scaling, and the
factor of a row that is too long) goes element by element. No sum is formed in floating point, whose rounding would
depend on the other rows (Casacuberta, Shoemate, Vadhan, Wagaman 2022). A row whose squared norm, in whole numbers, were
above C^2 after it was scaled down would count as zeros.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from math import fsum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream

FINE: Final = 16
"""The bits of a row's numbers, and of its gradient: both are in units of 2^-16."""
MOST_WEIGHT: Final = 1 << 10
"""Weights beyond count as this in scores, so that scores of 2^12 features fit 64 bits."""
MOST_FEATURES: Final = 1 << 12

_WEIGHT: Final = 24  # bits of a weight, so that scores are in units of 2^-40
_INDEX: Final = 10  # bits of a score in the table of the sigmoid
_REACH: Final = 16  # beyond which the sigmoid is 0 or 1 to 2^-16 and more
_BLOCK: Final = 1 << 13  # rows whose gradients are in memory at once
_COUNTED: Final = 4  # a row counts as C / 4

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Ranges:
    """The agreed ranges of the features: (low, high) of each; None for one that is 0 or 1 and stays as it is."""

    each: tuple[tuple[float, float] | None, ...]

    @property
    def centres(self) -> NDArray[np.float64]:
        """The middle of each range (d,)."""
        return np.array([0.0 if one is None else (one[0] + one[1]) / 2 for one in self.each])

    @property
    def halves(self) -> NDArray[np.float64]:
        """Half the width of each (d,)."""
        return np.array([1.0 if one is None else (one[1] - one[0]) / 2 for one in self.each])

    @property
    def widths(self) -> tuple[float, ...]:
        """The width of each range."""
        return tuple(1.0 if one is None else one[1] - one[0] for one in self.each)

    def whole_rows(self, x: NDArray[np.float64]) -> Whole:
        """a of each row x (m, d): (m, d + 1), in units of 2^-16, between -2^16 and 2^16 whatever the values are."""
        low, high = np.array([(0.0, 1.0) if one is None else one for one in self.each]).reshape(-1, 2).T
        u = (np.clip(x, low, high) - self.centres) / self.halves
        whole = np.clip(np.rint(u * 2.0**FINE), -(2**FINE), 2**FINE).astype(np.int64)
        return np.column_stack((whole, np.full(len(x), 1 << FINE)))

    def in_own_units(self, scaled: NDArray[np.float64]) -> tuple[tuple[float, ...], float]:
        """Weights in the features' own units (d,), and their intercept, from those of scaled ones (d + 1,); the same
        bits at every owner."""
        weights = scaled[:-1] / self.halves
        return tuple(weights.tolist()), float(scaled[-1]) - fsum((weights * self.centres).tolist())


@dataclass(frozen=True)
class Clipping:
    """The bounds of a row's addend.

    Args:
        norm: C, the L2 norm of a row's gradient; at least 2^-6.
        class_weights: how much a row of class 0, and of class 1, counts; the larger is 1.
    """

    norm: float
    class_weights: tuple[float, float] = (1.0, 1.0)

    @property
    def bound(self) -> int:
        """C, in units of 2^-16."""
        return int(self.norm * 2**FINE)

    @property
    def counted(self) -> int:
        """What a row adds to the last number of the sum, likewise."""
        return self.bound // _COUNTED

    @property
    def squared(self) -> int:
        """The square of the L2 norm by which a row changes the sum at most, likewise."""
        return self.bound**2 + self.counted**2


@dataclass(frozen=True)
class WholeRows:
    """An owner's rows: a (m, d + 1), and labels 0/1 (m,)."""

    a: Whole = field(repr=False)
    y: Whole = field(repr=False)

    def of(self, which: NDArray[np.bool_]) -> WholeRows:
        """The rows where a mask (m,) is true."""
        return WholeRows(self.a[which], self.y[which])


def coins(stream: Stream, chance: float, count: int) -> NDArray[np.bool_]:
    """Independent coins (count,): true with this chance, or less by up to 2^-64."""
    if chance >= 1.0:
        return np.ones(count, dtype=np.bool_)
    return stream.take(8 * count).view("<u8") < np.uint64(int(chance * 2.0**64))


def whole_weights(w: NDArray[np.float64]) -> Whole:
    """Public weights (d + 1,) in units of 2^-24."""
    return np.rint(np.clip(w, -MOST_WEIGHT, MOST_WEIGHT) * 2.0**_WEIGHT).astype(np.int64)


def whole_scores(rows: WholeRows, w: Whole) -> Whole:
    """z of each row (m,), in units of 2^-40."""
    return rows.a @ w


def own_sum(rows: WholeRows, w: Whole, how: Clipping) -> Whole:
    """The sum (d + 2,) of all rows' clipped gradients, and of C/4 for each row: in units of 2^-16."""
    total = np.zeros(rows.a.shape[1] + 1, dtype=np.int64)
    for start in range(0, len(rows.a), _BLOCK):
        part = slice(start, start + _BLOCK)
        total[:-1] += clipped(WholeRows(rows.a[part], rows.y[part]), w, how).sum(axis=0)
    total[-1] = len(rows.a) * how.counted
    return total


def clipped(rows: WholeRows, w: Whole, how: Clipping) -> Whole:
    """Each row's gradient (m, d + 1), of an L2 norm of C or less, in units of 2^-16."""
    off = _sigmoid(whole_scores(rows, w)) - (rows.y << FINE)
    each = np.array([int(one * 2.0**FINE) for one in how.class_weights])[rows.y]
    g = _shifted(_shifted(off * each)[:, np.newaxis] * rows.a)
    squared = (g * g).sum(axis=1)
    long = squared > how.bound**2
    factor = how.bound / np.sqrt(squared[long])
    g[long] = np.trunc(g[long] * factor[:, np.newaxis]).astype(np.int64)
    g[(g * g).sum(axis=1) > how.bound**2] = 0
    return g


def _shifted(products: Whole) -> Whole:
    """Products of two numbers in units of 2^-16, in that unit."""
    return products + (1 << (FINE - 1)) >> FINE


def _sigmoid(z: Whole) -> Whole:
    """The sigmoid of scores in units of 2^-40, in units of 2^-16: that of the nearest multiple of 2^-10."""
    reach, rest = _REACH << _INDEX, FINE + _WEIGHT - _INDEX
    place = np.clip(z + (1 << (rest - 1)) >> rest, -reach, reach) + reach
    found: Whole = np.take(_table(), place)
    return found


@lru_cache(maxsize=1)
def _table() -> Whole:
    z = np.arange(-_REACH << _INDEX, (_REACH << _INDEX) + 1) / 2.0**_INDEX
    table = np.rint(2.0**FINE / (1.0 + np.exp(-z))).astype(np.int64)
    table.flags.writeable = False
    return table
