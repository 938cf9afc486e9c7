"""Small cells where nobody can compare the totals: each client puts its own to 0 before it adds them up.

A cell is a number of rows: those with a value c, and of a column of flags those with a 1, f, and those with a 0. For
the least number m, a client's count c, total weight w and sum s of a column become

    0, 0, 0      if 0 < c < m
    c, w, 0      of flags, if 0 < f < m          the few count as if they had a 0
    c, w, w      of flags, if 0 < c - f < m      the few count as if they had a 1
    c, w, s      else

Then every client's cells, and so the totals', are 0 or at least m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.ghost import Array


@dataclass(frozen=True)
class OwnCells:
    """A client's numbers of each column, int64 (columns,): rows with a value, their weight, their sum times `scale`."""

    counts: Array
    weights: Array
    sums: Array
    scale: int


def without_small(cells: OwnCells, flagged: Array, flags: Array, m: int) -> tuple[OwnCells, Array]:
    """The numbers without small cells, and in which columns (bools) there were any.

    Args:
        flagged: (columns,) how many rows have a 1.
        flags: (columns,) which columns are of flags.
    """
    few = _small(cells.counts, m)
    scarce = flags & ~few & _small(flagged, m)
    frequent = flags & ~few & ~scarce & _small(cells.counts - flagged, m)
    sums = np.where(few | scarce, 0, np.where(frequent, cells.weights * cells.scale, cells.sums))
    left = OwnCells(np.where(few, 0, cells.counts), np.where(few, 0, cells.weights), sums, cells.scale)
    return left, few | scarce | frequent


@dataclass(frozen=True)
class Bias:
    """How far from the truth a total of n clients may be: from `low` to `high`, in the column's own units."""

    low: float
    high: float


def bias(kind: str, clients: int, m: int, bounds: tuple[float, float], *, flag: bool, largest_weight: int = 1) -> Bias:
    """The bias of a count, a total weight or a sum of values within `bounds`, by the rule above."""
    rows = clients * (m - 1)
    if kind == "count":
        return Bias(-rows, 0)
    weight = rows * largest_weight
    if kind == "weight":
        return Bias(-weight, 0)
    if flag:
        return Bias(-weight, weight)
    return Bias(-weight * max(0.0, bounds[1]), -weight * min(0.0, bounds[0]))


def _small(rows: Array, m: int) -> Array:
    return (rows > 0) & (rows < m)
