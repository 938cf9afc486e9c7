"""A model that nobody sees, as one owner keeps it: its share of the weights, and the units of its rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc.ring.array import Array
from mpc.sharing.share import Share
from protocols.rows.limits import X_SCALE


@dataclass(frozen=True)
class Units:
    """The units of the weights, for one owner's rows.

    Args:
        mean, scale: public, or this owner's own: float64 (d,).
        shift: [a further offset of every row] (d,) at X_SCALE: the means where nobody may know them.
        centre: the middle of this owner's rows, float64 (d,), known to within `slack` scales.
    """

    mean: Array = field(repr=False)
    scale: Array = field(repr=False)
    shift: Share
    centre: Array = field(repr=False)
    slack: float = 0.0

    @staticmethod
    def known(mean: Array, scale: Array) -> Units:
        """The units with a known mean and scale, and no shared offset."""
        return Units(mean, scale, Share(np.zeros(mean.shape, dtype=np.uint64), X_SCALE), mean)

    def apply(self, x: Array) -> Array:
        """(x - mean) / scale, for rows x (m, d) in their own units."""
        return (x - self.mean) / self.scale


@dataclass(frozen=True)
class SharedModel:
    """One owner's share of a model: [w] (d + 1,), the intercept last, at scale `kept_scale(d)`; and its rows' units."""

    weights: Share
    units: Units
