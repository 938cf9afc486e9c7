"""Columns in units in which every entry is from -1 to 1, so that sums of products have bounds that all know.

    x' = (clip(x) - centre) / unit          unit = max(high - centre, centre - low)

for the agreed range from low to high of each column. A maximum-likelihood fit does not depend on the units, and is
brought back by `change`: so it is that of the clipped rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.errors import UsageError
from mpc.ring.array import Array


@dataclass(frozen=True)
class Units:
    """The units of p columns.

    Args:
        low, high: each column's range (p,).
        centre: what is 0 (p,): the pooled means where these are known, else the middle of the range. Close to the mean,
            less is lost to rounding.
    """

    low: Array
    high: Array
    centre: Array

    @property
    def unit(self) -> Array:
        """What is 1 (p,)."""
        unit: Array = np.maximum(self.high - self.centre, self.centre - self.low)
        return unit

    def apply(self, x: Array) -> tuple[Array, int]:
        """The rows x (n, p) in these units, and how many values were clipped to the range."""
        within = np.clip(x, self.low, self.high)
        return (within - self.centre) / self.unit, int(np.count_nonzero(within != x))

    def change(self) -> Array:
        """A (p + 1, p + 1): w, the intercept last, are coefficients A w in the columns' own units."""
        p = len(self.centre)
        matrix = np.zeros((p + 1, p + 1))
        matrix[np.arange(p), np.arange(p)] = 1 / self.unit
        matrix[p, :p] = -self.centre / self.unit
        matrix[p, p] = 1
        return matrix


def units_of(low: Array, high: Array, centre: Array | None = None) -> Units:
    """The units of columns within these ranges (p,).

    Raises:
        UsageError: a range is empty, or a centre outside it.
    """
    middle = (low + high) / 2 if centre is None else centre
    if not np.all(low < high) or not np.all((low <= middle) & (middle <= high)):
        raise UsageError("a feature's range is empty, or its mean is outside it", "give the smaller number first")
    return Units(low, high, middle)
