"""A client's rows, from its table to the features and labels that it trains on, and those that it holds out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np

from mpc.errors import DataError
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.rows import ClientRows, Values
from protocols.federated.models import Rows
from protocols.federated.personal import held_out


@dataclass(frozen=True, eq=False)
class OwnRows:
    """A client's rows, in the columns' own units.

    Args:
        train, held: the rows to train on, and those that are held out.
        clipped: how many values were outside the agreed ranges, and were clipped.
        dropped: how many rows were left out for empty cells.
        digest: SHA-256 of the cells that were read.
    """

    train: Rows = field(repr=False)
    held: Rows = field(repr=False)
    clipped: int
    dropped: int
    digest: str

    def __len__(self) -> int:
        return int(self.train.y.size + self.held.y.size)


def rows_of(scenario: FederatedScenario) -> ClientRows:
    """Where the rows of a process's clients are read from."""
    return ClientRows(scenario, scenario.read_columns)


def own_rows(scenario: FederatedScenario, client: str, values: Values, number: int | None = None) -> OwnRows:
    """A client's rows (rows, columns), NaN where a cell is empty, as it uses them.

    Args:
        number: the client's, where it is known; to find it takes time where there are many.

    Raises:
        DataError: cells are missing where the scenario refuses that; labels are none; rows are too many or too few.
    """
    task, number = scenario.task, scenario.client_names.index(client) if number is None else number
    digest = hashlib.sha256("\0".join(scenario.read_columns).encode() + b"\0" + values.tobytes()).hexdigest()
    missing = np.isnan(values)
    if missing.any() and task.missing == "refuse":
        column = scenario.read_columns[int(np.argmax(missing.any(axis=0)))]
        raise DataError(f"{client}: column '{column}' has empty cells", 'fill them, or set missing = "drop"')
    whole = values[~missing.any(axis=1)]
    if len(whole) > task.most_rows:
        raise DataError(f"{client}: {len(whole)} rows, and {task.most_rows} are the most", "raise `most_rows`")
    x, y = whole[:, :-1], whole[:, -1]
    if not np.isfinite(whole).all():
        column = scenario.read_columns[int(np.argmax((~np.isfinite(whole)).any(axis=0)))]
        raise DataError(f"{client}: column '{column}' has an infinite value", "correct it")
    clipped = 0
    if task.range is not None:
        low, high = scenario.ranges()
        within = np.clip(x, low, high)
        clipped, x = int(np.count_nonzero(within != x)), within
    y, more = _labels(scenario, client, y)
    stream = Stream(derive(scenario.public_seed, f"federated rows held out/{number}"))
    train, held = held_out(len(y), 0.0 if scenario.newton else task.validation_fraction, stream)
    rows = Rows(x, y)
    least = task.least_rows if scenario.by_rows else 1
    if len(train) < least:
        raise DataError(
            f"{client}: {len(train)} rows to train on, and {least} are the least", "lower `least_rows`, or leave it out"
        )
    return OwnRows(rows.of(train), rows.of(held), clipped + more, int(missing.any(axis=1).sum()), digest)


def _labels(scenario: FederatedScenario, client: str, y: Array) -> tuple[Array, int]:
    """The target as the model takes it, and how many values were clipped.

    Raises:
        DataError: they are no classes, or no counts.
    """
    task, classes = scenario.task, scenario.classes
    if classes > 1:
        if np.any((y != np.rint(y)) | (y < 0) | (y >= classes)):
            raise DataError(
                f"{client}: column '{task.target}' has other values than the classes 0 to {classes - 1}",
                "number the classes from 0, and see `classes`",
            )
        return y, 0
    units = scenario.target_units
    within = np.clip(y, units.low, units.high)
    clipped = int(np.count_nonzero(within != y))
    if task.model == "poisson":
        if np.any((within != np.rint(within)) | (within < 0)):
            raise DataError(f"{client}: column '{task.target}' has values that are no counts", "correct them")
        return within, clipped
    return (within - units.centre) / units.unit, clipped
