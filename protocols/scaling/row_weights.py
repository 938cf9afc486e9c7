"""Weighted rows of a fit: weights are divided by their mean, so that fixed point is as exact as without them.

Frequency weights are numbers of repeats of a row. Their divisor comes back into the variances: F of counts c / u is F
of c, divided by u. The size of a linear regression's weights, one over each row's variance up to a common factor, has
no meaning (linear/rows_job.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mpc.errors import DataError
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from protocols.core.secure_sum import secure_sum
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.settings import FitSettings
from protocols.scaling.standardise import SUM_RING, SUM_SCALE

LARGEST_MEAN = 1000.0  # an error is then 30 times smaller against what it is of rounding
LARGEST_COUNT = 1e6


@dataclass(frozen=True)
class RowWeights:
    """The sum of all owners' weights, and the divisor of the weights: public."""

    total: float
    unit: float

    def apply(self, offset_weights: OffsetWeights) -> OffsetWeights:
        """The same offsets, with counts divided by `unit`."""
        return (
            offset_weights
            if offset_weights.counts is None
            else replace(offset_weights, counts=offset_weights.counts / self.unit)
        )


async def pooled_weight(
    p: Party, offset_weights: OffsetWeights, settings: FitSettings, largest_mean: float = LARGEST_MEAN
) -> RowWeights:
    """The sum of all owners' counts, and the mean count, which is their divisor.

    Args:
        largest_mean: the largest mean count that is accepted.

    0 rounds without weights; else 1, which reveals the sum: with two owners each learns the other's.

    Raises:
        DataError: all counts are 0, or they are too large on average.
    """
    rows = sum(settings.train_rows)
    if not settings.weighted:
        return RowWeights(float(rows), 1.0)
    counts = np.zeros(0) if offset_weights.counts is None else offset_weights.counts
    own = p.compute(lambda: encode(np.array([counts.sum()]), SUM_SCALE, SUM_RING), shape=(1,))
    why = "how often all training rows count together, by their weights"
    total = await secure_sum(p, own, SUM_SCALE, SUM_RING, what="sum of weights", why=why, label="sum of weights")
    found = RowWeights(float(rows), 1.0)
    if not p.dry:
        weight = float(total.real()[0])
        check_mean(weight / rows, largest_mean)
        found = RowWeights(weight, weight / rows)
    return found


def check_mean(mean: float, largest: float = LARGEST_MEAN) -> None:
    """Refuse counts that are all 0, or too large on average.

    Raises:
        DataError: they are not.
    """
    if not mean > 0:
        raise DataError("the weights of all training rows are 0", "give rows that count")
    if mean > largest:
        raise DataError(
            f"the weights are more than {largest:g} on average: errors would be too small to be exact",
            "divide all weights by a number at all owners, and the errors found by its square root",
        )
