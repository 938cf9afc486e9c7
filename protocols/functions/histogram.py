"""Histograms of shared values, nothing of which is opened.

The value u is held so that its range fills the ring: then M = u + r, r uniform over Z_2^64, shows nothing. The helper
deals one-hot columns of r's first five bits and of the next five. Bin (h, l), the upper ten bits of M less those of r,
is found by rotating both by what is public: with M's digits Mh, Ml,

    low[b]  = [r_l = Ml - b mod 32]      high[a] = [r_h = Mh - a - borrow mod 32]      borrow = [r_l > Ml] = [b > Ml]

(a table of a masked argument, rotated by what is opened: Ishai, Kushilevitz, Meldgaard, Orlandi, Paskin-Cherniavsky,
"On the power of correlated randomness in secure computation", TCC 2013). So a
row's borrow is public once its low digit is fixed, and the histogram is one product of matrices,

    count[a, b] = sum_i high_i,0[a] low_i[b] [b <= Ml_i] + high_i,1[a] low_i[b] [b > Ml_i]

For this u is a multiple of a bin's width: it is rounded down first (exact_floor.py), so equal values share a bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book, OneMask
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import matmul, multiply
from protocols.core.exact_floor import floor

DIGIT_BITS = 5
DIGITS = 1 << DIGIT_BITS
BINS = DIGITS * DIGITS
_UPPER, _LOWER = np.uint64(64 - DIGIT_BITS), np.uint64(64 - 2 * DIGIT_BITS)
_LAST = np.uint64(DIGITS - 1)


@dataclass(frozen=True)
class DigitsOfMask(OneMask):
    """A mask r (count,) over Z_2^64 and one-hot columns (32, count) of its first five bits and of the next five."""

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((DIGITS, self.count)), Spec((DIGITS, self.count)))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (r,) = drawn
        digits = np.arange(DIGITS, dtype=np.uint64)[:, np.newaxis]
        return (digits == r >> _UPPER).astype(np.uint64), (digits == (r >> _LOWER) & _LAST).astype(np.uint64)


async def histograms(p: Party, u: Share, y: Share, *, label: str = "histogram") -> tuple[Share, Share]:
    """[how many u are in each bin], and [the same where y is 1], (1024,) each, rising with u; u (m,), y (m,) 0 or 1.

    u is at a scale of which 64 bits hold its whole range, as a number around 0. 11 rounds; reveals masked values
    only: u twice, bits, and the factors of two products.
    """
    (m,) = u.shape
    u = await floor(p, u, int(_LOWER), label=f"{label}/floor")
    r, upper, lower = p.correlation(DigitsOfMask(m, u.scale))
    (opened,) = await p.open(u + r, label=label)
    high, low = _rotated(p, opened, upper, lower)
    twice = Share(np.concatenate((y.value, y.value)), y.scale)
    positive = await multiply(p, high, twice.reshape(1, 2 * m), label=f"{label}/labels")
    both = Share(np.concatenate((high.value, positive.value)))
    counts = await matmul(p, both, low.T, label=f"{label}/count")
    return counts[:DIGITS].reshape(BINS), counts[DIGITS:].reshape(BINS)


def _rotated(p: Party, opened: Public, upper: Share, lower: Share) -> tuple[Share, Share]:
    """The digits' one-hot columns (32, 2m): without a borrow, then with one; low ones are zero where that is wrong."""
    m = opened.shape[0]

    def places() -> tuple[Array, Array, Array]:
        # Values around 0: the lowest is half way round the ring.
        word = opened.value + np.uint64(1 << 63)
        mh, ml = (word >> _UPPER).astype(np.int64), ((word >> _LOWER) & _LAST).astype(np.int64)
        digit = np.arange(DIGITS)[:, np.newaxis]
        return (mh - digit) % DIGITS, (ml - digit) % DIGITS, (digit > ml).astype(np.uint64)

    if p.dry:
        wide = (DIGITS, 2 * m)
        return (Share(p.compute(np.zeros, wide, shape=wide)), Share(p.compute(np.zeros, wide, shape=wide)))
    above, below, borrow = places()
    without = np.take_along_axis(upper.value, above, axis=0)
    with_one = np.take_along_axis(upper.value, (above - 1) % DIGITS, axis=0)
    low = np.take_along_axis(lower.value, below, axis=0)
    return (
        Share(np.concatenate((without, with_one), axis=1)),
        Share(np.concatenate((low * (np.uint64(1) - borrow), low * borrow), axis=1)),
    )
