"""A client's counts and sums, from its table to numbers modulo 2^b. Nothing here is seen by another party."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from mpc.ghost import Array
from parties.data_cells import TextForm
from parties.data_checks import find_columns, kinds_of
from parties.data_features import Feature, read_features
from parties.data_read import RawTable, open_source
from parties.sum_scenario import SumScenario
from protocols.aggregation.quantise import residues

Values = NDArray[np.float64]


class ClientRows:
    """The rows of one process's clients, read when they are asked for; one file for all is read once a round."""

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
                return _values(raw, scenario.task.columns)
        if place != self._place:
            self._shared, self._place = _by_client(scenario, spec.by, place), place
        if client not in self._shared:
            raise DataError(f"{client}: no row of {spec.data} is its own", f"see column '{spec.by}'")
        return self._shared[client]


def numbers_of(scenario: SumScenario, client: str, values: Values) -> tuple[Array, int]:
    """The vector of a client's rows (rows, columns), NaN where a cell is empty.

    Raises:
        DataError: cells are missing, or outside the range, where the scenario refuses that; or too many rows.
    """
    task, how = scenario.task, scenario.coding
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
    totals: Mapping[str, Sequence[int]] = {"sum": whole.sum(axis=0).tolist(), "count": (~missing).sum(axis=0).tolist()}
    places = {column: place for place, column in enumerate(task.columns)}
    numbers = np.array([totals[kind][places[column]] for column, kind in scenario.entries], dtype=np.int64)
    return residues(numbers, how.bits), int(outside.sum())


def _values(raw: RawTable, names: Sequence[str]) -> Values:
    columns = find_columns(raw, names, "columns")
    kinds = kinds_of(raw, columns, required=True, dates=False)
    return read_features(raw, [Feature(column, kind) for column, kind in zip(columns, kinds, strict=True)])


def _by_client(scenario: SumScenario, by: str, place: int) -> dict[str, Values]:
    """All clients' rows in one file, by the name in column `by`; errors name the file, no client."""
    spec = scenario.clients
    assert spec is not None
    where = spec.data.replace("{round}", str(place))
    with open_source(where, "clients", scenario.directory, TextForm()) as raw:
        (column,) = find_columns(raw, [by], "by")
        values = _values(raw, scenario.task.columns)
        names = np.asarray(raw.arrays([column.text])["v0"]).astype(str)
    order = np.argsort(names, kind="stable")
    different, starts = np.unique(names[order], return_index=True)
    parts = np.split(values[order], starts[1:])
    return dict(zip(different.tolist(), parts, strict=True))
