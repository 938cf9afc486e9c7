"""Does a model say what happens? Rows by tenths of predicted risk: how many have the outcome, how many should have.

The tenths are those of all owners' rows: the k-th of nine cuts is the least multiple c of 2^-8 with

    10 #{i : z_i <= c} >= k m          for the scores z_i of m rows, of any owner

found by secret comparison (search.py), so that the cuts alone are told. Each owner then counts its own rows of either
class in each tenth. Before anything of that is opened it is tested for small cells, and tenths are joined where there
are any (small_cells.py, suppression.py): what is told of either class is a number that is 0 or at least min_cell for
the others of every owner.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mpc.fixed import encode
from mpc.ghost import Array
from mpc.party import Party
from mpc.round import together
from mpc.share import Share
from protocols.metrics import SUM_SCALE, Scored
from protocols.search import digits_for, first_reached
from protocols.small_cells import merged_list
from protocols.suppression import Span

GROUPS = 10
STEP = 2.0**-8
_FARTHEST = 128.0  # scores beyond are taken to be there
_POINTS = round(2 * _FARTHEST / STEP)
CUTS = "tenths of risk"
CALIBRATION = "calibration"
WHY_CUTS = "what cuts all rows into tenths of predicted risk"
_WHY_CUTS = f"{WHY_CUTS}: nine scores, rounded up; each owner so learns how many of the others' rows are in each tenth"


@dataclass(frozen=True)
class Group:
    """Some tenths of the rows, by predicted risk: the first and the last of them, counted from 1; how many rows, how
    many of class 1, and how many were expected to be."""

    first: int
    last: int
    rows: int
    observed: int
    expected: float

    def as_dict(self) -> dict[str, Any]:
        """As `result.json` holds it."""
        return asdict(self)


Calibration = Mapping[str, tuple[Group, ...]]


def enough(rows: Sequence[int], min_cell: int) -> bool:
    """Whether tenths are told at all, of owners with so many rows: with any one left out, min_cell a tenth at least.

    Of rows that all owners have, there is one number.
    """
    return sum(rows) - (max(rows) if len(rows) > 1 else 0) >= GROUPS * min_cell


async def calibrate(p: Party, sets: Mapping[str, tuple[Scored, int]], min_cell: int) -> Calibration:
    """Each set's tenths, from each owner's own scores and labels, and how many rows all owners have; {} in a dry run.

    Of too few patients of a class there are none. 42 rounds; reveals per set the cuts, a bit for each stretch of tenths
    that says whether they are joined, and what is then told, beside masked values.
    """
    found = await together(*(_calibrate(p, scored, rows, min_cell) for scored, rows in sets.values()))
    return {} if p.dry else dict(zip(sets, found, strict=True))


async def _calibrate(p: Party, scored: Scored, rows: int, min_cell: int) -> tuple[Group, ...]:
    place = p.compute(lambda: places(scored.z), shape=scored.z.shape)

    def reached(points: Array) -> Array:
        return reached_by(np.searchsorted(np.sort(place), points, side="right"), rows, first=p.index == 0)

    cuts = await first_reached(
        p, reached, GROUPS - 1, digits_for(_POINTS), what=CUTS, why=_WHY_CUTS, label="calibration/cuts"
    )
    p.stage("calibration")
    group = p.compute(lambda: np.searchsorted(cuts, place, side="left"), shape=place.shape)
    mine = p.compute(lambda: cells_of(group, scored.y), shape=(GROUPS, 2))
    parts = [p.input(owner, mine if owner == p.name and not p.dry else None, (GROUPS, 2), 0) for owner in p.owners]
    risk = p.compute(lambda: 0.5 * (1 + np.tanh(0.5 * scored.z)), shape=place.shape)
    expected = p.compute(lambda: encode(np.bincount(group, risk, GROUPS), SUM_SCALE), shape=(GROUPS,))
    return await reveal_groups(p, parts, Share(expected, SUM_SCALE), min_cell)


async def reveal_groups(p: Party, parts: Sequence[Share], expected: Share, min_cell: int) -> tuple[Group, ...]:
    """The tenths, joined where cells are small, from each owner's part of the counts (10, 2) of rows of class 0 and of
    class 1, and the expected numbers (10,) of all.

    10 rounds; reveals what `calibrate` says.
    """
    counts, joined = await merged_list(p, parts, min_cell)
    why = "rows of class 0 and of class 1 in each tenth of predicted risk, or in several, and how many were expected"
    moved = expected if p.dry else Share(moves(joined) @ expected.value, expected.scale)
    told, sums = await p.reveal(counts, moved, what=CALIBRATION, why=why, label="calibration")
    if p.dry or joined == [(0, GROUPS)]:
        return ()
    table, real = told.value.astype(np.int64), sums.real()
    ends = {k: k + 1 for k in range(GROUPS) if not any(a <= k < b for a, b in joined)} | dict(joined)
    return tuple(
        Group(start + 1, end, int(table[end - 1].sum()), int(table[end - 1, 1]), float(real[end - 1]))
        for start, end in sorted(ends.items())
    )


def moves(joined: Sequence[Span]) -> Array:
    """What puts the sum of each stretch into its last place, as `merged_list` does; nothing if all are one stretch."""
    matrix = np.eye(GROUPS, dtype=np.uint64)
    for start, end in joined:
        matrix[start:end] = 0
        matrix[end - 1, start:end] = 0 if (start, end) == (0, GROUPS) else 1
    return matrix


def places(z: Array) -> Array:
    """The number of the least point on the grid that is no smaller, for each score."""
    return np.clip(np.ceil((z + _FARTHEST) / STEP), 0, _POINTS - 1).astype(np.int64)


def reached_by(counts: Array, rows: int, *, first: bool) -> Array:
    """10 C - k m at the points (9, n) where C rows are: an owner's part of it, of which the first has all that is
    public."""
    target = np.arange(1, GROUPS, dtype=np.int64)[:, np.newaxis] * rows
    return GROUPS * counts - target * first


def cells_of(group: Array, y: Array) -> Array:
    """How many rows of class 0 and of class 1 are in each tenth (10, 2), as ring elements."""
    counts = np.bincount(2 * group + y.astype(np.int64), minlength=2 * GROUPS)
    return counts.reshape(GROUPS, 2).astype(np.uint64)
