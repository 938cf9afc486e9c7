"""The small cells of a model's columns: what an owner counts in its own rows before any number is disclosed.

A column has few values if an owner's rows hold at most FEW different ones. Its cells are the rows of each value, by
class; those of a product are of each combination of its factors' values. A model whose columns all have few values is
made of counts, and gives them back: from one 0/1 column x and a 0/1 target, with b0, b1 and their variances v0, v1,

    n(x = 0) = 1 / (v0 p0 (1 - p0))      n(x = 1) = 1 / ((v1 - v0) p1 (1 - p1))      of class 1: n p

for p0 = sigma(b0), p1 = sigma(b0 + b1). Where all columns have few values, the model is made of the numbers of rows of
each combination of their values, and tells of these: the number of all, d + 1 variances, each column's mean, and of one
that is not 0 or 1 its deviation. Up to so many combinations they are solved for, and so are cells, too. Matrices of
several steps, opened, are equations for all combinations of the columns of few values, however many.

Two or more owners' cells can be added only where they have a name that all know: 0 and 1 of a column, the levels of a
category. Such cells are `named`; of three owners or more they are counted together, all others by each owner alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from protocols.rows.design import Made

FEW = 10
"""A model discloses fewer digits of a column with more values than the column's cells have."""

CASES = 4
"""Two parts: both on, one on and the other at its base, the reverse, both at their base. One part: the first two."""

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def plain(columns: int) -> Made:
    """The design whose columns are no products and no categories."""
    return Made(tuple((k,) for k in range(columns)))


@dataclass(frozen=True)
class Axis:
    """A column of few values, or a category: a code each row (m,), of which those below `named` all owners know."""

    codes: Codes
    named: int


def axis_of(column: Array) -> Axis | None:
    """The values of a column (m,) as codes, 0 and 1 as themselves; None if there are more than FEW."""
    if len(np.unique(column[:1000])) > FEW:  # a look at some is cheap, where rows are many
        return None
    distinct = np.unique(column)
    if len(distinct) > FEW:
        return None
    others = distinct[(distinct != 0) & (distinct != 1)]
    codes = np.searchsorted(others, column).astype(np.int64) + 2
    codes[column == 0], codes[column == 1] = 0, 1
    return Axis(codes, 2)


def _levels(indicators: Array) -> Axis:
    """A category by its indicators (m, levels - 1): its levels as codes, and one more for what a mean filled in."""
    count = indicators.shape[1] + 1
    whole = np.isin(indicators, (0.0, 1.0)).all(axis=1) & (indicators.sum(axis=1) <= 1)
    codes = np.where(whole, indicators @ np.arange(1, count), count)
    return Axis(codes.astype(np.int64), count)


@dataclass(frozen=True)
class Part:
    """One column that a product is made of: its axis, None if it has many values, and the code at which it is 1."""

    number: int
    axis: Axis | None
    on: int


@dataclass(frozen=True)
class OwnDesign:
    """An owner's rows of a fit, as far as cells are concerned.

    Args:
        x: the design's columns (m, d).
        made: what they are made of.
        target: the target (m,), or None where another owner has it.
        classes: whether the target has classes 0 and 1, rather than being a number.
        least: how many rows are not too few.
        open_matrices: whether sums of products of any two columns will be opened.
    """

    x: Array
    made: Made
    target: Array | None
    classes: bool
    least: int
    open_matrices: bool = False

    @cached_property
    def _columns(self) -> list[list[Part]]:
        """The parts of each column of the design, one an axis."""
        values = self.x if self.made.values is None else self.made.values
        owner: dict[int, tuple[int, int]] = {}
        axes: list[Axis | None] = []
        for factor in self.made.factors:
            owner.update({column: (len(axes), level) for level, column in enumerate(factor, 1)})
            axes.append(_levels(values[:, list(factor)]))
        found = []
        for product in self.made.products:
            parts: dict[int, Part] = {}
            for column in product:
                if column not in owner:
                    owner[column] = len(axes), 1
                    axes.append(axis_of(values[:, column]))
                number, on = owner[column]
                parts.setdefault(number, Part(number, axes[number], on))
            found.append(list(parts.values()))
        return found

    @cached_property
    def _class(self) -> Axis | None:
        return None if self.target is None else axis_of(self.target)

    def at(self, rows: Mask) -> OwnDesign:
        """The same of some of the rows."""
        target = None if self.target is None else self.target[rows]
        return replace(self, x=self.x[rows], made=self.made.of(rows), target=target)

    # -- what an owner tests by itself

    def alone(self, *, named: bool) -> NDArray[np.uint8]:
        """Whether there are small cells (d + 2,): of each column, of the target, of all columns together; 0 or 1.

        Args:
            named: without the cells that are counted together with those of other owners.
        """
        found = np.zeros(len(self._columns) + 2, dtype=np.uint8)
        for k, parts in enumerate(self._columns):
            found[k] = self._small(parts, named=named)
        found[-2] = self._small([], named=named)
        found[-1] = self._together(named=named)
        return found

    def _small(self, parts: Sequence[Part], *, named: bool) -> bool:
        axes = [part.axis for part in parts if part.axis is not None]
        if parts and not axes:
            return False
        if self._class is not None:
            axes.append(self._class)
        if not axes:
            return False
        there = np.ones(len(self.x), dtype=bool)
        if named and len(parts) <= 2:
            there = np.any([axis.codes >= axis.named for axis in axes], axis=0)
        return _any_small(np.bincount(_crossing(axes)[there]), self.least)

    def _together(self, *, named: bool) -> bool:
        """Whether the combinations of the columns' values follow from what is disclosed, and one is small."""
        parts = {part.number: part for column in self._columns for part in column}
        axes = [part.axis for part in parts.values() if part.axis is not None]
        if len(axes) < 2 or (len(axes) < len(parts) and not self.open_matrices):
            return False
        if named and self._two is not None:
            return self._small(self._two, named=True)
        codes = axes[0].codes
        for axis in axes[1:]:
            codes = _renumbered(codes * (int(axis.codes.max(initial=0)) + 1) + axis.codes)
        if int(codes.max(initial=0)) + 1 > self._equations and not self.open_matrices:
            return False
        if self._class is not None:
            codes = codes * (int(self._class.codes.max(initial=0)) + 1) + self._class.codes
        return _any_small(np.bincount(codes), self.least)

    @property
    def of_few_values(self) -> bool:
        """Whether no column has many values."""
        return all(part.axis is not None for column in self._columns for part in column)

    @property
    def _equations(self) -> int:
        """How many numbers are disclosed of the combinations: the rows, a variance each, means and deviations."""
        flags = sum(bool(np.isin(column, (0.0, 1.0)).all()) for column in self.x.T)
        return 3 * len(self._columns) + 2 - flags

    @cached_property
    def _two(self) -> list[Part] | None:
        """The parts of a design of two columns that are no category's: all their combinations are named."""
        one_each = [parts[0] for parts in self._columns if len(parts) == 1]
        whole = len(self._columns) == 2 and len(one_each) == 2 and not self.made.factors
        return one_each if whole else None

    # -- what is multiplied with classes that another owner has

    def packed(self, width: int) -> NDArray[np.uint64]:
        """Of each row and column (m, d) the combination of values, as one bit in a place of `width` bits for each.

        0 where there are more than a word has places for. The sum of such words over rows has their counts.
        """
        words = np.zeros((len(self.x), len(self._columns)), dtype=np.uint64)
        for k, parts in enumerate(self._columns):
            axes = [part.axis for part in parts if part.axis is not None]
            codes = _renumbered(_crossing(axes)) if axes else None
            if codes is not None and int(codes.max(initial=0)) < 64 // width:
                words[:, k] = np.left_shift(np.uint64(1), (codes * width).astype(np.uint64))
        return words

    def in_classes(self, rows: Mask) -> Mask:
        """Which of these rows have the target 0, and which 1 (m, 2); none if it has many values."""
        if self._class is None:
            return np.zeros((len(self.x), 2), dtype=bool)
        return np.column_stack([rows & (self._class.codes == k) for k in (0, 1)])

    # -- what is counted together with other owners' rows

    def counts(self) -> NDArray[np.int64]:
        """The named cells (tested_cells,): CASES x classes of each column, the target, and all together."""
        every = np.ones(len(self.x), dtype=bool)
        among = self._among(every)
        found = [self._cases(parts, among) for parts in self._columns]
        target = np.zeros((CASES, len(among)), dtype=np.int64)
        target[0] = [self._counted(one) for one in among]
        if not self.classes:
            target[0, 0] = 0  # all rows: no cell
        together = np.zeros_like(target) if self._two is None else self._cases(self._two, among)
        return np.concatenate([one.reshape(-1) for one in (*found, target, together)])

    def _among(self, every: Mask) -> list[Mask | None]:
        """The rows of each class, of which no count is small where the target has many values."""
        codes = None if self._class is None else self._class.codes
        by_class = [None if codes is None else codes == k for k in (0, 1)]
        return by_class if self.classes else [every, *by_class]

    def _counted(self, rows: Mask | None) -> int:
        return self.least if rows is None else int(np.sum(rows))

    def _cases(self, parts: Sequence[Part], among: Sequence[Mask | None]) -> NDArray[np.int64]:
        """How many rows of each kind there are in each case (CASES, len(among))."""
        found = np.zeros((CASES, len(among)), dtype=np.int64)
        if len(parts) > 2:
            return found
        if all(part.axis is None for part in parts):
            return found + self.least
        halves: list[Mask] = [np.ones(len(self.x), dtype=bool)]
        for part in parts:
            on, base = self._on_and_base(part)
            halves = [half & one for half in halves for one in (on, base)]
        for k, half in enumerate(halves):
            found[k] = [self.least if rows is None else int(np.sum(half & rows)) for rows in among]
        return found

    def _on_and_base(self, part: Part) -> tuple[Mask, Mask]:
        """Where a part is 1, and where it is at its base; one of many values counts as on everywhere."""
        if part.axis is None:
            every = np.ones(len(self.x), dtype=bool)
            return every, ~every
        return part.axis.codes == part.on, part.axis.codes == 0


def tested_cells(columns: int, *, classes: bool) -> NDArray[np.int64]:
    """The places among the counts (columns + 2, ...) of each column's cells, the target's, and of all together."""
    width = CASES * (2 if classes else 3)
    return np.arange((columns + 2) * width).reshape(columns + 2, width)


def _crossing(axes: Sequence[Axis]) -> Codes:
    codes = axes[0].codes
    for axis in axes[1:]:
        codes = _renumbered(codes) * (int(axis.codes.max(initial=0)) + 1) + axis.codes
    return codes


def _renumbered(codes: Codes) -> Codes:
    """The same partition of the rows, with codes from 0 on and none left out."""
    there = np.bincount(codes) > 0
    numbers: Codes = (np.cumsum(there) - 1)[codes]
    return numbers


def _any_small(counts: NDArray[np.int64], least: int) -> bool:
    return bool(np.any((counts > 0) & (counts < least)))
