"""Weighted least squares where owners have other columns of the same rows: the roots of the weights stay shared.

    least of  sum_i c_i (y_i - b x_i - b_0)^2   is least of  |s y - (s x) b - s b_0|^2      s_i = root of c_i

so every row, and the 1 that goes with it, is multiplied by s_i, which the target's owner has and nobody else learns;
the rest is least squares without an intercept of its own. The other owners scale their columns without knowing how much
a row counts, to a mean square of 1 of all rows alike. So s is divided by what makes it at most 1: then no column's mean
square is above 1, as the series of the inverse needs (least_squares.py), and all bounds of unweighted rows hold.
"""

from __future__ import annotations

import math

import numpy as np

from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate
from protocols.rows.own_rows import OwnColumns
from protocols.scaling.column_weights import check_equal, disclosed_power
from protocols.scaling.own_columns import entered
from protocols.scaling.row_weights import check_mean
from protocols.scaling.standardise import Moments

_FINEST = 24  # fractional bits of rows times roots, where sums over the rows fit: of the least weights 4 are lost


async def largest_ratio(p: Party, own: OwnColumns) -> float:
    """A power of two that no weight is above, in units of the mean weight. 1 round, which reveals it.

    Raises:
        DataError: (at the owner of the weights) they are 0, or too unequal.
    """
    ratio = None
    if own.target_owner == p.name and not p.dry:
        counts = np.asarray(own.offset_weights_train.counts)
        check_mean(float(counts.mean()), math.inf)
        check_equal(p.name, counts, "such a row decides the fit: give it less weight, or leave it out at all owners")
        ratio = max(1.0, float(counts.max() / counts.mean()))
    return await disclosed_power(
        p, own, ratio, "roots of weights are divided by its own, their mean being 1: a power of two"
    )


def entry_scale(rows: int) -> int:
    """Fractional bits of the columns and the roots."""
    return min(_FINEST, (61 - math.ceil(math.log2(rows))) // 2)


async def weighted_columns(p: Party, x: Share, own: OwnColumns, target: Moments | None, largest: float) -> Share:
    """[s x, s, s y] (m, d + 2) at `entry_scale`, from standardised columns x (m, d) at that scale.

    Args:
        target: how the target's owner standardises what is left of the target less the offset.
        largest: see `largest_ratio`.

    2 rounds; reveals values under uniform masks.
    """
    (rows, _), mine = x.shape, None
    if target is not None and not p.dry:
        counts = np.asarray(own.offset_weights_train.counts)
        # As they are rounded, so that all columns have the same weights.
        s = np.ldexp(np.rint(np.ldexp(np.sqrt(counts / (counts.mean() * largest)), x.scale)), -x.scale)
        y = target.apply(own.offset_weights_train.subtract_offset(own.y_train)[:, np.newaxis])[:, 0]
        mine = np.column_stack((s, s * y))
    ends = entered(p, own, mine, (rows, 2), x.scale)
    products = await multiply(p, ends[:, :1], x, label="weighted rows")
    counted = await truncate(p, products, x.scale)  # up or down by chance, and so off by nothing on average
    return Share(np.concatenate((counted.value, ends.value), axis=1), x.scale)
