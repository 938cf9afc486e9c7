"""Counts and sums over one owner's rows, its addends to those over all owners' rows: no protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from protocols.disclosure.rare_values import marks_of, own_marks, own_values
from protocols.statistics.blocks import SLOTS, CellTests, Summed, Valued
from protocols.statistics.settings import Axis, Cells, Sample, StatisticsSettings
from protocols.survival.deferred import deferred

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
Key = TypeVar("Key")


@dataclass(frozen=True)
class OwnColumns:
    """An owner's columns (m,) by name: numbers, or the codes 0, 1, ... of categories; NaN where a value is missing."""

    values: Mapping[str, Values] = field(repr=False)
    rows: int


def count_cells(own: OwnColumns, cells: Cells) -> Counts:
    """The number of an owner's rows in each cell; censored patients as survival/deferred.py defers them."""
    place = places(own, cells)
    counts = np.bincount(place[place >= 0], minlength=cells.size).reshape(cells.shape)
    return deferred(counts, cells.deferred) if cells.deferred else counts


def sum_cells(own: OwnColumns, sample: Sample) -> Values:
    """The sum of each column's values over an owner's rows in each cell (d, cells)."""
    columns = [own.values[name] for name in sample.cells.present]
    return _added(own, sample.cells, columns).reshape(sample.sums_shape)


def square_cells(own: OwnColumns, sample: Sample, means: Values) -> Values:
    """The sum of (x - mean x)(y - mean y) over an owner's rows in each cell, for each pair of columns.

    Args:
        means: of all owners' rows in each cell (d, cells).
    """
    place = places(own, sample.cells)
    of = means.reshape(len(sample.cells.present), -1)
    centred = [own.values[name] - of[k][place] for k, name in enumerate(sample.cells.present)]
    products = [centred[i] * centred[j] for i, j in sample.products]
    return _added(own, sample.cells, products).reshape(sample.squares_shape)


def places(own: OwnColumns, cells: Cells) -> Counts:
    """Which cell each row is in, numbered as the table's elements; -1 if in none."""
    place = np.zeros(own.rows, dtype=np.int64)
    known = np.ones(own.rows, dtype=bool)
    for name in cells.present:
        known &= ~np.isnan(own.values[name])
    for axis in cells.axes:
        along = _along(axis, own.values[axis.column])
        known &= along >= 0
        place = place * axis.size + along
    return np.where(known, place, -1)


def cut(values: Array, shapes: Mapping[Key, tuple[int, ...]]) -> dict[Key, Array]:
    """A vector cut into its parts, one after the other, each in its shape."""
    found, start = {}, 0
    for name, shape in shapes.items():
        end = start + prod(shape)
        found[name] = values[start:end].reshape(shape)
        start = end
    return found


def reached_counts(own: OwnColumns, settings: StatisticsSettings, column: str, group: int, down: bool) -> Counts:
    """How many of an owner's values in a group do not exceed each point of the column's grid, each rounded up to it,
    or down."""
    rows = places(own, Cells("", settings.by_axes, (column,)))
    grid = settings.grid_of(column).points
    values = own.values[column][rows == group]
    at = np.searchsorted(grid, values, side="right") - 1 if down else np.searchsorted(grid, values, side="left")
    return np.cumsum(np.bincount(at, minlength=len(grid)))


def contributions(own: OwnColumns, sums: Sequence[Summed]) -> tuple[Values, Values]:
    """The largest |x| and the sum of |x| over an owner's rows of each sum (sums,); 0 where there is none."""
    chosen = _chosen(own, sums)
    largest, total = np.zeros(len(sums)), np.zeros(len(sums))
    for k, one in enumerate(sums):
        sizes = np.abs(own.values[one.column][chosen(one)])
        largest[k], total[k] = sizes.max(initial=0.0), sizes.sum()
    return largest, total


def value_words(own: OwnColumns, tests: CellTests, owners: int) -> list[NDArray[np.uint64]]:
    """Of each layout of the tests, what an owner enters of the values that are summed up (items, width)."""
    chosen = _chosen(own, tests.values)
    rows = [np.stack([own.values[name][chosen(one)] for name in one.columns], axis=1) for one in tests.values]
    ones, twos = ([values for values in rows if values.shape[1] == columns] for columns in SLOTS)
    found = [own_values(ones, SLOTS[1], owners), own_values(twos, SLOTS[2], owners)]
    found.append(own_marks([mark for values in twos for mark in marks_of(values)], owners))
    return [one.words for one in found[: len(tests.layouts)]]


def _chosen(own: OwnColumns, wanted: Sequence[Summed] | Sequence[Valued]) -> Callable[[Summed | Valued], Counts]:
    """A function that gives the rows to sum up."""
    at = {cells: places(own, cells) for one in wanted for cells in (one.inside, one.outside) if cells is not None}

    def rows(one: Summed | Valued) -> Counts:
        there = at[one.inside] == one.cell
        return np.flatnonzero(there if one.outside is None else there & (at[one.outside] < 0))

    return rows


def _along(axis: Axis, values: Values) -> Counts:
    """Each value's cell along an axis; -1 where it is missing."""
    missing = np.isnan(values)
    if axis.kind == "level":
        return np.where(missing, -1.0, values).astype(np.int64)
    edges = np.array(axis.edges)
    if axis.kind == "time":
        found = np.searchsorted(edges, values, side="left")
    else:
        found = np.searchsorted(edges, values, side="right")
        found = np.where(values == edges[-1], len(edges) - 1, found)  # the last edge belongs to its bin
    return np.where(missing, -1, found).astype(np.int64)


def _added(own: OwnColumns, cells: Cells, columns: Sequence[Values]) -> Values:
    """Each column's sum over the rows in each cell (columns, cells)."""
    place = places(own, cells)
    inside = place >= 0
    return np.array([np.bincount(place[inside], column[inside], cells.size) for column in columns])
