"""Offsets and weights of rows that all owners have; only the owner of the labels knows them.

This is for the maximum-likelihood fit; for weighted least squares see weighted_columns.py.

The other owners scale their columns without knowing how often a row counts. So counts are divided by a power of two
that is no smaller than any of them, and all bounds of unweighted rows hold. The labels' owner computes the fit
without features by itself, and only its log-likelihood is opened.
"""

from __future__ import annotations

import math

import numpy as np

from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from protocols.rows.own_rows import OwnColumns
from protocols.rows.settings import TrainingSettings
from protocols.scaling.row_weights import check_mean

MOST_UNEQUAL = 256.0  # the largest count over the mean: as much smaller is the least eigenvalue that is told from 0


async def largest_weight(p: Party, own: OwnColumns, settings: TrainingSettings) -> float:
    """A power of two at or above every row's count. 0 rounds without weights; else 1, which reveals it.

    Raises:
        DataError: (at the owner of the counts) they are 0, too large on average, or too unequal.
    """
    if not settings.weighted:
        return 1.0
    largest = None
    if own.target_owner == p.name and not p.dry:
        counts = np.asarray(own.offset_weights_train.counts)
        check_mean(float(counts.mean()))
        check_equal(
            p.name, counts, "split a row that counts so much into several, at all owners, with ids of their own"
        )
        largest = float(counts.max())
    return await disclosed_power(p, own, largest, "the weights are divided by it: a power of two, as its exponent")


async def disclosed_power(p: Party, own: OwnColumns, number: float | None, why: str) -> float:
    """A power of two at or above the number, which the target's owner has. 1 round, which reveals it."""
    exponent = None
    if number is not None:
        exponent = np.array([math.ceil(math.log2(number))], dtype=np.int64).view(np.uint64)
    share = p.input(own.target_owner, exponent, (1,), 0)
    (disclosed,) = await p.reveal(share, what="largest weight", why=why, label="largest weight")
    return 1.0 if p.dry else 2.0 ** int(Z64.centred(disclosed.value)[0])


def check_equal(owner: str, counts: Array, hint: str) -> None:
    """Refuse counts that differ too much.

    Raises:
        DataError: one does from their mean.
    """
    if counts.max() > MOST_UNEQUAL * counts.mean():
        raise DataError(
            f"{owner}: the largest weight is more than {MOST_UNEQUAL:g} times what weights are on average",
            hint,
            party=owner,
        )
