"""Kinds of an owner's columns, and checks that they can be computed with.

Messages name the file, the column and the row's number, never a cell's content: a log is no place for a patient's
values, not even at the owner.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from parties.data.cells import BOOLEAN_SQL, FORMATTED_SQL, MISSING_SQL, days_sql
from parties.data.header import Origin
from parties.data.read import Column, RawTable
from parties.scenario.problems import nearest, quote

MAX_MAGNITUDE = 2.0**40
"""The largest absolute value a cell may have: the fixed-point arithmetic has room for no more."""

FEWEST_ROWS = 5
"""An owner with fewer rows cannot take part: sums over so few would show its patients."""

Kind = Literal["number", "boolean", "date", "empty", "text", "other"]

ROW_HINT = "rows are counted from 1, the header aside"

_SIGNED_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_NUMBER_TYPES = frozenset([*_SIGNED_TYPES, *(f"U{name}" for name in _SIGNED_TYPES), "FLOAT", "DOUBLE"])
_NUMBER_SQL = f"(n is not null and not {MISSING_SQL})"
_DATE_SQL = f"({days_sql('s')} is not null)"
_MOST_NAMED = 5
_MOST_AT_ONCE = 100  # columns in one query: DuckDB's time for a query grows with their square


def _alike(name: str, other: str) -> bool:
    return name != other and unicodedata.normalize("NFKC", name) == unicodedata.normalize("NFKC", other)


def find_columns(raw: RawTable, names: Sequence[str], what: str) -> list[Column]:
    """The columns of these names, in this order. `what` says what they are for, such as "the target"."""
    by_name = {column.name: column for column in raw.columns if column.name}
    absent = [name for name in names if name not in by_name]
    if absent:
        guesses = [guess for name in absent if (guess := nearest(name, by_name)) is not None]
        if all(_is_number(name) for name in by_name):
            hint = "its first line looks like data: add a line with the columns' names above it"
        elif any(_alike(name, guess) for name in absent for guess in guesses):
            hint = "a name there looks the same, but has other Unicode characters: write it anew, in the file or here"
        elif guesses:
            hint = f"did you mean {quote(dict.fromkeys(guesses))}?"
        else:
            hint = f"its columns are {_list_names(list(by_name))}"
        noun = "column" if len(absent) == 1 else "columns"
        raise raw.where.error(f"there is no {noun} {quote(absent)} ({what})", hint)
    return [by_name[name] for name in names]


def kinds_of(
    raw: RawTable, columns: Sequence[Column], *, required: bool, dates: bool, listed: str = "`features`"
) -> list[Kind]:
    """The kind of each column. A column that is mostly, but not only, numbers is an error: it would be left out unseen.

    Args:
        raw: the table.
        columns: the columns to look at.
        required: all of them are to be used, so any that does not hold numbers is an error.
        dates: dates count as numbers.
        listed: where the columns that are to be used are named.
    """
    if not raw.is_text:
        return [_kind_of_typed(raw, column, required=required, dates=dates, listed=listed) for column in columns]
    clean = _wholly_numeric(raw, columns) if columns else set()
    return [
        "number" if column.index in clean else _kind_of_text(raw, column, required=required, dates=dates, listed=listed)
        for column in columns
    ]


def check_ids(raw: RawTable, column: Column) -> None:
    """Every row has an identifier, and no two rows the same."""
    present, different = raw.one_row(["count(nullif(s, ''))", "count(distinct nullif(s, ''))"], raw.view_of(column))
    missing = raw.rows - whole(present)
    if missing:
        raise raw.where.error(
            f"the id column '{column.name}' is empty in {rows_text(missing)}",
            "give every row an id, or remove `id`",
        )
    repeated = whole(present) - whole(different)
    if repeated:
        have = "has" if repeated == 1 else "have"
        raise raw.where.error(
            f"the id column '{column.name}' repeats: {rows_text(repeated)} {have} an id that an earlier row has",
            "keep one row for each id, or remove `id` from the scenario",
        )


def refuse_extremes(
    where: Origin, names: Sequence[str], values: NDArray[np.float64], listed: str = "`features`"
) -> None:
    """Refuse values that are infinite or too large to compute with; missing ones are skipped."""
    for place, name in enumerate(names):
        sizes = np.abs(values[:, place])
        sizes[np.isnan(sizes)] = 0.0
        row = int(np.argmax(sizes))
        if np.isinf(sizes[row]):
            raise where.error(
                f"column '{name}' holds an infinite value in data row {row + 1}", f"correct it; {ROW_HINT}"
            )
        if sizes[row] > MAX_MAGNITUDE:
            raise where.error(
                f"column '{name}' holds a value beyond 2^40 (about 1.1e12) in data row {row + 1}",
                "give it in a larger unit; if it is an identifier, name it as `id` or list the columns to "
                f"use under {listed}",
            )


def whole(count: object) -> int:
    """A count from DuckDB as an int; 0 for null."""
    return count if isinstance(count, int) else 0


def check_rows(
    where: Origin, stated: int | None, rows: int, fewest: int = FEWEST_ROWS, *, complete: bool = False
) -> None:
    """Refuse a table with another number of rows than the scenario states, or with fewer than `fewest`.

    Args:
        complete: whether rows with a missing value were left out.

    Raises:
        DataError: the number of rows is wrong or too small.
    """
    if stated is not None and stated != rows:
        raise where.error(
            f"the scenario says rows = {stated}, but there are {rows}{' complete ones' if complete else ''}",
            f"correct `rows` in [parties.{where.owner}], or the data",
        )
    if rows < fewest:
        raise where.error(
            f"{rows_text(rows)} of data, but an owner needs at least {fewest}",
            "sums over so few would show its patients: add rows, or leave this owner out",
        )


def rows_text(count: int) -> str:
    """A number of rows in words."""
    return "1 row" if count == 1 else f"{count} rows"


@dataclass(frozen=True)
class _Counts:
    """Cells of a column by kind, and the first rows without a number, with a number in another form, without a date."""

    present: int
    number: int
    boolean: int
    formatted: int
    date: int
    first_bad: int
    first_formatted: int
    first_no_date: int


def _kind_of_typed(raw: RawTable, column: Column, *, required: bool, dates: bool, listed: str) -> Kind:
    kind = _kind_of_type(column.type)
    if not required or kind in ("number", "boolean") or (kind == "date" and dates):
        return kind
    if kind == "date":
        raise _date_error(raw, column)
    raise raw.where.error(
        f"column '{column.name}' is not numeric: its type is {column.type}",
        f"convert it, list its levels under [task.categories], or leave it out of {listed}",
    )


def _kind_of_text(raw: RawTable, column: Column, *, required: bool, dates: bool, listed: str) -> Kind:
    counts = _counts(raw, column)
    if counts.boolean == counts.present > 0:
        return "boolean"
    if counts.number == counts.present:
        return "number" if counts.present or required else "empty"
    if counts.date == counts.present and dates:
        return "date"
    if counts.date == counts.present and required:
        raise _date_error(raw, column)
    remedy = f"leave it out of {listed}" if required else "list the columns to use under `features`"
    if dates and 2 * counts.date >= counts.present:
        raise raw.where.error(
            f"column '{column.name}' holds dates, but data row {counts.first_no_date} does not hold one",
            f"write it like 2024-01-31, or {remedy}; {ROW_HINT}",
        )
    mostly_numbers = 2 * (counts.number + counts.formatted) >= counts.present
    if not (required or mostly_numbers):
        return "text"
    if counts.formatted and counts.number + counts.formatted == counts.present:
        raise _other_form(raw, column, counts.first_formatted, remedy)
    if not mostly_numbers:
        remedy = f"list its levels under [task.categories], or {remedy}"
    raise raw.where.error(
        f"column '{column.name}' is not numeric: data row {counts.first_bad} does not hold a number",
        f"correct it{' (a date is written like 2024-01-31)' if dates else ''}, or {remedy}; {ROW_HINT}",
    )


def _date_error(raw: RawTable, column: Column) -> DataError:
    return raw.where.error(
        f"column '{column.name}' holds dates, which are no numbers",
        'give a length of time instead, such as an age, or set dates = "days" in [task] to use days since 1970-01-01',
    )


def _other_form(raw: RawTable, column: Column, row: int, remedy: str) -> DataError:
    party = f"[parties.{raw.where.owner}]"
    if raw.form.usual:
        return raw.where.error(
            f"column '{column.name}' has numbers with a thousands separator or a decimal comma (data row {row})",
            f'set `decimal` or `thousands` in {party}, such as decimal = "," for 3,14, or {remedy}; {ROW_HINT}',
        )
    return raw.where.error(
        f"column '{column.name}' has numbers in another form than {raw.form.words} (data row {row})",
        f"correct these settings in {party}, or the file, or {remedy}; {ROW_HINT}",
    )


def _wholly_numeric(raw: RawTable, columns: Sequence[Column]) -> set[int]:
    """The columns whose every cell is a number: many in one pass, as most files have nothing else."""
    found: set[int] = set()
    for start in range(0, len(columns), _MOST_AT_ONCE):
        some = columns[start : start + _MOST_AT_ONCE]
        numbers = [raw.form.number(c.sql if raw.form.usual else c.text) for c in some]
        counts = raw.one_row([f"count(*) filter (where not isnan({number}))" for number in numbers])
        found.update(c.index for c, count in zip(some, counts, strict=True) if count == raw.rows)
    return found


def _counts(raw: RawTable, column: Column) -> _Counts:
    formatted = f"{FORMATTED_SQL} and n is null"
    present = f"not {MISSING_SQL}"
    row = raw.one_row(
        [
            f"count(*) filter (where {present})",
            f"count(*) filter (where {_NUMBER_SQL})",
            f"count(*) filter (where {BOOLEAN_SQL})",
            f"count(*) filter (where {formatted})",
            f"count(*) filter (where {_DATE_SQL})",
            f"coalesce(min(row) filter (where n is null and {present}), 0)",
            f"coalesce(min(row) filter (where {formatted}), 0)",
            f"coalesce(min(row) filter (where not {_DATE_SQL} and {present}), 0)",
        ],
        raw.view_of(column),
    )
    return _Counts(*(whole(count) for count in row))


def _kind_of_type(name: str) -> Kind:
    if name == "BOOLEAN":
        return "boolean"
    if name in _NUMBER_TYPES or name.startswith("DECIMAL"):
        return "number"
    if name == "DATE" or name.startswith("TIMESTAMP"):
        return "date"
    return "text" if name == "VARCHAR" or name.startswith("ENUM") else "other"


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_MOST_NAMED]) + more


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
