"""The plan of a scenario before it runs: from the data where they are here, else from what the scenario states."""

from __future__ import annotations

from mpc.errors import DataError, UsageError
from mpc.plan import Plan
from parties.data import load_owner_table
from parties.extent import split_widths
from parties.rows import row_counts, settings_for, split_of
from parties.scenario import Scenario
from parties.take_part import plan_for
from protocols.training_settings import TrainingSettings


def planned(scenario: Scenario) -> tuple[TrainingSettings, Plan]:
    """The training's settings and its plan.

    Raises:
        UsageError: an owner's data are not here, and the scenario does not state its `rows`, or the `features`.
        DataError: data that are here cannot be read, or the owners share no column.
    """
    if scenario.vertical:
        return _planned_split(scenario)
    counts: dict[str, int] = {}
    shared: list[str] | None = None
    for owner in scenario.owners:
        spec = scenario.parties[owner]
        if spec.rows is not None and (scenario.task.features is not None or spec.data is None):
            counts[owner] = spec.rows
            continue
        if spec.data is None:
            raise UsageError(
                f"the data of {owner} are not here, and the scenario does not state how many rows there are",
                f"add rows = ... to [parties.{owner}]",
            )
        table = load_owner_table(scenario, owner)
        counts[owner] = table.rows
        shared = list(table.columns) if shared is None else [name for name in shared if name in table.columns]
    if scenario.task.feature_names is not None:
        shared = list(scenario.task.feature_names)
    if shared is None:
        raise UsageError("the scenario does not say which columns the owners share", "list `features` in [task]")
    if not shared:
        raise DataError("no numeric column is shared by all owners", "list `features` in the scenario")
    rows = {owner: row_counts(scenario, count) for owner, count in counts.items()}
    return settings_for(scenario, rows, len(shared)), plan_for(scenario, rows, len(shared))


def _planned_split(scenario: Scenario) -> tuple[TrainingSettings, Plan]:
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
    return settings_for(scenario, rows, width), plan_for(scenario, rows, width)
