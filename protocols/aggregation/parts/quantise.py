"""Reals and integers as numbers modulo 2^b, and their sum back.

    q = round(x * scale),  low <= q <= high;   b = ceil(log2(n * (high - low) + 1))

n such numbers cannot overflow: with n' of them in the sum it lies in [n' low, n' high], an interval that 2^b covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array
from protocols.aggregation.parts.pack import word

MOST_BITS = 64


@dataclass(frozen=True)
class Coding:
    """The coding of values as numbers, the same for all clients.

    Args:
        low, high: the smallest and largest number that one client may put in (already times scale and weight).
        scale: what a real is multiplied with; 1 for integers.
        clients: n, the most that the sum can have.
    """

    low: int
    high: int
    scale: float
    clients: int

    @property
    def bits(self) -> int:
        """b, for the sum of all clients' numbers."""
        return max(1, (self.clients * (self.high - self.low)).bit_length())


def residues(numbers: Array, bits: int) -> Array:
    """Whole numbers (float64 or int64) modulo 2^bits, in machine words."""
    dtype = word(bits)
    words: Array = numbers.astype(np.int64).astype(dtype) & dtype.type((1 << bits) - 1)
    return words


def decode(total: Array, how: Coding, summed: int, bits: int | None = None) -> Array:
    """The sum as whole numbers (divide by the scale), of `summed` clients' numbers modulo 2^b: int64, or Python's own
    where one may be 2^63 or above. `bits`: b, where they were summed modulo a larger one than the coding's own."""
    bits = how.bits if bits is None else bits
    least = summed * how.low
    above = (total.astype(np.uint64) - np.uint64(least % (1 << 64))) & np.uint64((1 << bits) - 1)
    if least + (1 << bits) > 1 << 63:
        return above.astype(object) + least
    return above.astype(np.int64) + np.int64(least)
