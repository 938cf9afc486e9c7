"""The rows of the clients of one process: a file for each, or one file for all with a column that names the client."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from parties.data.cells import TextForm
from parties.data.checks import find_columns, kinds_of
from parties.data.features import Feature, read_features
from parties.data.read import RawTable, open_source
from parties.scenario.star import StarScenario

Values = NDArray[np.float64]


class ClientRows:
    """The rows of one process's clients, read on demand; one file for all is read once a round.

    Args:
        columns: the columns that are read, in this order.
    """

    def __init__(self, scenario: StarScenario, columns: Sequence[str]) -> None:
        self._scenario = scenario
        self._columns = columns
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
                return _values(raw, self._columns)
        if place != self._place:
            self._shared, self._place = _group_by_client(scenario, self._columns, spec.by, place), place
        if client not in self._shared:
            raise DataError(f"{client}: no row of {spec.data} is its own", f"see column '{spec.by}'")
        return self._shared[client]


def _values(raw: RawTable, names: Sequence[str]) -> Values:
    columns = find_columns(raw, names, "columns")
    kinds = kinds_of(raw, columns, required=True, dates=False)
    return read_features(raw, [Feature(column, kind) for column, kind in zip(columns, kinds, strict=True)])


def _group_by_client(scenario: StarScenario, columns: Sequence[str], by: str, place: int) -> dict[str, Values]:
    """All clients' rows in one file, by the name in column `by`; errors name the file, no client."""
    spec = scenario.clients
    assert spec is not None
    where = spec.data.replace("{round}", str(place))
    with open_source(where, "clients", scenario.directory, TextForm()) as raw:
        (whose,) = find_columns(raw, [by], "by")
        values = _values(raw, columns)
        names = np.asarray(raw.arrays([whose.text])["v0"]).astype(str)
    order = np.argsort(names, kind="stable")
    different, starts = np.unique(names[order], return_index=True)
    parts = np.split(values[order], starts[1:])
    return dict(zip(different.tolist(), parts, strict=True))
