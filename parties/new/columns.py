"""The look of `mpc new` into a file: the kind of each column, and the file's form."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from parties.data.cells import MISSING_SQL, TextForm
from parties.data.checks import MAX_MAGNITUDE, Kind, kinds_of, whole
from parties.data.read import TEXT_ENDINGS, Column, RawTable, open_source
from parties.data.recode import codec_of
from parties.data.target import read_target

_OTHER_FORMS = ((",", None), (",", "."), (".", ","))
"""Decimal sign and thousands separator of the forms other than 1234.5."""

_MOST_CODED = 8
"""The most spellings of two values in a column: 0, 1, 0.0, 1.0, 00, ..."""


@dataclass(frozen=True, eq=False)
class Look:
    """A column: what it holds, and `why` it cannot be a feature ('' if it can).

    `zero` and `one`: whether it contains a target's 0 (or no, false) and 1 (or yes, true); both False if it contains
    other values. `missing` says for each row whether its value is missing. `unique`: no two rows have the same value,
    and none is missing. `different`: the number of distinct values.
    """

    name: str
    kind: Kind
    why: str
    zero: bool
    one: bool
    missing: NDArray[np.bool_]
    unique: bool
    integers: bool
    different: int
    low: float | None
    high: float | None

    @property
    def binary(self) -> bool:
        """Whether it could be a target."""
        return self.zero or self.one

    @property
    def measured(self) -> bool:
        """Whether it could be a numeric target; a column of two values is a target of classes instead."""
        return self.kind == "number" and not self.why and self.different > 2

    @property
    def consecutive(self) -> bool:
        """Whether it only numbers the rows."""
        rows = len(self.missing)
        span = None if self.low is None or self.high is None else self.high - self.low + 1
        return self.unique and self.integers and rows > 2 and span == rows


@dataclass(frozen=True, eq=False)
class FileLook:
    """An owner's file: how it is written, and its columns by name."""

    owner: str
    path: Path
    rows: int
    form: TextForm
    columns: Mapping[str, Look]


def look_into(path: Path, owner: str) -> FileLook:
    """Examine a CSV or Parquet file. Its numbers have the form that fits the most columns.

    Raises:
        DataError: the file cannot be read.
    """
    encoding = _encoding(path)
    found = _look(path, owner, TextForm(encoding))
    unclear = [name for name, look in found.columns.items() if look.kind == "other"]
    if path.suffix.lower() not in TEXT_ENDINGS or not unclear:
        return found
    forms = [TextForm(encoding, *signs) for signs in _OTHER_FORMS]
    counts = [_numbers(path, owner, form) for form in forms]
    usual = sum(look.kind == "number" for look in found.columns.values())
    fitting = [form for form, count in zip(forms, counts, strict=True) if count == max(counts) > usual]
    # 1,234 alone may be either number: the form is not guessed then.
    return _look(path, owner, fitting[0]) if len({form.decimal for form in fitting}) == 1 else found


def _encoding(path: Path) -> str:
    """The encoding: UTF-8, or what Western programs write instead. A file that cannot be read fails in its reader."""
    if path.suffix.lower() not in TEXT_ENDINGS:
        return "utf-8"
    try:
        with path.open("rb") as file:
            codec = codec_of(file.read(4), "utf-8")
        with codecs.open(str(path), encoding=codec) as text:
            while text.read(2**20):
                pass
    except UnicodeDecodeError:
        return "windows-1252"
    except OSError:
        pass
    return "utf-8"


def _look(path: Path, owner: str, form: TextForm) -> FileLook:
    with open_source(str(path.absolute()), owner, path.parent, form) as raw:
        # A column without a name is a data frame's index.
        columns = [column for column in raw.columns if column.name]
        kinds = _kinds(raw, columns)
        looks = [_column(raw, column, *kinds[column]) for column in columns]
        return FileLook(owner, path, raw.rows, form, {look.name: look for look in looks})


def _numbers(path: Path, owner: str, form: TextForm) -> int:
    """The number of numeric columns if the file has this form."""
    with open_source(str(path.absolute()), owner, path.parent, form) as raw:
        return sum(kind == "number" for kind, _ in _kinds(raw, list(raw.columns)).values())


def _kinds(raw: RawTable, columns: list[Column]) -> dict[Column, tuple[Kind, str]]:
    """The kind of each column; one that is almost all numbers is "other", with the reason."""
    try:
        kinds = kinds_of(raw, columns, required=False, dates=True)
        return {column: (kind, "") for column, kind in zip(columns, kinds, strict=True)}
    except DataError:
        return {column: _kind(raw, column) for column in columns}


def _kind(raw: RawTable, column: Column) -> tuple[Kind, str]:
    try:
        (kind,) = kinds_of(raw, [column], required=False, dates=True)
    except DataError as error:
        return "other", error.message.partition(f"column '{column.name}' ")[2] or error.message
    return kind, ""


def _column(raw: RawTable, column: Column, kind: Kind, why: str) -> Look:
    view, present = raw.view_of(column), f"not {MISSING_SQL}"
    missing = np.asarray(raw.arrays([MISSING_SQL], view)["v0"], dtype=np.bool_)
    measures = ("count(distinct s)", "min(n)", "max(n)", "bool_and(n = floor(n))")
    different, low, high, integers = raw.one_row([f"{sql} filter (where {present})" for sql in measures], view)
    smallest, largest = (float(value) if isinstance(value, float) else None for value in (low, high))
    zero = one = False
    if 0 < whole(different) <= _MOST_CODED:
        zero, one = _target_values(raw, column)
    if kind == "boolean":
        smallest, largest = float(not zero), float(one)
    return Look(
        name=column.name,
        kind=kind,
        why=why or _why_not(kind, column, smallest, largest),
        zero=zero,
        one=one,
        missing=missing,
        unique=not missing.any() and whole(different) == raw.rows,
        integers=kind == "number" and integers is True,
        different=whole(different),
        low=smallest,
        high=largest,
    )


def _why_not(kind: Kind, column: Column, low: float | None, high: float | None) -> str:
    if kind == "other":
        return f"its type is {column.type}"
    reasons: dict[Kind, str] = {"text": "text", "date": "dates", "empty": "empty"}
    if kind in reasons:
        return reasons[kind]
    if max(abs(low or 0.0), abs(high or 0.0)) > MAX_MAGNITUDE:
        return "a value is infinite or beyond 2^40"
    return ""


def _target_values(raw: RawTable, column: Column) -> tuple[bool, bool]:
    try:
        values = read_target(raw, column, None)
    except DataError:
        return False, False
    return bool((values == 0.0).any()), bool((values == 1.0).any())
