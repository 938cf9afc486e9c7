"""A client's counts and sums, from its table to numbers modulo 2^b. Nothing here is seen by another party."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from mpc.ring.array import Array
from parties.data.cells import TextForm
from parties.data.checks import find_columns, kinds_of
from parties.data.features import Feature, read_features
from parties.data.read import RawTable, open_source
from parties.tasks.secure_sum.settings import SumScenario
from protocols.aggregation.own_cells import add_up, without_small
from protocols.aggregation.quantise import residues

Values = NDArray[np.float64]


class ClientRows:
    """The rows of one process's clients, read on demand; one file for all is read once a round."""

    def __init__(self, scenario: SumScenario) -> None:
        self._scenario = scenario
        self._shared: dict[str, Values] = {}
        self._place = 0

    def of(self, client: str, place: int) -> Values:
        """A client's cells (rows, columns) for the round at this place, NaN where one is empty.

        Raises:
            DataError: they cannot be read, or there are none.
        """
        scenario, spec = self._scenario, self._scenario.clients
        if client in scenario.parties or spec is None or spec.by is None:
            where = scenario.data_of(client, place)
            with open_source(where, client, scenario.directory, TextForm()) as raw:
                return _values(raw, scenario.read_columns)
        if place != self._place:
            self._shared, self._place = _group_by_client(scenario, spec.by, place), place
        if client not in self._shared:
            raise DataError(f"{client}: no row of {spec.data} is its own", f"see column '{spec.by}'")
        return self._shared[client]


@dataclass(frozen=True)
class OwnNumbers:
    """A client's vector modulo 2^b; how many cells of its data were clipped, and in which columns it withheld some."""

    vector: Array
    clipped: int = 0
    withheld: tuple[str, ...] = ()


def numbers_of(scenario: SumScenario, client: str, values: Values) -> OwnNumbers:
    """The vector of a client's rows (rows, columns), NaN where a cell is empty.

    Raises:
        DataError: cells are missing, or outside the range, where the scenario refuses that; or too many rows.
    """
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


def _values(raw: RawTable, names: Sequence[str]) -> Values:
    columns = find_columns(raw, names, "columns")
    kinds = kinds_of(raw, columns, required=True, dates=False)
    return read_features(raw, [Feature(column, kind) for column, kind in zip(columns, kinds, strict=True)])


def _group_by_client(scenario: SumScenario, by: str, place: int) -> dict[str, Values]:
    """All clients' rows in one file, by the name in column `by`; errors name the file, no client."""
    spec = scenario.clients
    assert spec is not None
    where = spec.data.replace("{round}", str(place))
    with open_source(where, "clients", scenario.directory, TextForm()) as raw:
        (column,) = find_columns(raw, [by], "by")
        values = _values(raw, scenario.read_columns)
        names = np.asarray(raw.arrays([column.text])["v0"]).astype(str)
    order = np.argsort(names, kind="stable")
    different, starts = np.unique(names[order], return_index=True)
    parts = np.split(values[order], starts[1:])
    return dict(zip(different.tolist(), parts, strict=True))
