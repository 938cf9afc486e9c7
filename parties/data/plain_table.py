"""A table of numbers and of categories' codes, NaN where a value is missing, for kinds that count and sum up rows.

Nothing here is seen by another party. A table's repr shows its shape only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parties.data.features import fill_with_nan, is_level, refuse_unlisted
from parties.data.notes import Note, repeated_notes, unused_notes
from parties.data.read import Column, RawTable

Values = NDArray[np.float64]


class ValueRows:
    """Base of tables that are numbers alone (rows, columns): no row of the source is left out."""

    values: Values

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

    def digest_with(self, names: tuple[str, ...]) -> str:
        """The digest of the rows and their columns' names."""
        digest = hashlib.sha256(repr((names, self.values.shape)).encode("utf-8"))
        digest.update(np.ascontiguousarray(self.values, dtype="<f8").data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, repr=False)
class PlainTable(ValueRows):
    """An owner's rows: `values` is float64 (rows, columns), read-only. `digest` is the SHA-256 of all of it."""

    owner: str
    source: str
    columns: tuple[str, ...]
    values: Values
    notes: tuple[Note, ...] = ()

    @property
    def digest(self) -> str:
        """For the owner's own list of what was released about which data."""
        return self.digest_with(self.columns)

    def select(self, names: Sequence[str]) -> PlainTable:
        """The same rows with these columns only, in this order."""
        places = [self.columns.index(name) for name in names]
        return PlainTable(self.owner, self.source, tuple(names), self.values[:, places], self.notes)

    def __repr__(self) -> str:
        """Shape only: a log may hold this text."""
        return f"PlainTable(owner={self.owner!r}, rows={self.rows}, columns={len(self.columns)})"


def category_codes(raw: RawTable, column: Column, levels: Sequence[str]) -> Values:
    """The number of each row's level, NaN where it is missing."""
    refuse_unlisted(raw, column, levels)
    whens = " ".join(f"when {is_level(level)} then {code}.0" for code, level in enumerate(levels))
    return fill_with_nan(raw.arrays([f"case {whens} end"], raw.view_of(column))["v0"])


def table_notes(raw: RawTable, ignored: Sequence[str], names: Sequence[str], values: Values) -> tuple[Note, ...]:
    """Notes for the owner: columns that are not used, repeated rows, columns without a value."""
    notes = [*unused_notes(ignored), *repeated_notes(raw)]
    empty = [name for name, column in zip(names, values.T, strict=True) if np.isnan(column).all()]
    if empty:
        notes.append(Note("warning", f"without any value: column {', '.join(empty)}"))
    return tuple(notes)
