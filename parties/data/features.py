"""The features that an owner's columns become: numbers, booleans and dates as one each, a category as several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parties.data.cells import MISSING_SQL, days_sql, literal
from parties.data.checks import ROW_HINT, Kind, find_columns, kinds_of, rows_text, whole
from parties.data.read import Column, RawTable
from parties.scenario.categories import as_number, indicators
from parties.scenario.models import ModelTask
from parties.scenario.problems import quote

_USED: tuple[Kind, ...] = ("number", "boolean", "date")


@dataclass(frozen=True)
class Feature:
    """A column that is used, its kind, and its levels if it is a category."""

    column: Column
    kind: Kind
    levels: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The features that it becomes."""
        return indicators(self.column.name, self.levels) if self.levels else (self.column.name,)


def choose_features(raw: RawTable, task: ModelTask, reserved: Sequence[Column]) -> list[Feature]:
    """The columns that the task names, or every numeric one and the categories, in the file's order.

    Raises:
        DataError: a column is not there, does not hold what it should, or would give a feature a name that is taken.
    """
    named = task.features is not None
    categories = {column.index: column for column in find_columns(raw, list(task.categories), "a category")}
    if task.features is not None:
        columns = find_columns(raw, task.features, "features")
    else:
        taken = {column.index for column in reserved}
        # A column without a name is a data frame's index: not a measurement.
        columns = [column for column in raw.columns if column.name and column.index not in taken]
    plain = [column for column in columns if column.index not in categories]
    dates = task.dates == "days"
    kinds = dict(zip(plain, kinds_of(raw, plain, required=named, dates=dates), strict=True))
    used: tuple[Kind, ...] = _USED if dates else _USED[:2]
    found = []
    for column in columns:
        if column.index in categories:
            levels = task.categories[column.name]
            refuse_unlisted(raw, column, levels)
            found.append(Feature(column, "text", levels))
        elif kinds[column] in used:
            found.append(Feature(column, kinds[column]))
    names = Counter(name for feature in found for name in feature.names)
    twice = [name for name, times in names.items() if times > 1]
    if twice:
        raise raw.where.error(f"a column and a level would both be the feature {quote(twice)}", "rename the column")
    return found


def read_features(raw: RawTable, features: Sequence[Feature]) -> NDArray[np.float64]:
    """The features' values (rows, features), NaN where a value is missing."""
    expressions = [sql for feature in features for sql in _expressions(raw, feature)]
    values = np.empty((raw.rows, len(expressions)), dtype=np.float64)
    if expressions:
        found = raw.arrays(expressions)
        for place in range(len(expressions)):
            values[:, place] = fill_with_nan(found[f"v{place}"])
    return values


def fill_with_nan(found: object) -> NDArray[np.float64]:
    """An array from DuckDB as float64, with NaN for null."""
    if isinstance(found, np.ma.MaskedArray):
        values = np.array(found.data, dtype=np.float64)
        values[np.ma.getmaskarray(found)] = np.nan
        return values
    return np.asarray(found, dtype=np.float64)


def is_level(level: str, s: str = "s", n: str = "n") -> str:
    """The SQL condition that a cell has this value: case does not matter, and 1.0 equals 1. Never null."""
    same = f"{s} = lower({literal(level)})"
    number = as_number(level)
    if number is not None:
        same += f" or {n} = {number!r}::double"
    return f"coalesce({same}, false)"


def _expressions(raw: RawTable, feature: Feature) -> list[str]:
    """The SQL of each feature that a column becomes."""
    column, text = feature.column, feature.column.text
    if feature.levels:
        number = raw.form.number(text)
        conditions = [is_level(level, text, f"({number})") for level in feature.levels]
        any_level = " or ".join(conditions)
        return [f"case when {one} then 1.0 when {any_level} then 0.0 end" for one in conditions[1:]]
    if feature.kind == "date":
        return [days_sql(text) if raw.is_text else f"epoch({column.sql}::timestamp) / 86400.0"]
    if feature.kind == "boolean" and raw.is_text:
        return [f"case {text} when 'true' then 1.0 when 'false' then 0.0 end"]
    if raw.is_text and not raw.form.usual:
        return [raw.form.number(text)]
    return [f"try_cast({column.sql} as double)"]


def refuse_unlisted(raw: RawTable, column: Column, levels: Sequence[str]) -> None:
    """Refuse a category that holds a value that is neither a level nor missing."""
    unlisted = " and ".join(f"not {condition}" for condition in (*map(is_level, levels), MISSING_SQL))
    view = raw.view_of(column)
    counts = [f"{count} filter (where {unlisted})" for count in ("count(*)", "count(distinct s)", "min(row)")]
    rows, different, first = (whole(count) for count in raw.one_row(counts, view))
    if rows:
        values = "1 value" if different == 1 else f"{different} values"
        raise raw.where.error(
            f"column '{column.name}' holds {values} that [task.categories] does not list, in {rows_text(rows)} "
            f"(first in data row {first})",
            f"list every level in every party's scenario, or correct these cells; {ROW_HINT}",
        )
