"""Find where a sum of the owners' own rising functions reaches 0, digit by digit; only the answer is disclosed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.comparison import less_than, packed, unpacked

FAN = 16
"""One digit's base: 15 comparisons a value and step, side by side, for a quarter of bisection's steps."""


def digits_for(points: int) -> int:
    """The number of digits that distinguish `points` points."""
    digits = 1
    while FAN**digits < points:
        digits += 1
    return digits


async def first_reached(
    p: Party, own: Callable[[Array], Array], count: int, digits: int, *, what: str, why: str, label: str = "search"
) -> Array:
    """The least k >= 0 with f(k) >= 0 for each of `count` items, where f = f_1 + ... + f_n and f_i is owner i's own.

        digit_s = #{ j = 1 .. F-1 : f(k_s + j w - 1) < 0 },    k_(s+1) = k_s + digit_s w,    w = F^(S-1-s),  k_0 = 0

    f never falls and |f| < 2^62, so the bits of a step are ones and then zeros, and are the digit; of an f that reaches
    0 nowhere, k is the last number that S digits write. k_s is public, so each owner evaluates f_i there itself.
    8 rounds a digit; reveals masked values and bits (uniform), and k in base F = 16: nothing that k does not tell.

    Args:
        own: takes points k (count, F - 1), gives this owner's f_i there, int64; not called in a dry run.
        digits: S, so that F^S numbers are searched.
    """
    found = np.zeros(count, dtype=np.int64)
    size = count * (FAN - 1)
    for step in range(digits):
        p.stage("search", step, digits)
        width = FAN ** (digits - 1 - step)
        points = p.compute(lambda: found[:, None] + width * np.arange(1, FAN) - 1, shape=(count, FAN - 1))  # noqa: B023
        mine = p.compute(lambda: own(points).reshape(size).view(np.uint64), shape=(size,))  # noqa: B023
        below = await less_than(p, Share(mine, 0), Share(np.zeros(size, dtype=np.uint64), 0), label=f"{label}/compare")
        (bits,) = await p.reveal(packed(p, below), what=what, why=why, label=f"{label}/digit")
        ones = unpacked(p, bits, size).reshape(count, FAN - 1)
        found = p.compute(lambda: found + width * ones.sum(axis=1).astype(np.int64), shape=(count,))  # noqa: B023
    return found
