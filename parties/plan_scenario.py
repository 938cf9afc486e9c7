"""The plan of a scenario before it runs: from the data where they are here, else from what the scenario states."""

from __future__ import annotations

from mpc.errors import DataError, UsageError
from mpc.plan import Plan
from parties.data import load_owner_table
from parties.rows import row_counts, settings_for
from parties.scenario import Scenario
from parties.take_part import plan_for
from protocols.training_settings import TrainingSettings


def planned(scenario: Scenario) -> tuple[TrainingSettings, Plan]:
    """The training's settings and its plan.

    Raises:
        UsageError: an owner's data are not here, and the scenario does not state its `rows`, or the `features`.
        DataError: data that are here cannot be read, or the owners share no column.
    """
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
