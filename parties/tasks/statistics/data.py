"""An owner's table for `kind = "statistics"`: numbers, and the codes of categories; NaN where a value is missing.

Nothing here is seen by another party. A table's repr shows its shape only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from parties.data.cells import TextForm
from parties.data.checks import FEWEST_ROWS, check_rows, find_columns, kinds_of, refuse_extremes, rows_text
from parties.data.features import Feature, read_features
from parties.data.header import Origin
from parties.data.notes import unused_columns
from parties.data.plain_table import PlainTable, category_codes, table_notes
from parties.data.read import RawTable, open_source
from parties.data.target import read_event
from parties.scenario.file import Scenario
from parties.tasks.privacy.rows import fewest_rows
from parties.tasks.statistics.settings import StatisticsTask, grid_of
from protocols.statistics.own_cells import OwnColumns

Values = NDArray[np.float64]

_SMALLEST = 2.0**-30  # the smallest typical magnitude of a column whose squares keep many digits at SUM_SCALE bits


def load_statistics_table(scenario: Scenario, owner: str) -> PlainTable:
    """An owner's table as its scenario describes it.

    Raises:
        UsageError: the scenario does not say where this owner's data are.
        DataError: the data cannot be read, are not fit for the task, or are too few.
    """
    spec, task = scenario.parties[owner], scenario.task_as(StatisticsTask)
    form = TextForm(spec.encoding, spec.decimal, spec.thousands)
    with open_source(scenario.data_source(owner), owner, scenario.directory, form) as raw:
        table = _read(raw, task, owner)
        check_rows(raw.where, spec.rows, table.rows, fewest_rows(scenario, FEWEST_ROWS))
        if scenario.privacy is None:  # with it, values beyond their grid count at its nearer end
            _check_grids(raw.where, table, task)
    return table


def own_columns(table: PlainTable) -> OwnColumns:
    """The table as the protocols take it."""
    return OwnColumns(dict(zip(table.columns, table.values.T, strict=True)), table.rows)


def _read(raw: RawTable, task: StatisticsTask, owner: str) -> PlainTable:
    numbers = find_columns(raw, task.numbers, "numbers")
    categories = find_columns(raw, task.grouping, "categories")
    events = find_columns(raw, task.events, "events")
    kinds = kinds_of(raw, numbers, required=True, dates=False, listed="[task]")
    parts = [read_features(raw, [Feature(column, kind) for column, kind in zip(numbers, kinds, strict=True)])]
    refuse_extremes(raw.where, task.numbers, parts[0], "[task]")
    _refuse_tiny(raw.where, task.numbers, parts[0])
    parts += [category_codes(raw, column, task.categories[column.name])[:, None] for column in categories]
    parts += [read_event(raw, column)[:, None] for column in events]
    values = np.ascontiguousarray(np.hstack(parts))
    values.flags.writeable = False
    names = (*task.numbers, *task.grouping, *task.events)
    used = {column.index for column in (*numbers, *categories, *events)}
    ignored = unused_columns(raw, used)
    return PlainTable(owner, raw.where.source, names, values, table_notes(raw, ignored, names, values))


def _refuse_tiny(where: Origin, names: Sequence[str], values: Values) -> None:
    """Refuse a column whose values are so small that sums of their squares would have few digits."""
    for name, column in zip(names, np.abs(values.T), strict=True):
        sizes = column[column > 0]
        if sizes.size and np.median(sizes) < _SMALLEST:
            raise where.error(f"column '{name}' has values too small for the sums' bits", "give it in smaller units")


def _check_grids(where: Origin, table: PlainTable, task: StatisticsTask) -> None:
    """Refuse values outside of their column's grid."""
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
