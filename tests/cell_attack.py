"""What the counts that a run of statistics tells give back of those that it withholds: by linear programming."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from protocols.statistics.cell_tests import cell_tests
from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.own_cells import OwnColumns, count_cells, places
from protocols.statistics.settings import Cells, StatisticsSettings
from protocols.survival.deferred import disclosed_times

Values = dict[str, Sequence[float]]
"""For each column what it may hold, NaN among it: one value of each kind that some table tells apart."""


def disclosed_in_clear(owned: Sequence[OwnColumns], settings: StatisticsSettings) -> Disclosure:
    """What is told, by the rule as it is written down, of counts alone."""
    tests = cell_tests(settings)
    parts = np.stack([tests.totalled([count_cells(own, one) for one in tests.tables]) for own in owned])
    others = parts.sum(axis=0) - parts
    small = ((others > 0) & (others < tests.least)).any(axis=0)
    disclosure = Disclosure(
        settings, {key: any(small[k] for k in asked if k >= 0) for key, asked in tests.questions.items()}
    )
    return replace(
        disclosure, ends={cells.name: ends_in_clear(owned, cells, disclosure) for cells in settings.curves.values()}
    )


def ends_in_clear(owned: Sequence[OwnColumns], cells: Cells, disclosure: Disclosure) -> NDArray[np.bool_]:
    """Where stretches of events end (groups, arms, T), by the rule as it is written down."""
    s, at = disclosure.settings, disclosed_times(cells.shape[-2] - 1)
    shape = (len(owned), s.groups, -1, *cells.shape[-2:])
    events = np.stack([count_cells(own, cells) for own in owned]).reshape(shape)[..., :-1, 1].cumsum(axis=-1)[..., at]
    ends = np.zeros((*events.shape[1:3], cells.shape[-2] - 1), dtype=bool)
    ends[..., at[-1]] = True
    for g, k in np.ndindex(*ends.shape[:2]):
        others = (events.sum(axis=0) - events)[:, g, k] * disclosure.is_disclosed("arm", cells, g, k)
        least = np.where(others[:, -1] == 0, 0, s.min_cell)
        begin = np.zeros(len(owned), dtype=np.int64)
        for t in range(len(at) - 1):
            if (others[:, t] - begin >= least).all() and (others[:, -1] - others[:, t] >= least).all():
                ends[g, k, at[t]], begin = True, others[:, t]
    return ends


@dataclass(frozen=True)
class Rows:
    """Every kind of row that there can be, each once, and how many of each every owner has."""

    kinds: OwnColumns
    counts: NDArray[np.int64]

    def of(self, owner: int) -> OwnColumns:
        """An owner's rows."""
        chosen = np.repeat(np.arange(self.kinds.rows), self.counts[owner])
        return OwnColumns({name: column[chosen] for name, column in self.kinds.values.items()}, len(chosen))


def drawn(values: Values, owners: int, rows: int, rng: np.random.Generator) -> Rows:
    """Random rows, of which some kinds are much rarer than others."""
    names = list(values)
    kinds = np.array(list(product(*values.values())))
    chance = np.ones(len(kinds))
    for k, name in enumerate(names):
        weights = {
            v if v == v else None: w for v, w in zip(values[name], rng.gamma(0.5, size=len(values[name])), strict=True)
        }
        chance *= [weights[v if v == v else None] + 0.02 for v in kinds[:, k]]
    counts = rng.multinomial(rows, chance / chance.sum(), size=owners)
    return Rows(OwnColumns(dict(zip(names, kinds.T, strict=True)), len(kinds)), counts)


def cell_rows(kinds: OwnColumns, cells: Cells) -> csr_array:
    """For each cell, which kinds of rows are counted there."""
    place = places(kinds, cells)
    there = np.flatnonzero(place >= 0)
    ones = np.ones(len(there))
    return csr_array((ones, (place[there], there)), shape=(cells.size, kinds.rows))


def known_rows(rows: Rows, disclosure: Disclosure) -> csr_array:
    """The totals that are known, over kinds of rows: all rows, cells that are told, merged stretches' totals."""
    s = disclosure.settings
    found = [np.ones((1, rows.kinds.rows))]
    for cells in s.cells:
        by_cell = cell_rows(rows.kinds, cells).toarray()
        if cells in s.curves.values():
            found += _stretches(by_cell, cells, disclosure)
            continue
        found.append(by_cell[disclosure.disclosed_cells(cells).reshape(-1)])
        if cells in s.binned.values():
            found.append(_merged(by_cell, cells, disclosure))
    return csr_array(np.concatenate(found))


def _stretches(by_cell: NDArray[np.float64], cells: Cells, disclosure: Disclosure) -> list[NDArray[np.float64]]:
    """Of each arm that is told: the events of its stretches, and all other rows."""
    found = []
    arms = by_cell.reshape(disclosure.settings.groups, -1, *cells.shape[-2:], by_cell.shape[1])
    for g, k in np.ndindex(*arms.shape[:2]):
        if disclosure.is_disclosed("arm", cells, g, k):
            ends = np.flatnonzero(disclosure.ends[cells.name][g, k])
            found.append(np.add.reduceat(arms[g, k, :-1, 1], np.concatenate(([0], ends[:-1] + 1)), axis=0))
            found.append((arms[g, k, :, 0].sum(axis=0) + arms[g, k, -1, 1])[None])
    return found


def known_lots(rows: Rows, disclosure: Disclosure, other: int) -> csr_array:
    """Beside that, of two owners: between which times all of the other's lots were lost; all that its counts tell.

    Of the last lot only where it can be neither what is left of one nor gone.
    """
    s, own = disclosure.settings, rows.of(other)
    found = [np.zeros((1, rows.kinds.rows))]
    for cells in s.curves.values():
        by_cell = cell_rows(rows.kinds, cells).toarray()
        arms = by_cell.reshape(s.groups, -1, *cells.shape[-2:], by_cell.shape[1])
        counts = count_cells(own, cells).reshape(arms.shape[:-1])[..., 0]
        for g, k in np.ndindex(*arms.shape[:2]):
            if disclosure.is_disclosed("arm", cells, g, k):
                lots = np.flatnonzero(counts[g, k, :-1])
                known = lots if counts[g, k, -1] != s.min_cell else lots[:-1]
                starts = np.concatenate(([0], known[:-1] + 1)) if len(known) else known
                found += [arms[g, k, a : b + 1, 0].sum(axis=0)[None] for a, b in zip(starts, known, strict=True)]
    return csr_array(np.concatenate(found))


def _merged(by_cell: NDArray[np.float64], cells: Cells, disclosure: Disclosure) -> NDArray[np.float64]:
    s = disclosure.settings
    shape = (s.groups, *cells.shape[1:]) if s.by else (1, *cells.shape)
    grid = by_cell.reshape(*shape, -1)
    axis = -2
    sums = [
        np.moveaxis(grid[g], axis, 0)[a:b].sum(axis=0).reshape(-1, by_cell.shape[1])
        for g in range(s.groups)
        for (a, b), total in disclosure.merged(cells, g)
        if total
    ]
    return np.concatenate([np.zeros((0, by_cell.shape[1])), *sums])


def one_by_one(rows: Rows, owned: Sequence[OwnColumns], settings: StatisticsSettings) -> csr_array:
    """The totals that would be known if small cells were withheld, and no others with them."""
    found = [np.ones((1, rows.kinds.rows))]
    for cells in (*(one for one in settings.cells if not one.deferred), *settings.exact_curves.values()):
        parts = np.stack([count_cells(own, cells).reshape(-1) for own in owned])
        others = parts.sum(axis=0) - parts
        small = ((others > 0) & (others < settings.min_cell)).any(axis=0)
        found.append(cell_rows(rows.kinds, cells).toarray()[~small])
    return csr_array(np.concatenate(found))


def recovered(rows: Rows, known: csr_array, settings: StatisticsSettings, attacker: int) -> Iterator[tuple[str, int]]:
    """The cells of 1 to min_cell - 1 rows of others that an owner, who knows its own part, solves for."""
    others = (rows.counts.sum(axis=0) - rows.counts[attacker]).astype(float)
    for name, target in _targets(rows.kinds, settings):
        if not 0 < target @ others < settings.min_cell:
            continue
        ends = []
        for sign in (1.0, -1.0):
            found = linprog(sign * target, A_eq=known, b_eq=known @ others, method="highs")
            ends.append(np.inf if found.status == 3 else sign * found.fun)
        if abs(ends[1] - ends[0]) < 1.0 - 1e-6:
            yield name, int(target @ others)


def _targets(kinds: OwnColumns, settings: StatisticsSettings) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Every cell that was asked for; the rows that lack a column; the rows that are in no cell of a table."""
    groups = cell_rows(kinds, settings.group_sizes).toarray()
    yield "without a group", 1.0 - groups.sum(axis=0)
    for cells in (settings.group_sizes, *settings.cells):
        by_cell = cell_rows(kinds, cells).toarray()
        for k, target in enumerate(by_cell):
            yield f"{cells.name} {k}", target
        for g, group in enumerate(groups):
            yield f"in no cell of {cells.name}, group {g}", group * (1.0 - by_cell.sum(axis=0))
