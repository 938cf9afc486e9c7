"""What is agreed of a training on shares with [privacy]: names, sizes and lengths; and an owner's rows by these."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mpc.errors import DataError, UsageError
from parties.data.checks import rows_text
from parties.scenario.problems import quote
from parties.scenario.terms import columns_of, parts_of
from parties.tasks.logistic.private.settings import MOST_ROWS
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.rows import load_private_table
from parties.tasks.privacy.settings import check_clips

if TYPE_CHECKING:
    from mpc.links.meeting.shapes import SplitColumns
    from parties.data.table import Table
    from parties.scenario.file import Scenario
    from protocols.rows.own_rows import OwnColumns

ROW_NORM: Final = 2.5
"""The default of the largest length of a row, of columns in [-1, 1]; the 1 for the intercept included."""


def most_rows(scenario: Scenario) -> int:
    """The rows that each owner's are filled up to."""
    assert scenario.privacy is not None
    return scenario.privacy.most_rows or MOST_ROWS


def row_norm(scenario: Scenario, features: int) -> float:
    """The largest length that a row may have, with its 1 for the intercept."""
    assert scenario.privacy is not None
    norm: float = scenario.privacy.norm or min(ROW_NORM, (features + 1) ** 0.5)
    return norm


def features_of(scenario: Scenario) -> tuple[tuple[str, ...], ...]:
    """The features of each owner, where columns are split; else all, once.

    Raises:
        UsageError: an owner's columns are not listed, or lack a range.
    """
    if not scenario.vertical:
        names = scenario.task_as(LogisticTask).feature_names
        assert names is not None
        return (names,)
    found, numbers = [], []
    for owner in scenario.owners:
        spec, task = scenario.parties[owner], scenario.task_of(owner)
        listed = task.feature_names
        if spec.features is None or listed is None:
            hint = f"list them as `features` in [parties.{owner}], each with its range in [privacy.clip]"
            raise UsageError(f"[privacy] needs the names of {owner}'s columns before the run", hint)
        if mixed := [term for term in spec.features if len(parts_of(term)) > 1]:
            hint = "put the product into the data as a column of its own, and give it a range"
            raise UsageError(f"[parties.{owner}] features lists {quote(mixed)}, a product, which [privacy] lacks", hint)
        numbers += [column for column in columns_of(spec.features) if column not in task.categories]
        found.append(listed)
    _check_ranges(scenario, numbers)
    return tuple(found)


def _check_ranges(scenario: Scenario, numbers: list[str]) -> None:
    assert scenario.privacy is not None
    for problem in check_clips(scenario.privacy, list(dict.fromkeys(numbers)), "which are features"):
        raise UsageError(problem.message, problem.hint)


def load_agreed_table(scenario: Scenario, owner: str) -> Table:
    """An owner's table.

    Raises:
        DataError: as `load_private_table`; or it has more rows than were agreed.
    """
    table, most = load_private_table(scenario, owner), most_rows(scenario)
    if table.rows > most:
        raise DataError(
            f"{owner}, {table.source}: {rows_text(table.rows)} of data, and {most} are the most that were agreed",
            f"raise most_rows in [privacy], which is {most}, at all parties",
            party=owner,
        )
    return table


def held_out(table: Table, scenario: Scenario) -> NDArray[np.bool_]:
    """Which rows (m,) are held out, where columns are split: each by a hash of its id, whatever the other rows are."""
    limit = scenario.model_task.test_fraction * 2.0**64

    def chosen(one: str) -> bool:
        text = f"{scenario.seed}/{one}".encode("utf-8", "surrogatepass")
        return int.from_bytes(sha256(text).digest()[:8], "big") < limit

    return np.array([chosen(one) for one in table.ids], dtype=np.bool_)


def trained_columns(table: Table, scenario: Scenario, split: SplitColumns, key: bytes) -> OwnColumns:
    """An owner's columns, of the rows that are trained on and of those that are held out."""
    from parties.data.vertical import digest_bits
    from protocols.rows.own_rows import OwnColumns

    out, target = held_out(table, scenario), table.target
    labels = (target[~out], target[out]) if table.has_target else (target, target)
    x_train, x_test = table.values[~out], table.values[out]
    ids = digest_bits(key, table.ids)
    return OwnColumns(dict(split.columns), split.target_owner, x_train, labels[0], x_test, labels[1], ids)
