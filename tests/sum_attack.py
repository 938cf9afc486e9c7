"""What sums, squares, products and values on grids give back of counts that nobody was told: by linear programming.

As cell_attack.py, whose unknowns are the numbers of rows of each kind: a sum that is told is an equation of them, and a
quantile says how many rows at least and at most are on either side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.own_cells import places, reached_counts
from protocols.statistics.settings import Cells, Sample, Search, StatisticsSettings
from tests.cell_attack import Rows, cell_rows, known_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """Of the numbers of rows of each kind, over all owners: equal @ u is told, and least @ u is at least `bounds`."""

    equal: Floats
    least: Floats
    bounds: Floats


def known(rows: Rows, disclosure: Disclosure, found: NDArray[np.int64]) -> Known:
    """All that a run tells; `found` are the numbers of the points that were searched for."""
    equal = [known_rows(rows, disclosure).toarray()]
    for sample in disclosure.settings.samples:
        equal += _sums(rows, sample, disclosure)
    least, bounds = _sides(rows, disclosure, found)
    return Known(np.concatenate(equal), least, bounds)


def _sums(rows: Rows, sample: Sample, disclosure: Disclosure) -> list[Floats]:
    """Sums of values and, about the means that are told, of their products, in each cell whose sums are told."""
    by_cell = cell_rows(rows.kinds, sample.cells).toarray()[disclosure.disclosed_sums(sample).reshape(-1)]
    columns = [np.nan_to_num(rows.kinds.values[name]) for name in sample.cells.present]
    sums = [by_cell * column for column in columns]
    if sample.squares:
        sums += [by_cell * columns[i] * columns[j] for i, j in sample.products]
    return sums


def _sides(rows: Rows, disclosure: Disclosure, found: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Of each point: enough rows up to it, and not enough up to the one before it."""
    s = disclosure.settings
    least, bounds = [np.zeros((0, rows.kinds.rows))], []
    for search, point, is_told in zip(s.searches, found, disclosure.disclosed_searches, strict=True):
        if not is_told:
            continue
        there = places(rows.kinds, Cells("", s.by_axes, (search.column,))) == search.group
        kinds = np.array(
            [_reach(rows, s, search, kind, int(point)) if there[kind] else (0, 0) for kind in range(len(there))]
        )
        enough, before = kinds.T.astype(float)
        count = int(rows.counts.sum(axis=0) @ there)
        rank = 1 if search.rank == "min" else count if search.rank == "max" else math.ceil(search.rank * count)
        least.append(np.stack((enough, -before)))
        bounds += [float(rank), 1.0 - rank]
    return np.concatenate(least), np.array(bounds)


def _reach(rows: Rows, s: StatisticsSettings, search: Search, kind: int, point: int) -> tuple[int, int]:
    """Whether a row of a kind counts at the point that was found, and at the one before it."""
    one = Rows(rows.kinds, np.eye(rows.kinds.rows, dtype=np.int64)[[kind]]).of(0)
    counts = np.concatenate(([0], reached_counts(one, s, *search.counted)))
    return int(counts[point + 1]), int(counts[point])


def targets(rows: Rows, settings: StatisticsSettings) -> Iterator[tuple[str, Floats]]:
    """Each value of each column, by group: how many rows have it, and how many have another."""
    columns = dict.fromkeys(name for sample in settings.samples for name in sample.cells.present)
    for name in columns:
        of = rows.kinds.values[name]
        for g in range(settings.groups):
            there = places(rows.kinds, Cells("", settings.by_axes, (name,))) == g
            for value in np.unique(of[there]):
                yield f"{name} = {value:g}, group {g}", (there & (of == value)).astype(float)
                yield f"{name} other than {value:g}, group {g}", (there & (of != value)).astype(float)


def recovered(rows: Rows, told: Known, settings: StatisticsSettings, attacker: int) -> Iterator[str]:
    """The cells of 1 to min_cell - 1 rows of others that an owner, who knows its own part, solves for."""
    own = rows.counts[attacker].astype(float)
    others = rows.counts.sum(axis=0) - own
    equal = _independent(told.equal)
    for name, target in targets(rows, settings):
        if not 0 < target @ others < settings.min_cell:
            continue
        ends = []
        for sign in (1.0, -1.0):
            found = linprog(
                sign * target,
                A_ub=-told.least if len(told.bounds) else None,
                b_ub=told.least @ own - told.bounds if len(told.bounds) else None,
                A_eq=equal,
                b_eq=equal @ others,
                method="highs",
            )
            assert found.status in (0, 3), found.message
            ends.append(np.inf if found.status == 3 else sign * found.fun)
        if abs(ends[1] - ends[0]) < 1.0 - 1e-6:
            yield name


def _independent(equal: Floats) -> Floats:
    """Orthonormal combinations of these equations, as many as say something of their own."""
    scaled = equal / np.abs(equal).max(axis=1, keepdims=True).clip(1e-300)
    _, sizes, directions = np.linalg.svd(scaled, full_matrices=False)
    found: Floats = directions[sizes > 1e-9 * sizes[0]]
    return found
