"""The size of a training, as far as the scenario and the data that are here determine it before the parties meet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mpc.errors import DataError, UsageError
from parties.data.own_table import OwnTable
from parties.data.table import Table, load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.rows.regression import row_counts, split_of

Rows = Mapping[str, tuple[int, int]]
"""Each owner's numbers of rows: to compute with, and held out."""


@dataclass(frozen=True)
class Extent:
    """The model's features and each owner's rows.

    Args:
        features: how many, without the intercept; None if nothing tells.
        exact: whether the number is certain, rather than assumed from the table that is here.
        rows: of the owners whose number is known.
        split: whether the owners have other columns of the same rows.
    """

    features: int | None
    exact: bool
    rows: Mapping[str, int]
    split: bool

    @property
    def assumption(self) -> str:
        """Assumptions about the features, in words; '' if there are none."""
        if self.exact or self.features is None:
            return ""
        if self.split:
            return f"all owners together had {self.features} columns"
        return f"all owners had the same {self.features} columns"


def extent_from_here(scenario: Scenario, table: Table | None) -> Extent:
    """The extent as one party can know it: from the file, and its own table if it has one."""
    rows = known_rows(scenario, table)
    if not scenario.vertical:
        listed = scenario.model_task.feature_names
        here = None if table is None else len(table.columns)
        return Extent(here if listed is None else len(listed), listed is not None, rows, split=False)
    if rows:  # all owners have the same
        rows = dict.fromkeys(scenario.owners, next(iter(rows.values())) if table is None else table.rows)
    widths = split_widths(scenario, {} if table is None else {table.owner: table})
    exact = len(widths) == len(scenario.owners)
    if not widths:
        return Extent(None, False, rows, split=True)
    total = sum(widths.values())
    return Extent(total if exact else -(-total * len(scenario.owners) // len(widths)), exact, rows, split=True)


def known_rows(scenario: Scenario, table: OwnTable | None) -> dict[str, int]:
    """The rows of the owners of which the scenario states them, or whose table is here."""
    stated = {owner: scenario.parties[owner].rows for owner in scenario.owners}
    rows = {owner: count for owner, count in stated.items() if count is not None}
    return rows if table is None else {**rows, table.owner: table.rows}


def rows_not_stated(owner: str) -> UsageError:
    """The error where neither the scenario nor data tell an owner's number of rows."""
    return UsageError(
        f"the data of {owner} are not here, and the scenario does not state how many rows there are",
        f"add rows = ... to [parties.{owner}]",
    )


def split_widths(scenario: Scenario, tables: Mapping[str, Table]) -> dict[str, int]:
    """The number of each owner's columns, where columns are split: from its table or the file."""
    widths = {}
    for owner in scenario.owners:
        listed = scenario.task_of(owner).feature_names
        if owner in tables:
            widths[owner] = len(tables[owner].columns)
        elif listed is not None:
            widths[owner] = len(listed)
    return widths


def training_shapes(scenario: Scenario) -> tuple[Rows, int]:
    """Each owner's training and held-out rows, and the model's features, from the data where they are here.

    Raises:
        UsageError: an owner's data are not here, and the scenario does not state its `rows`, or the `features`.
        DataError: data that are here cannot be read, or the owners share no column.
    """
    if scenario.vertical:
        return _split_shapes(scenario)
    counts: dict[str, int] = {}
    shared: list[str] | None = None
    for owner in scenario.owners:
        spec = scenario.parties[owner]
        if spec.rows is not None and (scenario.model_task.features is not None or spec.data is None):
            counts[owner] = spec.rows
            continue
        if spec.data is None:
            raise rows_not_stated(owner)
        table = load_owner_table(scenario, owner)
        counts[owner] = table.rows
        shared = list(table.columns) if shared is None else [name for name in shared if name in table.columns]
    if scenario.model_task.feature_names is not None:
        shared = list(scenario.model_task.feature_names)
    if shared is None:
        raise UsageError("the scenario does not say which columns the owners share", "list `features` in [task]")
    if not shared:
        raise DataError("no numeric column is shared by all owners", "list `features` in the scenario")
    rows = {owner: row_counts(scenario, count) for owner, count in counts.items()}
    return rows, len(shared)


def _split_shapes(scenario: Scenario) -> tuple[Rows, int]:
    """The same where the owners have other columns of the same rows."""
    tables = {}
    for owner in scenario.owners:
        spec = scenario.parties[owner]
        if spec.rows is None or spec.features is None:
            if spec.data is None:
                raise UsageError(
                    f"the data of {owner} are not here, and the scenario does not state its rows and features",
                    f"add rows = ... and features = [...] to [parties.{owner}]",
                )
            tables[owner] = load_owner_table(scenario, owner)
    if len(tables) == len(scenario.owners):
        split_of(tables)
    counts = {
        owner: tables[owner].rows if owner in tables else scenario.parties[owner].rows or 0 for owner in scenario.owners
    }
    width = sum(split_widths(scenario, tables).values())
    if not width:
        raise DataError("no owner has a numeric column", "give the columns that predict the target as numbers")
    rows = {owner: row_counts(scenario, count) for owner, count in counts.items()}
    return rows, width
