"""The rows of the clients of one process: a file for each, or one file for all.

In one file a column names the client of each row, or the rows are dealt out by a public rule and seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError
from mpc.randomness.streams import Stream, derive
from parties.data.cells import TextForm
from parties.data.checks import find_columns, kinds_of
from parties.data.features import Feature, read_features
from parties.data.read import RawTable, open_source
from parties.scenario.star import ClientsSpec, StarScenario

Values = NDArray[np.float64]
Rows = NDArray[np.int64]


class ClientRows:
    """The rows of one process's clients, read on demand; one file for all is read once a round.

    Args:
        columns: the columns that are read, in this order.
        in_order: whether names in one file that are no clients' stand for the clients in the names' order.
    """

    def __init__(self, scenario: StarScenario, columns: Sequence[str], *, in_order: bool = False) -> None:
        self._scenario = scenario
        self._columns = columns
        self._values: Values = np.zeros((0, len(columns)))
        self._rows: Mapping[str, Rows] = {}
        self._in_order = in_order
        self._place = 0

    def of(self, client: str, place: int) -> Values:
        """A client's cells (rows, columns) for the round at this place, NaN where one is empty.

        Raises:
            DataError: they cannot be read, or there are none.
            UsageError: the rows that should be dealt out are fewer than the clients.
        """
        scenario, spec = self._scenario, self._scenario.clients
        if client in scenario.parties or spec is None or "{client}" in str(spec.data):
            where = scenario.data_of(client, place)
            with open_source(where, client, scenario.directory, TextForm()) as raw:
                return _values(raw, self._columns)
        if place != self._place:
            self._values, self._rows = _shared(scenario, spec, self._columns, place)
            self._place = place
            hosted = scenario.hosted_clients
            if self._in_order and not set(self._rows) & set(hosted) and len(self._rows) == len(hosted):
                self._rows = dict(zip(hosted, self._rows.values(), strict=True))
        if client not in self._rows:
            raise DataError(
                f"{client}: no row of {spec.data} is its own",
                f"see column '{spec.by}', which has {len(self._rows)} names",
            )
        return self._values[self._rows[client]]


def _values(raw: RawTable, names: Sequence[str]) -> Values:
    columns = find_columns(raw, names, "columns")
    kinds = kinds_of(raw, columns, required=True, dates=False)
    return read_features(raw, [Feature(column, kind) for column, kind in zip(columns, kinds, strict=True)])


def _shared(
    scenario: StarScenario, spec: ClientsSpec, columns: Sequence[str], place: int
) -> tuple[Values, Mapping[str, Rows]]:
    """All clients' cells in one file, and each one's row numbers; errors name the file, no client."""
    assert spec.data is not None
    where = spec.data.replace("{round}", str(place))
    with open_source(where, "clients", scenario.directory, TextForm()) as raw:
        values = _values(raw, columns)
        if spec.by is None:
            return values, dict(zip(scenario.hosted_clients, _dealt(scenario, spec, columns, values), strict=True))
        (whose,) = find_columns(raw, [spec.by], "by")
        names = np.asarray(raw.arrays([whose.text])["v0"]).astype(str)
    order = np.argsort(names, kind="stable")
    different, starts = np.unique(names[order], return_index=True)
    return values, dict(zip(different.tolist(), np.split(order, starts[1:]), strict=True))


def _dealt(scenario: StarScenario, spec: ClientsSpec, columns: Sequence[str], values: Values) -> list[Rows]:
    """The row numbers of each hosted client: the same in every process, for they follow from what is public."""
    from protocols.federated.draws.split import by_labels, by_quantity

    assert scenario.split_seed is not None
    assert spec.alpha is not None
    stream = Stream(derive(scenario.split_seed, f"split by {spec.split}/{spec.alpha!r}/{spec.count}"))
    if spec.split == "quantity":
        return by_quantity(len(values), spec.count, spec.alpha, stream)
    assert scenario.split_labels is not None
    labels = values[:, columns.index(scenario.split_labels)]
    return by_labels(labels, spec.count, spec.alpha, stream)
