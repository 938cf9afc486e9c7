"""Remarks on an owner's data, for its log and its screen, never for its peers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from parties.data.checks import rows_text
from parties.data.read import Column, RawTable


@dataclass(frozen=True)
class Note:
    """A remark on what is no error."""

    level: Literal["info", "warning"]
    text: str


def unused_columns(raw: RawTable, used: Collection[int]) -> tuple[str, ...]:
    """The names of the columns that are not at these places."""
    unused = (column for column in raw.columns if column.index not in used)
    return tuple(column.name or f"(column {column.index + 1}, without a name)" for column in unused)


def unused_notes(unused: Sequence[str]) -> list[Note]:
    """A note on columns that are not used, if there are any."""
    return [Note("info", f"columns that are not used: {', '.join(unused)}")] if unused else []


def repeated_notes(raw: RawTable, ids: Sequence[Column] = ()) -> list[Note]:
    """A note on rows that equal an earlier one, but for the ids, if there are any."""
    repeated = raw.repeated([column for column in raw.columns if column.name and column not in ids])
    if not repeated:
        return []
    rows, but = rows_text(repeated), " but the id" if ids else ""
    return [Note("warning", f"duplicates: {rows} the same as an earlier one in every column{but}")]
