"""An owner's data: read, checked, and held as float64 columns and a 0/1 target.

Nothing here is seen by another party. A `Table`'s repr shows its shape only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from parties.data_checks import (
    MAX_MAGNITUDE,
    Kind,
    check_ids,
    find_columns,
    kinds_of,
    read_numbers,
    read_target,
    refuse_extremes,
    refuse_missing,
)
from parties.data_read import Column, RawTable, open_source
from parties.scenario import LogisticTask, Scenario, SqlSource
from parties.scenario_errors import nearest, quoted

__all__ = ["MAX_MAGNITUDE", "Table", "load_owner_table", "load_table"]


def load_owner_table(scenario: Scenario, owner: str) -> Table:
    """An owner's table as its scenario describes it.

    Raises:
        UsageError: the scenario does not say where this owner's data are.
        DataError: the data cannot be read or are not fit for the task.
    """
    table = load_table(scenario.data_source(owner), scenario.task, owner, scenario.directory)
    stated = scenario.parties[owner].rows
    if stated is not None and stated != table.rows:
        raise DataError(
            f"{owner}, {table.source}: the scenario says rows = {stated}, but there are {table.rows}",
            f"correct `rows` in [parties.{owner}], or the data",
            party=owner,
        )
    return table


def load_table(source: str | SqlSource, task: LogisticTask, owner: str, base: Path) -> Table:
    """Read the columns that a task needs.

    Args:
        source: a CSV or Parquet file, or a query of a DuckDB database.
        task: names the target, and may name features and an id.
        owner: whose data they are; errors name this party.
        base: the folder that a relative path starts from.

    Raises:
        DataError: the data cannot be read or are not fit for the task.
    """
    with open_source(source, owner, base) as raw:
        (target_column,) = find_columns(raw, [task.target], "the target")
        ids = find_columns(raw, [task.id], "the id") if task.id is not None else []
        columns, kinds = _features(raw, task, [target_column, *ids])
        values = read_numbers(raw, columns, kinds)
        target = read_target(raw, target_column)
        missing = np.isnan(values).sum(axis=0)
        if task.features is None:
            # A column without a single value says nothing; one that lacks some is an error.
            kept = [place for place in range(len(columns)) if missing[place] < raw.rows]
            columns, values, missing = [columns[i] for i in kept], values[:, kept], missing[kept]
        if not columns:
            raise raw.where.error(
                f"there is no numeric column besides the target '{task.target}'"
                + (f" and the id '{task.id}'" if task.id is not None else ""),
                "give the columns that predict the target as numbers",
            )
        names = tuple(column.name for column in columns)
        counts = [int(np.isnan(target).sum()), *(int(count) for count in missing)]
        refuse_missing(raw.where, [task.target, *names], counts)
        refuse_extremes(raw.where, names, values)
        for column in ids:
            check_ids(raw, column)
        used = {column.index for column in (target_column, *ids, *columns)}
        ignored = tuple(_label(column) for column in raw.columns if column.index not in used)
        return _table(owner, raw.where.source, names, values, target, ignored)


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """An owner's rows, ready to be computed with.

    `values` is float64 (rows, columns), C-contiguous and read-only; `target` holds exactly 0.0 and 1.0.
    `digest` is the SHA-256 of all of it, for the owner's own list of what was released about which data.
    `ignored` names the columns that the source has and the task does not use.
    """

    owner: str
    source: str
    columns: tuple[str, ...]
    values: NDArray[np.float64]
    target: NDArray[np.float64]
    digest: str
    ignored: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self.values.shape[0])

    def select(self, names: Sequence[str]) -> Table:
        """The same rows with these columns only, in this order.

        Raises:
            DataError: the table has no such column.
        """
        absent = [name for name in names if name not in self.columns]
        if absent:
            guess = nearest(absent[0], self.columns)
            raise DataError(
                f"{self.owner}, {self.source}: there is no numeric column {quoted(absent)}",
                f"did you mean '{guess}'?" if guess else "",
                party=self.owner,
            )
        places = [self.columns.index(name) for name in names]
        left = tuple(name for name in self.columns if name not in set(names))
        return _table(self.owner, self.source, tuple(names), self.values[:, places], self.target, self.ignored + left)

    def __repr__(self) -> str:
        """Shape only: a log may hold this text."""
        return f"Table(owner={self.owner!r}, rows={self.rows}, columns={len(self.columns)})"


def _features(raw: RawTable, task: LogisticTask, reserved: Sequence[Column]) -> tuple[list[Column], list[Kind]]:
    """The feature columns and what they hold: those that the task names, or every numeric one."""
    if task.features is not None:
        named = find_columns(raw, task.features, "features")
        return named, kinds_of(raw, named, required=True)
    taken = {column.index for column in reserved}
    # A column without a name is what a data frame's index becomes in a file: not a measurement.
    candidates = [column for column in raw.columns if column.name and column.index not in taken]
    kinds = kinds_of(raw, candidates, required=False)
    numeric = [(c, kind) for c, kind in zip(candidates, kinds, strict=True) if kind in ("number", "boolean")]
    return [column for column, _ in numeric], [kind for _, kind in numeric]


def _label(column: Column) -> str:
    return column.name or f"(column {column.index + 1}, without a name)"


def _table(
    owner: str,
    source: str,
    columns: tuple[str, ...],
    values: NDArray[np.float64],
    target: NDArray[np.float64],
    ignored: tuple[str, ...],
) -> Table:
    values = np.ascontiguousarray(values, dtype=np.float64)
    target = np.ascontiguousarray(target, dtype=np.float64)
    values.flags.writeable = False
    target.flags.writeable = False
    digest = hashlib.sha256(repr((columns, values.shape)).encode("utf-8"))
    digest.update(values.astype("<f8", copy=False).data)
    digest.update(target.astype("<f8", copy=False).data)
    return Table(owner, source, columns, values, target, digest.hexdigest(), ignored)
