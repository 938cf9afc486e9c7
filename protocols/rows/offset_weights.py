"""Offsets and weights: a fit's data about rows besides features and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array


@dataclass(frozen=True)
class OffsetWeights:
    """The rows' offsets and weights, float64 (m,) each; None where the settings have none.

    Args:
        offset: the addend of each row's score, with coefficient 1.
        counts: frequency weights, whole or not; in a linear regression the rows' weights.
    """

    offset: Array | None = None
    counts: Array | None = None

    def of(self, rows: Array) -> OffsetWeights:
        """The same of some of the rows."""
        return OffsetWeights(*(None if one is None else one[rows] for one in (self.offset, self.counts)))

    @staticmethod
    def joined(parts: Sequence[OffsetWeights]) -> OffsetWeights:
        """The offsets and weights of all these rows, one part after the other; every part has them, or none."""
        offsets = [part.offset for part in parts if part.offset is not None]
        counts = [part.counts for part in parts if part.counts is not None]
        return OffsetWeights(np.concatenate(offsets) if offsets else None, np.concatenate(counts) if counts else None)

    def add_offset(self, z: Array) -> Array:
        """Scores with the offset, if there is one."""
        return z if self.offset is None else z + self.offset

    def subtract_offset(self, y: Array) -> Array:
        """Targets less the offset, if there is one."""
        return y if self.offset is None else y - self.offset


NO_OFFSET_WEIGHTS = OffsetWeights()
