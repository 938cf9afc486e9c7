"""A shared value rounded down to a multiple of a power of two, exactly.

M = u + r is opened, r uniform over Z_2^64. With the helper's shares of r's lower s bits, as a number and as bits,

    u mod 2^s = (M mod 2^s) - (r mod 2^s) + 2^s [r mod 2^s > M mod 2^s]

whose last term is the comparison of comparison.py (Damgard, Fitzi, Kiltz, Nielsen, Toft, TCC 2006). Where
truncation.py, which takes one round, may be off by a unit in the last place, equal values stay equal here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book, OneMask, fold_order
from mpc.ring.array import Array
from mpc.ring.rings import B64
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import greater
from protocols.core.selection import as_numbers


@dataclass(frozen=True)
class LowerBits(OneMask):
    """A mask r (count,) over Z_2^64, its lower `bits` bits as a number, and the same under exclusive or, in
    `fold_order`."""

    bits: int

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,), self.scale), Spec((self.count,), 0, B64))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        low = drawn[0] & np.uint64((1 << self.bits) - 1)
        return low, fold_order(low)


async def floor(p: Party, u: Share, bits: int, *, label: str = "floor") -> Share:
    """[u rounded down to a multiple of 2^bits] in ring units, for any u (m,), at its scale; 0 < bits < 64.

    8 rounds; reveals u + r, uniform over Z_2^64, and masked bits.
    """
    r, low_r, low_bits = p.correlation(LowerBits(u.shape[0], u.scale, bits))
    (opened,) = await p.open(u + r, label=label)
    low = opened.value & np.uint64((1 << bits) - 1)
    borrow = await as_numbers(p, await greater(p, low_bits, low), label=f"{label}/borrow")
    return p.plus(u + low_r - borrow.shifted(bits).at_scale(u.scale), Public(np.uint64(0) - low, u.scale))
