"""The tests of a run of statistics, and those by which each block of cells is withheld: the types, all public."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from protocols.disclosure.rare_values import MARKS, Layout
from protocols.disclosure.small_cells import Blocks
from protocols.statistics.settings import Cells

Places = NDArray[np.int64]
Kind = Literal["group", "count", "sums", "search", "list", "table", "block", "arm"]
Key = tuple[Kind, str, int, int]
"""A block's key: its kind, a table's name, the group, and a number among blocks of that kind."""


@dataclass(frozen=True)
class Total:
    """A sum of cells: places among all counts, how often each is added, and the least sum that is not small."""

    terms: tuple[tuple[int, int], ...]
    least: int


@dataclass(frozen=True)
class Summed:
    """The rows whose values of a column are summed up: in one cell of `inside`, and in no cell of `outside`."""

    column: str
    inside: Cells
    cell: int
    outside: Cells | None = None


@dataclass(frozen=True)
class Valued:
    """The rows of a cell, as for `Summed`, whose values are summed up: of a column, or of two also their products."""

    columns: tuple[str, ...]
    inside: Cells
    cell: int
    outside: Cells | None = None


SLOTS: Final[Mapping[int, int]] = {1: 4, 2: 6}
"""By number of columns: the sums of x, x^2 and x y may disclose the rows of up to so many different values or pairs."""


@dataclass(frozen=True)
class CellTests:
    """The tests: totals of the counts of `tables`, and sums; and those by which each block is withheld.

    A number of `questions` from 0 on is one of `totals`, and -1 - k is the sum k; `valued` has for some blocks the
    numbers of `values`.
    """

    tables: tuple[Cells, ...]
    totals: tuple[Total, ...]
    sums: tuple[Summed, ...]
    questions: Mapping[Key, tuple[int, ...]]
    values: tuple[Valued, ...] = ()
    valued: Mapping[Key, tuple[int, ...]] = field(default_factory=dict)

    @property
    def least(self) -> Places:
        """The least value of each total that is not small."""
        return np.array([total.least for total in self.totals], dtype=np.int64)

    @property
    def blocks(self) -> Blocks:
        """The tests of each block, in the order of `questions`."""
        count, sums = len(self.totals), len(self.sums)
        columns = np.array([len(one.columns) for one in self.values], dtype=np.int64)
        place = np.zeros(len(self.values), dtype=np.int64)  # among those of as many columns
        for of in SLOTS:
            place[columns == of] = np.arange((columns == of).sum())
        ones, twos = (int((columns == of).sum()) for of in SLOTS)
        found = []
        for key, numbers in self.questions.items():
            plain, values = (np.array(one, dtype=np.int64) for one in (numbers, self.valued.get(key, ())))
            single, double = (place[values[columns[values] == of]] for of in SLOTS)
            marks = (MARKS * double[:, None] + np.arange(MARKS)).reshape(-1)
            start = count + sums
            found.append(
                np.concatenate(
                    (
                        np.where(plain >= 0, plain, count - 1 - plain),
                        start + single,
                        start + ones + double,
                        start + ones + twos + marks,
                    )
                )
            )
        return Blocks(tuple(found), count, sums, self.layouts)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts of the tests of values: of one column, of two, and certain rows of two; none without values."""
        if not self.values:
            return ()
        ones, twos = (sum(len(one.columns) == of for one in self.values) for of in SLOTS)
        found = (Layout(ones, SLOTS[1]), Layout(twos, SLOTS[2]), Layout(MARKS * twos, 1, levels=False))
        return found if twos else found[:1]

    def totalled(self, counts: Sequence[NDArray[np.int64]]) -> Places:
        """The totals of one owner's counts, a table's after the other's."""
        flat = np.concatenate([one.reshape(-1) for one in counts])
        terms = np.array([term for total in self.totals for term in total.terms], dtype=np.int64)
        starts = np.cumsum([0, *(len(total.terms) for total in self.totals[:-1])])
        return np.asarray(np.add.reduceat(flat[terms[:, 0]] * terms[:, 1], starts), dtype=np.int64)
