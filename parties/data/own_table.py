"""What the code around a kind of task needs to know of an owner's table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from parties.data.notes import Note


class OwnTable(Protocol):
    """An owner's table, as far as the code around a kind of task needs to know it."""

    @property
    def owner(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def notes(self) -> tuple[Note, ...]: ...
    @property
    def excluded(self) -> int | None:
        """How many rows of the source were left out; None of a kind that leaves none out."""

    @property
    def numbers(self) -> NDArray[np.float64]:
        """All that is in each row (rows, ...)."""

    def select(self, names: tuple[str, ...]) -> Self:
        """The same rows with these columns only."""


def shared_columns(tables: Sequence[OwnTable]) -> tuple[str, ...]:
    """The columns that all have, in the first one's order."""
    first, *others = tables
    return tuple(name for name in first.columns if all(name in one.columns for one in others))
