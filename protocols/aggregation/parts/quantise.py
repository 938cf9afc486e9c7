"""Reals and integers as numbers modulo 2^b, and their sum back.

    q = round(x * scale),  low <= q <= high;   b = ceil(log2(n * (high - low) + 1))

n such numbers cannot overflow: with n' of them in the sum it lies in [n' low, n' high], an interval that 2^b covers.
A weighted value is w q, with w an integer of at least 0 that travels beside it, so that the total weight is a sum too.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

import numpy as np

from mpc.errors import DataError, UsageError
from mpc.ring.array import Array
from protocols.aggregation.parts.pack import word

MOST_BITS = 64
OutOfRange = Literal["refuse", "clip"]


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


def coding(low: float, high: float, scale: float, clients: int, largest_weight: int = 1) -> Coding:
    """The coding of reals from `low` to `high`, each times a weight from 0 (or 1, where no weight is used) up.

    Raises:
        UsageError: the sum does not fit 64 bits.
    """
    if not low < high:
        raise UsageError(f"the range of values from {low:g} to {high:g} is empty", "give the smaller number first")
    first, last = ceil(low * scale), floor(high * scale)
    if largest_weight > 1:
        first, last = min(0, first * largest_weight), max(0, last * largest_weight)
    found = Coding(first, last, scale, clients)
    if found.bits > MOST_BITS:
        raise UsageError(
            f"sums of {clients} clients' values take {found.bits} bits, and there are {MOST_BITS}",
            "narrow the range of values, lower the scale, or lower the largest weight",
        )
    return found


def encode(values: Array, how: Coding, out_of_range: OutOfRange = "refuse", weight: int = 1) -> tuple[Array, int]:
    """Numbers modulo 2^b (machine words) of a client's reals, and how many were clipped.

    Raises:
        DataError: a value is not finite, or (with "refuse") outside the range; its position is named, never its value.
    """
    if not np.all(np.isfinite(values)):
        raise DataError(f"value {int(np.argmin(np.isfinite(values)))} is not a finite number", "correct it in the data")
    scaled = np.rint(values.astype(np.float64) * how.scale) * weight
    outside = (scaled < how.low) | (scaled > how.high)
    count = int(np.count_nonzero(outside))
    if count and out_of_range == "refuse":
        raise DataError(
            f"{count} of {values.size} values are outside the agreed range, value {int(np.argmax(outside))} first",
            'correct them, widen the range, or set out_of_range = "clip"',
        )
    return residues(np.clip(scaled, how.low, how.high), how.bits), count


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
