"""What an owner's columns are, and whether they are fit to be computed with.

Messages name the file, the column and the row's number, never what a cell holds: they stay with the owner,
and even there a log is no place for a patient's values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from parties.data_read import Column, RawTable, Where
from parties.scenario_errors import nearest, quoted

MAX_MAGNITUDE = 2.0**40
"""The largest absolute value a cell may have: the fixed-point arithmetic has room for no more."""

Kind = Literal["number", "boolean", "empty", "text", "other"]

_SIGNED_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBER_TYPES = frozenset([*_SIGNED_TYPES, *(f"U{name}" for name in _SIGNED_TYPES), "FLOAT", "DOUBLE"])
_MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", ".", "-", "?")
_MISSING_SQL = f"(s is null or s in ({', '.join(repr(token) for token in _MISSING)}))"
# DuckDB takes 1_000 for a number; nobody's hospital system writes that and means 1000.
_NUMBER_SQL = "coalesce(try_cast(s as double) is not null and not contains(s, '_'), false)"
_NUMBER_PRESENT_SQL = f"({_NUMBER_SQL} and not {_MISSING_SQL})"
_BOOLEAN_SQL = "coalesce(s in ('true', 'false'), false)"
# 1,234.5 or 1.234,5 or 1 234 or 1'234, and 1,5: numbers to a person, but not for certain which.
_FORMATTED = "[+-]?[0-9]{1,3}([,. _''][0-9]{3})+([.,][0-9]+)?|[+-]?[0-9]*,[0-9]+"
_FORMATTED_SQL = f"(coalesce(regexp_full_match(s, '{_FORMATTED}'), false) and not {_NUMBER_SQL})"
_ROW_HINT = "rows are counted from 1, the header aside"
_MOST_NAMED = 5


def find_columns(raw: RawTable, names: Sequence[str], what: str) -> list[Column]:
    """The columns of these names, in this order. `what` says what they are for, such as "the target"."""
    by_name = {column.name: column for column in raw.columns if column.name}
    absent = [name for name in names if name not in by_name]
    if absent:
        guesses = [guess for name in absent if (guess := nearest(name, by_name)) is not None]
        if all(_is_number(name) for name in by_name):
            hint = "its first line looks like data: add a line with the columns' names above it"
        elif guesses:
            hint = f"did you mean {quoted(dict.fromkeys(guesses))}?"
        else:
            hint = f"its columns are {_listed(list(by_name))}"
        noun = "column" if len(absent) == 1 else "columns"
        raise raw.where.error(f"there is no {noun} {quoted(absent)} ({what})", hint)
    return [by_name[name] for name in names]


def kinds_of(raw: RawTable, columns: Sequence[Column], *, required: bool) -> list[Kind]:
    """What each column holds. A column that is mostly, but not only, numbers is an error: it would be lost.

    Args:
        raw: the table.
        columns: the columns to look at.
        required: all of them are to be used, so any that does not hold numbers is an error.
    """
    clean: set[int] = set()
    if raw.is_text and columns:
        clean = _wholly_numeric(raw, columns)
    return ["number" if column.index in clean else _kind_of_one(raw, column, required=required) for column in columns]


def read_numbers(raw: RawTable, columns: Sequence[Column], kinds: Sequence[Kind]) -> NDArray[np.float64]:
    """The columns' values, one row a row, NaN where a value is missing."""
    if not columns:
        return np.empty((raw.rows, 0), dtype=np.float64)
    expressions = []
    for column, kind in zip(columns, kinds, strict=True):
        if kind == "boolean" and raw.is_text:
            expressions.append(f"case {column.text} when 'true' then 1.0 when 'false' then 0.0 end")
        else:
            expressions.append(f"try_cast({column.sql} as double)")
    found = raw.arrays(expressions)
    values = np.empty((raw.rows, len(columns)), dtype=np.float64)
    for place in range(len(columns)):
        values[:, place] = _with_nan(found[f"v{place}"])
    return values


def read_target(raw: RawTable, column: Column) -> NDArray[np.float64]:
    """The target as 0.0 and 1.0, NaN where it is missing."""
    codings = {
        "0/1": f"({_NUMBER_PRESENT_SQL} and try_cast(s as double) in (0, 1))",
        "yes/no": "coalesce(s in ('yes', 'no'), false)",
        "true/false": _BOOLEAN_SQL,
    }
    view = raw.view_of(column)
    counts = raw.one_row([f"count(*) filter (where {sql})" for sql in (_MISSING_SQL, *codings.values())], view)
    missing, *fitting = (_whole(count) for count in counts)
    best = max(range(len(fitting)), key=lambda i: fitting[i])
    if fitting[best] < raw.rows - missing:
        used = list(codings.values())[best]
        (row,) = raw.one_row([f"min(row) filter (where not {used} and not {_MISSING_SQL})"], view)
        raise raw.where.error(
            f"the target column '{column.name}' must hold 0 and 1 only (or yes and no, or true and false), "
            f"which data row {row} does not",
            f"recode the column; {_ROW_HINT}",
        )
    words = "when s in ('yes', 'true') then 1 when s in ('no', 'false') then 0"
    value = f"case {words} else try_cast(s as double) end"
    return _with_nan(raw.arrays([value], view)["v0"])


def check_ids(raw: RawTable, column: Column) -> None:
    """Every row has an identifier, and no two rows the same."""
    present, different = raw.one_row(["count(nullif(s, ''))", "count(distinct nullif(s, ''))"], raw.view_of(column))
    missing = raw.rows - _whole(present)
    if missing:
        raise raw.where.error(
            f"the id column '{column.name}' is empty in {_rows(missing)}",
            "give every row an id, or remove `id`",
        )
    repeated = _whole(present) - _whole(different)
    if repeated:
        raise raw.where.error(
            f"the id column '{column.name}' repeats: {_rows(repeated)} have an id that an earlier row has",
            "keep one row for each id, or remove `id` from the scenario",
        )


def refuse_missing(where: Where, names: Sequence[str], missing: Sequence[int]) -> None:
    """An error that counts the missing values of each column, if there are any."""
    found = [(name, count) for name, count in zip(names, missing, strict=True) if count]
    if not found:
        return
    parts = [f"{count} in column '{name}'" for name, count in found[:_MOST_NAMED]]
    if len(found) > _MOST_NAMED:
        parts.append(f"and more in {len(found) - _MOST_NAMED} other columns")
    raise where.error(f"values are missing: {', '.join(parts)}", "fill these cells or drop their rows before the run")


def refuse_extremes(where: Where, names: Sequence[str], values: NDArray[np.float64]) -> None:
    """An error if a value is infinite or too large to compute with."""
    for place, name in enumerate(names):
        sizes = np.abs(values[:, place])
        row = int(np.argmax(sizes))
        if np.isinf(sizes[row]):
            raise where.error(
                f"column '{name}' holds an infinite value in data row {row + 1}", f"correct it; {_ROW_HINT}"
            )
        if sizes[row] > MAX_MAGNITUDE:
            raise where.error(
                f"column '{name}' holds a value beyond 2^40 (about 1.1e12) in data row {row + 1}",
                "give it in a larger unit; if it is an identifier, name it as `id` or list the columns to "
                "use under `features`",
            )


@dataclass(frozen=True)
class _Counts:
    """How many cells of a column are what, and the first row that holds no number."""

    present: int
    number: int
    boolean: int
    formatted: int
    first_bad: int
    first_formatted: int


def _kind_of_one(raw: RawTable, column: Column, *, required: bool) -> Kind:
    if not raw.is_text:
        kind = _kind_of_type(column.type)
        if required and kind not in ("number", "boolean"):
            raise raw.where.error(
                f"column '{column.name}' is not numeric: its type is {column.type}",
                "convert it, or leave it out of `features`",
            )
        return kind
    counts = _counts(raw, column)
    if counts.boolean == counts.present > 0:
        return "boolean"
    if counts.number == counts.present:
        return "number" if counts.present or required else "empty"
    mostly_numbers = 2 * (counts.number + counts.formatted) >= counts.present
    if not (required or mostly_numbers):
        return "text"
    remedy = "leave it out of `features`" if required else "list the columns to use under `features`"
    if counts.formatted and counts.number + counts.formatted == counts.present:
        raise raw.where.error(
            f"column '{column.name}' has numbers with a thousands separator or a decimal comma "
            f"(data row {counts.first_formatted})",
            f"write them like 1234.5, or {remedy}; {_ROW_HINT}",
        )
    raise raw.where.error(
        f"column '{column.name}' is not numeric: data row {counts.first_bad} does not hold a number",
        f"correct it, or {remedy}; {_ROW_HINT}",
    )


def _wholly_numeric(raw: RawTable, columns: Sequence[Column]) -> set[int]:
    """The columns whose every cell is a number: one pass over all, as most files have nothing else."""
    counts = raw.one_row(
        [
            f"count(*) filter (where try_cast({c.sql} as double) is not null and not contains({c.sql}, '_') "
            f"and not isnan(try_cast({c.sql} as double)))"
            for c in columns
        ]
    )
    return {c.index for c, count in zip(columns, counts, strict=True) if count == raw.rows}


def _counts(raw: RawTable, column: Column) -> _Counts:
    bad = f"not {_NUMBER_SQL} and not {_MISSING_SQL}"
    row = raw.one_row(
        [
            f"count(*) filter (where not {_MISSING_SQL})",
            f"count(*) filter (where {_NUMBER_PRESENT_SQL})",
            f"count(*) filter (where {_BOOLEAN_SQL})",
            f"count(*) filter (where {_FORMATTED_SQL})",
            f"coalesce(min(row) filter (where {bad}), 0)",
            f"coalesce(min(row) filter (where {_FORMATTED_SQL}), 0)",
        ],
        raw.view_of(column),
    )
    return _Counts(*(_whole(count) for count in row))


def _kind_of_type(name: str) -> Kind:
    if name == "BOOLEAN":
        return "boolean"
    if name in _NUMBER_TYPES or name.startswith("DECIMAL"):
        return "number"
    return "text" if name == "VARCHAR" or name.startswith("ENUM") else "other"


def _with_nan(found: object) -> NDArray[np.float64]:
    """An array of DuckDB's, NaN where it has no value."""
    if isinstance(found, np.ma.MaskedArray):
        values = np.array(found.data, dtype=np.float64)
        values[np.ma.getmaskarray(found)] = np.nan
        return values
    return np.asarray(found, dtype=np.float64)


def _whole(count: object) -> int:
    return count if isinstance(count, int) else 0


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_MOST_NAMED]) + more


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
