"""Calibration by tenths of predicted risk: the observed and the expected number of rows of class 1 in each.

The tenths are those of all owners' rows: the k-th of nine cuts is the least multiple c of 2^-8 with

    C(c) >= k m / 10,    C(c) = #{i : z_i <= c}    for the scores z_i of m rows, of any owner

found under sharing (grid_search.py). Nobody learns a cut: with it each of two owners would know how many of the other's
rows are in a tenth. Each owner's rows of either class up to a cut, and the risks' sum, are looked up at the shared
point. These are tested for small cells before they are opened, and tenths with small cells are joined (small_cells.py,
suppression.py): each disclosed number of rows of a class is 0 or at least min_cell for the others of every owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Share
from protocols.core.grid_search import Wanted, grid_search, looked_up
from protocols.disclosure.small_cells import merged_list
from protocols.disclosure.suppression import Span
from protocols.evaluation.metrics import SUM_SCALE, Scored
from protocols.rows.results import Calibration, Group

GROUPS = 10
STEP = 2.0**-8
FARTHEST = 32.0  # scores beyond are taken to be there: their risks are within 10^-13 of 0 and of 1
_POINTS = round(2 * FARTHEST / STEP)
CALIBRATION = "calibration"


def enough(rows: Sequence[int], min_cell: int) -> bool:
    """Whether tenths are disclosed at all: without any one owner, the others have min_cell rows a tenth at least.

    Where all owners have the same rows, `rows` has one number.
    """
    return sum(rows) - (max(rows) if len(rows) > 1 else 0) >= GROUPS * min_cell


async def calibrate(p: Party, sets: Mapping[str, tuple[Scored, int]], min_cell: int) -> Calibration:
    """Each set's tenths, from each owner's own scores and labels and the number of all rows; {} in a dry run.

    Of too few patients of a class there are none. 30 rounds; reveals per set a bit for each stretch of tenths that says
    whether they are joined, and what is then told, beside masked values.
    """
    found = await together(*(_calibrate(p, scored, rows, min_cell) for scored, rows in sets.values()))
    return {} if p.dry else dict(zip(sets, found, strict=True))


async def _calibrate(p: Party, scored: Scored, rows: int, min_cell: int) -> tuple[Group, ...]:
    p.stage("calibration")
    owners = len(p.owners)
    up_to = p.compute(lambda: sums_up_to(scored), shape=(3, _POINTS))
    wanted = Wanted(_POINTS, least_in(rows), lambda: up_to[0].view(np.int64))
    (found,) = await grid_search(p, [wanted])
    kinds = owners + 1
    more = await looked_up(p, wanted, found, lambda: _placed(up_to[1:2], up_to[2:], p.index, owners), kinds)
    ends = p.compute(lambda: _placed(up_to[:2, -1:], up_to[2:, -1:], p.index, owners).T, shape=(1, 2 * owners + 1))
    below = np.concatenate((np.concatenate((found.up_to.value, more.value), axis=1), ends))
    each = np.concatenate((below[:1], below[1:] - below[:-1]))
    parts = [np.concatenate((each[:, k : k + 1], each[:, owners + k : owners + k + 1]), axis=1) for k in range(owners)]
    counts = [Share(np.concatenate((part[:, :1] - part[:, 1:], part[:, 1:]), axis=1), 0) for part in parts]
    return await reveal_groups(p, counts, Share(each[:, -1], SUM_SCALE), min_cell)


async def reveal_groups(p: Party, parts: Sequence[Share], expected: Share, min_cell: int) -> tuple[Group, ...]:
    """The tenths, joined where cells are small, from each owner's part of the counts (10, 2) of rows of class 0 and of
    class 1, and the expected numbers (10,) of all.

    10 rounds; reveals what `calibrate` says.
    """
    counts, joined = await merged_list(p, parts, min_cell)
    why = "rows of class 0 and of class 1 in each tenth of predicted risk, or in several, and how many were expected"
    moved = expected if p.dry else Share(moves(joined) @ expected.value, expected.scale)
    opened, sums = await p.reveal(counts, moved, what=CALIBRATION, why=why, label="calibration")
    if p.dry or joined == [(0, GROUPS)]:
        return ()
    table, real = opened.value.astype(np.int64), sums.real()
    ends = {k: k + 1 for k in range(GROUPS) if not any(a <= k < b for a, b in joined)} | dict(joined)
    return tuple(
        Group(start + 1, end, int(table[end - 1].sum()), int(table[end - 1, 1]), float(real[end - 1]))
        for start, end in sorted(ends.items())
    )


def moves(joined: Sequence[Span]) -> Array:
    """The matrix that adds each stretch up at its last place, as `merged_list` does; 0 if all are one stretch."""
    matrix = np.eye(GROUPS, dtype=np.uint64)
    for start, end in joined:
        matrix[start:end] = 0
        matrix[end - 1, start:end] = 0 if (start, end) == (0, GROUPS) else 1
    return matrix


def places(z: Array) -> Array:
    """The number of the least point on the grid that is no smaller, for each score."""
    return np.clip(np.ceil((z + FARTHEST) / STEP), 0, _POINTS - 1).astype(np.int64)


def sums_up_to(scored: Scored) -> Array:
    """For the rows with scores up to each point of the grid: their number, those of class 1, and the sum of their risks
    at SUM_SCALE; (3, G), as ring elements."""
    place, risk = places(scored.z), 0.5 * (1 + np.tanh(0.5 * scored.z))
    everyone, positive, expected = (
        np.cumsum(np.bincount(place, weights, _POINTS)) for weights in (None, scored.y, risk)
    )
    counts = np.stack((everyone, positive)).astype(np.uint64)
    return np.concatenate((counts, encode(expected, SUM_SCALE)[np.newaxis]))


def least_in(rows: int) -> Array:
    """The least number of rows up to each cut, int64 (9,): k m / 10, rounded up."""
    return -(-np.arange(1, GROUPS, dtype=np.int64) * rows // GROUPS)


def _placed(own: Array, summed: Array, index: int, owners: int) -> Array:
    """This owner's share of each kind in `own` of every owner, all owners' of one kind after the other, and then of the
    sums over all owners of what is in `summed`."""
    found = np.zeros((own.shape[0], owners, own.shape[1]), dtype=np.uint64)
    found[:, index] = own
    return np.concatenate((found.reshape(-1, own.shape[1]), summed))
