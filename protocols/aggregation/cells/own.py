"""Small cells where nobody can compare the totals: each client removes its own before it adds up.

A cell is a number of rows: those with a value, c; of the values that are summed up, those that differ from the client's
commonest value; and, of at most 4 values, those with each of them (disclosure/rare_values.py says why). For the least
number m, of a column with 0 < c < m a client adds nothing. Else the rows of a small cell count as if they had the
commonest value: all that differ from it, if these are few, or those with a rare one of few values. That is done to the
values, to the rows' weights and to the products of both, since the sums of all three are told or follow.

Then of every client, and so of all together, as many rows as differ from the clients' own commonest values are 0 or at
least m. Of flags (0 or 1) those with a 1, and those with a 0, are 0 or at least m.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array

FEW_VALUES = 4
"""Up to so many different values, each value's rows are a cell."""


@dataclass(frozen=True)
class OwnCells:
    """A client's numbers of each column, int64 (columns,): rows with a value, their weight, the weighted sum."""

    counts: Array
    weights: Array
    sums: Array


def add_up(values: Array, there: Array, weights: Array) -> OwnCells:
    """The totals as they are.

    Args:
        values: int64 (rows, columns), times the scale; 0 where there is none.
        there: bools (rows, columns).
        weights: int64 (rows,), 1 each without weights.
    """
    weighted = weights[:, None] * there
    return OwnCells(there.sum(axis=0), weighted.sum(axis=0), (weighted * values).sum(axis=0))


def without_small(values: Array, there: Array, weights: Array, m: int) -> tuple[OwnCells, Array]:
    """The totals without small cells, of what `add_up` takes, and in which columns (bools) there were any."""
    totals = np.zeros((3, values.shape[1]), dtype=np.int64)
    for place, (column, has) in enumerate(zip(values.T, there.T, strict=True)):
        rows = int(has.sum())
        if rows >= m:
            weight = _settle(weights[has], m)
            totals[:, place] = rows, weight.sum(), _settle(weight * _settle(column[has], m), m).sum()
    left, plain = OwnCells(*totals), add_up(values, there, weights)
    changed = [a != b for a, b in ((left.counts, plain.counts), (left.weights, plain.weights), (left.sums, plain.sums))]
    return left, np.any(changed, axis=0)


@dataclass(frozen=True)
class Bias:
    """The bounds of a total's error over n clients: from `low` to `high`, in the column's own units."""

    low: float
    high: float


def bias(
    kind: str, clients: int, m: int, bounds: tuple[float, float], *, flag: bool, largest_weight: int | None = None
) -> Bias:
    """The bias of a count, a total weight or a sum of values within `bounds`, by the rule above.

    The rows of up to 3 small values of 4 change (of flags, of one), with weights in each of the three steps; each by
    the distance of the ends at most, or to 0.
    """
    rows = clients * (m - 1)
    if kind == "count":
        return Bias(-rows, 0)
    if kind == "weight":
        most = float((FEW_VALUES - 1) * rows * (largest_weight or 1))
        return Bias(-most, most)
    low, high = (0.0, 1.0) if flag else bounds
    most = rows * (max(high, 0.0) - min(low, 0.0))
    if largest_weight is not None:
        most *= 3 * (FEW_VALUES - 1) * largest_weight
    elif not flag:
        most *= FEW_VALUES - 1
    return Bias(-most, most)


def _settle(values: Array, m: int) -> Array:
    """The values of rows (rows,), those of small cells replaced by the commonest."""
    different, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    common = int(np.argmax(counts))
    if _small(len(values) - counts[common], m):
        return np.full_like(values, different[common])
    if len(different) > FEW_VALUES:
        return values
    return np.where(_small(counts, m)[which], different[common], values)


def _small(rows: Array, m: int) -> Array:
    return (rows > 0) & (rows < m)
