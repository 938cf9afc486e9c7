"""Joint standardisation: pooled means first, then pooled centred squares, summed in a wide ring."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.ring.rings import wide
from mpc.ring.slices import slices
from mpc.runtime.party import Party
from protocols.core.secure_sum import secure_sum

SUM_RING = wide(256)
SUM_SCALE = 96
MAX_MAGNITUDE = 2.0**40  # |x| allowed: squares of 2^40 over 2^30 rows at 96 fractional bits fit 255 bits


@dataclass(frozen=True)
class Moments:
    """Pooled means and standard deviations (population), float64 (d,): the same bits at every owner."""

    mean: Array
    deviation: Array

    def apply(self, x: Array) -> Array:
        """(x - mean) / deviation, for rows x (m, d)."""
        centred = x - self.mean
        centred /= self.deviation  # in its place: a table may be large
        return centred


async def moments(
    p: Party, x: Array, rows: int | float, features: tuple[str, ...], counts: Array | None = None
) -> Moments:
    """Pooled mean and standard deviation of each feature, from each owner's own rows x (m, d), |x| <= 2^40.

    Args:
        rows: how many rows all owners have; with `counts` the sum of these over all of them.
        counts: how often each row counts (m,), below 2^20 each.

    2 rounds; reveals the pooled means and standard deviations, as the model's scaling needs them.

    Raises:
        DataError: a feature is constant over all owners' training rows; says which.
    """
    columns = (len(features),)

    def summed(values: Callable[[Array], Array]) -> Array:
        return encode(_column_sums(values, x, counts), SUM_SCALE, SUM_RING)

    sums = p.compute(lambda: summed(lambda rows: rows), shape=columns)
    why = "standardisation: every owner scales its rows by them"
    total = await secure_sum(p, sums, SUM_SCALE, SUM_RING, what="feature means", why=why, label="means")
    mean = p.compute(lambda: _ratios(SUM_RING.centred(total.value), rows), shape=columns)
    squares = p.compute(lambda: summed(lambda rows: (rows - mean) ** 2), shape=columns)
    total2 = await secure_sum(
        p, squares, SUM_SCALE, SUM_RING, what="feature standard deviations", why=why, label="centred squares"
    )
    variance = p.compute(lambda: _ratios(SUM_RING.centred(total2.value), rows), shape=columns)

    def constant() -> list[str]:
        floor = (np.abs(mean) * 2.0**-40) ** 2  # below this the spread is the rounding of the sums
        return [name for name, v, f in zip(features, variance, floor, strict=True) if not v > f]

    p.insist_jointly(
        lambda: not constant(),
        lambda: DataError(
            f"column {', '.join(constant())} has the same value in all training rows of all owners",
            "leave it out of `features`: a constant column tells the model nothing",
        ),
    )
    deviation = p.compute(lambda: np.array([math.sqrt(v) for v in variance]), shape=columns)
    return Moments(mean, deviation)


def _column_sums(values: Callable[[Array], Array], x: Array, counts: Array | None) -> Array:
    """The sum of values(x) over the rows of x (m, d), row by row, each counted so often: (d,)."""
    total = np.zeros(x.shape[1])
    for part in slices(*x.shape):
        rows = values(x[part])
        total += (rows if counts is None else rows * counts[part, np.newaxis]).sum(axis=0)
    return total


def _ratios(numerators: Array, rows: int | float) -> Array:
    """Integers at SUM_SCALE by a number, each rounded correctly: Python's division of integers is."""
    up, down = rows.as_integer_ratio()
    denominator = up << SUM_SCALE
    return np.array([int(n) * down / denominator for n in numerators], dtype=np.float64)
