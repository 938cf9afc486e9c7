"""How large a training will be, as far as the scenario and the data that are here tell before anybody is met."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from parties.data import Table
from parties.scenario import Scenario


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
        """What was taken for granted of the features, in words; '' if nothing was."""
        if self.exact or self.features is None:
            return ""
        if self.split:
            return f"all owners together had {self.features} columns"
        return f"all owners had the same {self.features} columns"


def extent_from_here(scenario: Scenario, table: Table | None) -> Extent:
    """What one party can know: what the file states, and its own table if it has one."""
    stated = {owner: scenario.parties[owner].rows for owner in scenario.owners}
    rows = {owner: count for owner, count in stated.items() if count is not None}
    if table is not None:
        rows[table.owner] = table.rows
    if not scenario.vertical:
        listed = scenario.task.feature_names
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


def split_widths(scenario: Scenario, tables: Mapping[str, Table]) -> dict[str, int]:
    """How many columns each owner has, where columns are split: as its table has or the file states."""
    widths = {}
    for owner in scenario.owners:
        listed = scenario.task_of(owner).feature_names
        if owner in tables:
            widths[owner] = len(tables[owner].columns)
        elif listed is not None:
            widths[owner] = len(listed)
    return widths
