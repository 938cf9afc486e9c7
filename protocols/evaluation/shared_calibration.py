"""Calibration by tenths of predicted risk (calibration.py) where scores are shared: each owner has a part of each.

The cuts are bins of the histogram that the AUC is counted from, about the mean score: which bin has C >= k m / 10 is
found on the shared sums of its counts (grid_search.py), and its upper edge looked up. Nobody learns mean, bin or edge.
Then for each row and cut [c < cut] is a shared bit, and what is below a cut is one product of matrices,

    (rows of class 1, expected ones) below cut k = sum_i [c_i < cut_k] (y_i, sigma(z_i))
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Share
from protocols.core.beaver import matmul
from protocols.core.comparison import less_than
from protocols.core.grid_search import Wanted, grid_search, looked_up
from protocols.core.secure_sum import total_of
from protocols.core.selection import as_numbers, clamp
from protocols.evaluation.calibration import GROUPS, least_in, reveal_groups
from protocols.evaluation.shared_scores import CHUNK, SCORE_SCALE, SharedScores, upper_edges
from protocols.functions.histogram import BINS
from protocols.functions.logistic_series import ANGLE_SCALE, SERIES_SCALE, logistic_parts
from protocols.rows.results import Calibration, Group

_CLAMP_BITS = 4  # logistic_series.LARGEST
_ALL = 1 << 60  # beyond every score, and so far below 2^63 that no difference from one wraps around


async def calibrate_shared(p: Party, sets: Mapping[str, tuple[SharedScores, Share]], min_cell: int) -> Calibration:
    """Each set's tenths, from its scores and the histogram (1024,) of all its rows; {} in a dry run.

    40 rounds, and 10 more for each 2^14 rows after the first; reveals per set a bit for each stretch of tenths that
    says whether they are joined, and the joined tenths, beside masked values.
    """
    found = await together(*(_calibrate(p, scored, bins, min_cell) for scored, bins in sets.values()))
    return {} if p.dry else dict(zip(sets, found, strict=True))


async def _calibrate(p: Party, scored: SharedScores, bins: Share, min_cell: int) -> tuple[Group, ...]:
    rows = scored.z.shape[0]
    p.stage("calibration")
    below = p.compute(lambda: np.cumsum(bins.value, dtype=np.uint64).view(np.int64), shape=(BINS,))
    wanted = Wanted(BINS, least_in(rows), lambda: below)
    (found,) = await grid_search(p, [wanted])
    edges = (await looked_up(p, wanted, found, lambda: _edges(first=p.index == 0), 1)).reshape(GROUPS - 1)
    parts = [
        await _below(p, SharedScores(scored.z[some], scored.centred[some], scored.y[some]), edges)
        for some in (slice(start, start + CHUNK) for start in range(0, rows, CHUNK))
    ]
    total = total_of(parts)
    everyone, positive, expected = (_tenths_of(total[:, k : k + 1]) for k in range(3))
    counts = np.concatenate([one.value for one in (everyone - positive, positive)], axis=1)
    # No owner knows a part of a count by itself: so the whole is what others have, whoever asks.
    none = Share(np.zeros((GROUPS, 2), dtype=np.uint64))
    parts = [Share(counts), *[none] * (len(p.owners) - 1)]
    return await reveal_groups(p, parts, expected.reshape(GROUPS).at_scale(SERIES_SCALE), min_cell)


def _edges(*, first: bool) -> Array:
    """All bins' upper edges (1, 1024) as a share, which the first owner holds."""
    return upper_edges(np.arange(BINS), _ALL)[np.newaxis] * int(first)


def _tenths_of(below: Share) -> Share:
    """The counts in each tenth (10, 1), from those below each cut and in all."""
    return Share(np.concatenate((below.value[:1], below.value[1:] - below.value[:-1])), below.scale)


async def _below(p: Party, rows: SharedScores, edges: Share) -> Share:
    """The rows below each edge and all rows (10,), those of class 1, and those expected to be, at SERIES_SCALE:
    (10, 3), as ring elements. 10 rounds; reveals masked values and bits only.
    """
    (m,), cuts = rows.z.shape, GROUPS - 1
    repeated = Share(np.concatenate([rows.centred.value] * cuts), SCORE_SCALE)
    limits = Share((edges.value.reshape(cuts, 1) + np.zeros((1, m), dtype=np.uint64)).reshape(cuts * m), SCORE_SCALE)
    bits, within = await together(
        less_than(p, repeated, limits, label="calibration/compare"),
        clamp(p, rows.z, _CLAMP_BITS, label="calibration/clamp"),
    )
    angle = within.shifted(ANGLE_SCALE - SCORE_SCALE).at_scale(ANGLE_SCALE)
    is_below, logistic = await together(
        as_numbers(p, bits, label="calibration/bits"), logistic_parts(p, angle, label="calibration/risk")
    )
    risk = p.plus(logistic[0], p.constant(1 << (SERIES_SCALE - 1), (1,), SERIES_SCALE))
    table = is_below.reshape(cuts, m)
    both = np.concatenate((rows.y.value.reshape(m, 1), risk.value.reshape(m, 1)), axis=1)
    sums = await matmul(p, table, Share(both), label="calibration/sums")
    below = np.concatenate((table.sum(axis=1).value.reshape(cuts, 1), sums.value), axis=1)
    everyone = [p.public(p.constant(m, (1,))), rows.y.sum(), risk.sum()]
    of_all = np.concatenate([one.value.reshape(1, 1) for one in everyone], axis=1)
    return Share(np.concatenate((below, of_all)))
