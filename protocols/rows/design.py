"""How the columns of a design are made: as products of columns, and as indicators of a category."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mpc.ring.array import Array


@dataclass(frozen=True)
class Made:
    """How the columns of a design are made.

    Args:
        products: for each column of the design, the columns whose product it is; mostly one.
        factors: the columns of each category, which are 1 at one level each, and all 0 at its first.
        values: these columns (m, ...), where they are others than the design's.
    """

    products: tuple[tuple[int, ...], ...]
    factors: tuple[tuple[int, ...], ...] = ()
    values: Array | None = field(default=None, repr=False)

    def of(self, rows: Array) -> Made:
        """The same of some of the rows."""
        return self if self.values is None else Made(self.products, self.factors, self.values[rows])

    def select(self, columns: Sequence[int], values: Array) -> Made:
        """The same of some of the design's columns; `values` (m, d) are the design's, of which these are some."""
        kept = self.values if self.values is not None else values
        return Made(tuple(self.products[k] for k in columns), self.factors, kept)
