"""Pairs of a positive and a negative row, counted from shared histograms of their scores, and how many are in doubt.

With histograms x of positives and y of negatives over bins that rise with the score, and L y = 2 sum_{a<b} y_a + y_b,

    right = <x, L y>       twice the pairs ranked right, those in one bin counting half
    doubt = <x, y> - <x', y'>

where x', y' are histograms over buckets to which a hash of the score itself leads: equal scores share a bucket, others
do so by chance. So `doubt` counts the pairs in one bin that are no ties, less chance's few. L is linear: both products
follow from one opening of x - a and y - b, with the helper's shares of <a, L b> and <a, b> - <a', b'> (Beaver 1991).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Share

BUCKETS = 4096


@dataclass(frozen=True)
class PairTriple:
    """Masks a, b (bins + buckets,), and <a, L b>, <a, b> - <a', b'> (2,)."""

    bins: int
    buckets: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec((self.bins + self.buckets,)),) * 2

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((2,)),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (pair_counts(drawn[0], drawn[1], self.bins),)


def pair_counts(x: Array, y: Array, bins: int) -> Array:
    """`right` and `doubt` (2,) over Z_2^64, from histograms (bins + buckets,) uint64."""
    low, high = y[:bins], y[bins:]
    below = np.cumsum(low, dtype=np.uint64) * np.uint64(2) - low
    right, doubt, equal = x[:bins] @ below, x[:bins] @ low, x[bins:] @ high
    counts: Array = np.stack((right, doubt)) - np.stack((np.zeros_like(equal), equal))
    return counts


def ranked_right(positives: Array, negatives: Array) -> int:
    """Twice the pairs of scores in the clear of which the positive's is above the negative's, ties counting half."""
    ordered = np.sort(negatives)
    return int(sum(np.searchsorted(ordered, positives, side).sum() for side in ("left", "right")))


def buckets_of(z: Array) -> Array:
    """The bucket of each score (m,): the same of equal ones, to 46 bits, for sums are rounded.

    Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4): the first bits of a product with 2^64 / phi.
    """
    words = ((z + 0.0).view(np.uint64) + np.uint64(1 << 5)) >> np.uint64(6)
    return (words * np.uint64(0x9E37_79B9_7F4A_7C15) >> np.uint64(65 - BUCKETS.bit_length())).astype(np.int64)


async def count_pairs(p: Party, x: Share, y: Share, bins: int) -> Share:
    """[right, doubt] (2,) of shared histograms (bins + buckets,). 1 round; reveals x - a and y - b, both uniform."""
    a, b, c = p.correlation(PairTriple(bins, x.shape[0] - bins))
    d, e = await p.open(x - a, y - b, label="auc/product")

    def own() -> Array:
        # <d + a, L (e + b)> = <d, L y> + <a, L e> + <a, L b>, for an owner's shares of y and a.
        total: Array = c.value + pair_counts(d.value, y.value, bins) + pair_counts(a[:].value, e.value, bins)
        return total

    return Share(p.compute(own, shape=(2,)))
