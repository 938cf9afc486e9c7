"""An owner's table for `kind = "statistics"`: numbers, and the codes of categories; NaN where a value is missing.

Nothing here is seen by another party. A table's repr shows its shape only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parties.data.cells import TextForm
from parties.data.checks import find_columns, kinds_of, refuse_extremes, rows_text
from parties.data.features import Feature, is_level, read_features, refuse_unlisted, with_nan
from parties.data.header import Where
from parties.data.read import Column, RawTable, open_source
from parties.data.table import FEWEST_ROWS, Note
from parties.data.target import read_event
from parties.scenario.file import Scenario
from parties.tasks.statistics.settings import StatisticsTask, grid_of

Values = NDArray[np.float64]

_SMALLEST = 2.0**-30  # the smallest typical size of a column whose squares SUM_SCALE bits still hold to many digits


@dataclass(frozen=True, eq=False, repr=False)
class StatisticsTable:
    """An owner's rows: `values` is float64 (rows, columns), read-only. `digest` is the SHA-256 of all of it."""

    owner: str
    source: str
    columns: tuple[str, ...]
    values: Values
    notes: tuple[Note, ...] = ()

    @property
    def excluded(self) -> None:
        """No row is left out."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.values.shape[0])

    @property
    def numbers(self) -> Values:
        """All that is in each row."""
        return self.values

    @property
    def digest(self) -> str:
        """For the owner's own list of what was released about which data."""
        digest = hashlib.sha256(repr((self.columns, self.values.shape)).encode("utf-8"))
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").data)
        return digest.hexdigest()

    def select(self, names: Sequence[str]) -> StatisticsTable:
        """The same rows with these columns only, in this order."""
        places = [self.columns.index(name) for name in names]
        return StatisticsTable(self.owner, self.source, tuple(names), self.values[:, places], self.notes)

    def __repr__(self) -> str:
        """Shape only: a log may hold this text."""
        return f"StatisticsTable(owner={self.owner!r}, rows={self.rows}, columns={len(self.columns)})"


def load_statistics_table(scenario: Scenario, owner: str) -> StatisticsTable:
    """An owner's table as its scenario describes it.

    Raises:
        UsageError: the scenario does not say where this owner's data are.
        DataError: the data cannot be read, are not fit for the task, or are too few.
    """
    spec, task = scenario.parties[owner], scenario.task_as(StatisticsTask)
    form = TextForm(spec.encoding, spec.decimal, spec.thousands)
    with open_source(scenario.data_source(owner), owner, scenario.directory, form) as raw:
        table = _read(raw, task, owner)
        if spec.rows is not None and spec.rows != table.rows:
            raise raw.where.error(
                f"the scenario says rows = {spec.rows}, but there are {table.rows}",
                f"correct `rows` in [parties.{owner}], or the data",
            )
        if table.rows < FEWEST_ROWS:
            raise raw.where.error(
                f"{rows_text(table.rows)} of data, but an owner needs at least {FEWEST_ROWS}",
                "sums over so few would show its patients: add rows, or leave this owner out",
            )
        _check_grids(raw.where, table, task)
    return table


def _read(raw: RawTable, task: StatisticsTask, owner: str) -> StatisticsTable:
    numbers = find_columns(raw, task.numbers, "numbers")
    categories = find_columns(raw, task.grouping, "categories")
    events = find_columns(raw, task.events, "events")
    kinds = kinds_of(raw, numbers, required=True, dates=False, listed="[task]")
    parts = [read_features(raw, [Feature(column, kind) for column, kind in zip(numbers, kinds, strict=True)])]
    refuse_extremes(raw.where, task.numbers, parts[0], "[task]")
    _refuse_tiny(raw.where, task.numbers, parts[0])
    parts += [_codes(raw, column, task.categories[column.name])[:, None] for column in categories]
    parts += [read_event(raw, column)[:, None] for column in events]
    values = np.ascontiguousarray(np.hstack(parts))
    values.flags.writeable = False
    names = (*task.numbers, *task.grouping, *task.events)
    used = {column.index for column in (*numbers, *categories, *events)}
    ignored = [
        column.name or f"(column {column.index + 1}, without a name)"
        for column in raw.columns
        if column.index not in used
    ]
    return StatisticsTable(owner, raw.where.source, names, values, _notes(raw, ignored, names, values))


def _codes(raw: RawTable, column: Column, levels: Sequence[str]) -> Values:
    """The number of each row's level, NaN where it is missing."""
    refuse_unlisted(raw, column, levels)
    whens = " ".join(f"when {is_level(level)} then {code}.0" for code, level in enumerate(levels))
    return with_nan(raw.arrays([f"case {whens} end"], raw.view_of(column))["v0"])


def _notes(raw: RawTable, ignored: Sequence[str], names: Sequence[str], values: Values) -> tuple[Note, ...]:
    notes = []
    if ignored:
        notes.append(Note("info", f"columns that are not used: {', '.join(ignored)}"))
    repeated = raw.repeated([column for column in raw.columns if column.name])
    if repeated:
        notes.append(Note("warning", f"duplicates: {rows_text(repeated)} the same as an earlier one in every column"))
    empty = [name for name, column in zip(names, values.T, strict=True) if np.isnan(column).all()]
    if empty:
        notes.append(Note("warning", f"without any value: column {', '.join(empty)}"))
    return tuple(notes)


def _refuse_tiny(where: Where, names: Sequence[str], values: Values) -> None:
    """An error if a column's values are so small that sums of their squares would have few digits."""
    for name, column in zip(names, np.abs(values.T), strict=True):
        sizes = column[column > 0]
        if sizes.size and np.median(sizes) < _SMALLEST:
            raise where.error(f"column '{name}' has values too small for the sums' bits", "give it in smaller units")


def _check_grids(where: Where, table: StatisticsTable, task: StatisticsTask) -> None:
    """An error if a value lies outside of the grid that its answers are to be on."""
    times = {one.time for one in task.survival}
    for name, spec in task.grid.items():
        column, grid = table.values[:, table.columns.index(name)], grid_of(spec)
        low, high = grid.points[0], grid.points[-1]
        described = name in task.columns
        out = (column < low) | ((column > high) if described else np.zeros(len(column), dtype=bool))
        if out.any():
            what = "below" if name in times and not described else "outside of"
            raise where.error(
                f"column '{name}' has values {what} its grid, from {low:g} to {high:g}, in {rows_text(int(out.sum()))} "
                f"(first in data row {int(np.argmax(out)) + 1})",
                f"widen [task.grid] {name} in every party's scenario, or correct these cells",
            )
