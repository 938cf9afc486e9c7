"""A client's counts and sums, from its table to numbers modulo 2^b. Nothing here is seen by another party."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from mpc.ring.array import Array
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.rows import Values
from protocols.aggregation.cells.own import add_up, without_small
from protocols.aggregation.parts.quantise import residues


@dataclass(frozen=True)
class OwnNumbers:
    """A client's vector modulo 2^b; how many cells of its data were clipped, and in which columns it withheld some.

    With [privacy], the vector is of real numbers, before rounding and noise.
    """

    vector: Array
    clipped: int = 0
    withheld: tuple[str, ...] = ()


def numbers_of(scenario: SumScenario, client: str, values: Values) -> OwnNumbers:
    """The vector of a client's rows (rows, columns), NaN where a cell is empty.

    Raises:
        DataError: cells are missing, or outside the range, where the scenario refuses that; or too many rows.
    """
    if scenario.privacy is not None:
        from parties.tasks.secure_sum.private import own_vector

        return OwnNumbers(*own_vector(scenario, client, values))
    task, how = scenario.task, scenario.coding
    values, weights, clipped = _weights(scenario, client, values)
    if len(values) > task.most_rows:
        raise DataError(f"{client}: {len(values)} rows, and {task.most_rows} are the most", "raise `most_rows`")
    missing = np.isnan(values)
    if missing.any() and task.missing == "refuse":
        column = task.columns[int(np.argmax(missing.any(axis=0)))]
        raise DataError(f"{client}: column '{column}' has empty cells", 'fill them, or set missing = "skip"')
    scaled = np.rint(np.where(missing, 0.0, values) * how.scale)
    low, high = task.range[0] * how.scale, task.range[1] * how.scale
    outside = ((scaled < np.ceil(low)) | (scaled > np.floor(high))) & ~missing
    if outside.any() and task.out_of_range == "refuse":
        column = task.columns[int(np.argmax(outside.any(axis=0)))]
        raise DataError(
            f"{client}: {int(outside.sum())} cells are outside the agreed range, of column '{column}' first",
            'correct them, widen `range`, or set out_of_range = "clip"',
        )
    whole = np.where(missing, 0, np.clip(scaled, np.ceil(low), np.floor(high))).astype(np.int64)
    _check_flags(scenario, client, values)
    there, withheld = ~missing, np.zeros(len(task.columns), dtype=bool)
    if task.min_cell is None or scenario.helper is not None:
        sums = add_up(whole, there, weights)
    else:
        sums, withheld = without_small(whole, there, weights, task.min_cell)
    totals = {"count": sums.counts, "weight": sums.weights, "sum": sums.sums}
    places = {name: place for place, name in enumerate(task.columns)}
    numbers = np.array([totals[kind][places[name]] for name, kind in scenario.entries], dtype=np.int64)
    for rows in scenario.value_rows:
        has, own = there[:, places[rows.column]], whole[:, places[rows.column]]
        of = {"value": own, "weight": weights, "product": weights * own}[rows.of]
        numbers = np.concatenate((numbers, rows.counted(of[has], task.min_cell or 0)))
    small = tuple(column for column, found in zip(task.columns, withheld, strict=True) if found)
    return OwnNumbers(residues(numbers, how.bits), clipped + int(outside.sum()), small)


def _check_flags(scenario: SumScenario, client: str, values: Values) -> None:
    """Refuse flags other than 0 and 1.

    Raises:
        DataError: a column of flags has other values.
    """
    flags = np.array([column in scenario.task.flags for column in scenario.task.columns])
    wrong = flags & (((values != 0) & (values != 1) & ~np.isnan(values)).any(axis=0))
    if wrong.any():
        column = scenario.task.columns[int(np.argmax(wrong))]
        raise DataError(f"{client}: column '{column}' has other values than 0 and 1", "correct it, or `flags`")


def _weights(scenario: SumScenario, client: str, values: Values) -> tuple[Values, NDArray[np.int64], int]:
    """The cells of rows that have a weight, these rows' weights, and how many of them were clipped; 1 without weights.

    Raises:
        DataError: a weight is missing or out of range, where the scenario refuses that, or no whole number.
    """
    task = scenario.task
    if task.weight is None or task.largest_weight is None:
        return values, np.ones(len(values), dtype=np.int64), 0
    cells, weights = values[:, :-1], values[:, -1]
    there = ~np.isnan(weights)
    if not there.all() and task.missing == "refuse":
        raise DataError(f"{client}: column '{task.weight}' has empty cells", 'fill them, or set missing = "skip"')
    cells, weights = cells[there], weights[there]
    if np.any(weights != np.rint(weights)):
        raise DataError(f"{client}: column '{task.weight}' has weights that are no whole numbers", "scale them")
    outside = int(((weights < 0) | (weights > task.largest_weight)).sum())
    if outside and task.out_of_range == "refuse":
        raise DataError(
            f"{client}: {outside} weights are not from 0 to {task.largest_weight}, of column '{task.weight}'",
            'correct them, raise `largest_weight`, or set out_of_range = "clip"',
        )
    return cells, np.clip(weights, 0, task.largest_weight).astype(np.int64), outside
