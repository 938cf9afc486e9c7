"""A client's counts and sums, from its table to numbers modulo 2^b. Nothing here is seen by another party."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

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


def client_numbers(scenario: SumScenario, client: str) -> tuple[Array, int]:
    """A client's vector, from a file of its own, and how many cells were clipped.

    Raises:
        DataError: the data cannot be read, or hold what the scenario refuses.
    """
    with open_source(scenario.data_of(client), client, scenario.path.parent, TextForm()) as raw:
        return numbers_of(scenario, client, _values(raw, scenario.task.columns))


def hosted_numbers(
    scenario: SumScenario, clients: Sequence[str]
) -> Iterator[tuple[str, tuple[Array, int] | DataError]]:
    """Each hosted client's vector, or what is wrong with its data; one file for all is read once."""
    spec = scenario.clients
    assert spec is not None
    shared = _by_client(scenario, spec.by) if spec.by is not None else None
    for client in clients:
        try:
            if shared is None:
                yield client, client_numbers(scenario, client)
            elif client in shared:
                yield client, numbers_of(scenario, client, shared[client])
            else:
                yield client, DataError(f"{client}: no row of {spec.data} is its own", f"see column '{spec.by}'")
        except DataError as error:
            yield client, error


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


def _by_client(scenario: SumScenario, by: str) -> dict[str, Values]:
    """All clients' rows in one file, by the name in column `by`; errors name the file, no client."""
    spec = scenario.clients
    assert spec is not None
    with open_source(spec.data, "clients", Path(scenario.path.parent), TextForm()) as raw:
        (column,) = find_columns(raw, [by], "by")
        values = _values(raw, scenario.task.columns)
        names = np.asarray(raw.arrays([column.text])["v0"]).astype(str)
    order = np.argsort(names, kind="stable")
    different, starts = np.unique(names[order], return_index=True)
    parts = np.split(values[order], starts[1:])
    return dict(zip(different.tolist(), parts, strict=True))
