"""The cells that are withheld together with a small one, so that totals do not give it back: fixed blocks.

A count is small if for some owner the others' part of it is above 0 and below m (small_cells.py). Whoever knows the
other cells and a total can solve for a single unknown cell, so a small cell is withheld together with others. Which
ones must not depend on their size: if 1 and m were withheld together, m because it is not small, then 1 + m and "one is
small, one is not" would disclose both. So blocks are fixed before, and one bit of each is disclosed, whether it is
withheld:

    a list      is halved, and its halves are, down to its cells. If a half's total is small, then every cell of both
                halves is withheld: their common total, which follows from other totals, is then 0 or at least m
    a table     has blocks of 2 x 2 (3 at an odd end). If a cell of one is small, all of it is withheld; if a row or
                column within some block has a small total, which follows from the margins, the whole table is

If x, 0 < x < m, is in a withheld block, then x - 1 or x + 1 in its place, made up for in the other half or at the
corners of a rectangle, gives another list or table with the same blocks withheld and the same cells disclosed.
(Rectangles: Gusfield, "A graph theoretic approach to statistical data security", SIAM J. Comput. 17, 1988.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

LEAST_MINIMUM = 3
"""The least m: with 2, a small count could only be 1."""

Span = tuple[int, int]
"""From a cell to before a cell."""


@dataclass(frozen=True)
class Halving:
    """A list of `count` cells and its halves.

    Args:
        first, last: whether the first and the last cell stay with the one next to them.
        rest: whether there is one more cell at the end, which the first halving sets apart.
    """

    count: int
    first: bool = False
    last: bool = False
    rest: bool = False

    @cached_property
    def questions(self) -> dict[Span, tuple[Span, ...]]:
        """Each stretch of two or more cells, with the stretches whose totals decide whether it is withheld: its halves,
        and the halves of all stretches around it. Outer stretches stand before inner ones."""
        found: dict[Span, tuple[Span, ...]] = {}
        left: list[tuple[Span, tuple[Span, ...]]] = [((0, self._cells), ())]
        while left:
            span, around = left.pop()
            if span[1] - span[0] > 1:
                found[span] = (*around, *self.halves(span))
                left += [(half, found[span]) for half in self.halves(span)]
        return found

    def around(self, cell: int) -> list[Span]:
        """The stretches whose totals decide whether a cell is withheld."""
        near = [span for span in self.questions if span[0] <= cell < span[1]]
        return list(self.questions[near[-1]]) if near else []

    def blocks(self, suppressed: Sequence[bool]) -> list[Span]:
        """The largest stretches that are withheld, in order, from what was found of each stretch in `questions`."""
        closed = dict(zip(self.questions, suppressed, strict=True))
        found, left = [], [(0, self._cells)]
        while left:
            span = left.pop()
            if closed.get(span, False):
                found.append(span)
            elif span in closed:
                left += self.halves(span)
        return sorted(found)

    def halves(self, span: Span) -> tuple[Span, Span]:
        """The halves of a stretch."""
        start, end = span
        if self.rest and end == self._cells:
            return (start, end - 1), (end - 1, end)
        left = start + int(self.first and start == 0)
        right = end - int(self.last and end == self.count)
        if right - left < 2:
            left, right = start, end
        middle = left + (right - left) // 2
        return (start, middle), (middle, end)

    @property
    def _cells(self) -> int:
        return self.count + int(self.rest)


def runs(count: int) -> list[Span]:
    """Two cells each, and three at an odd end."""
    starts = list(range(0, max(count - 1, 1), 2))
    return list(zip(starts, [*starts[1:], count], strict=True))


def table_blocks(rows: int, columns: int) -> list[tuple[Span, Span]]:
    """The blocks of a table, each as its rows and its columns."""
    return list(product(runs(rows), runs(columns)))


def loops(tables: Sequence[frozenset[str]]) -> list[int]:
    """Each table's loop number: 0 for a table on no loop; tables on one loop have one number.

    Exchanging two rows' values of one column, and of every column that tables tie to it, changes no other table than
    the one that ties them to the rest. So a table's withheld cells depend on that table alone, unless other tables tie
    its columns together. Loops that share a table have one number.
    """
    looped = [k for k in range(len(tables)) if _tied(tables, k)]
    numbers = [0] * len(tables)
    groups = _groups([tables[k] for k in looped])
    for k, group in zip(looped, groups, strict=True):
        numbers[k] = group + 1
    return numbers


def _tied(tables: Sequence[frozenset[str]], k: int) -> bool:
    """Whether other tables tie two of a table's columns together."""
    parts = {column: {column} for table in tables for column in table}
    for other, table in enumerate(tables):
        if other != k:
            joined = set().union(*(parts[column] for column in table))
            for column in joined:
                parts[column] = joined
    columns = list(tables[k])
    return any(b in parts[a] for i, a in enumerate(columns) for b in columns[:i])


def _groups(tables: Sequence[frozenset[str]]) -> list[int]:
    """For each table the number of the first table that shares a column with it, directly or through others."""
    numbers = list(range(len(tables)))
    for i, table in enumerate(tables):
        for j in range(i):
            if table & tables[j] and numbers[i] != numbers[j]:
                old, new = max(numbers[i], numbers[j]), min(numbers[i], numbers[j])
                numbers = [new if one == old else one for one in numbers]
    return numbers
