"""The plan of a scenario before it runs: from the data where they are here, else from what the scenario states."""

from __future__ import annotations

from typing import Any

from mpc.runtime.plan import Plan
from parties.scenario.file import Scenario
from parties.tasks.few_rows import refuse_few
from parties.tasks.registry import Plans, job_of


def planned(scenario: Scenario) -> tuple[Any, Plan]:
    """The public settings of the scenario's kind of task, and their plan.

    Raises:
        UsageError: an owner's data are not here, and the scenario does not state what is needed instead.
        DataError: data that are here cannot be read, do not fit together, or are too few.
    """
    rows, columns = job_of(scenario).shapes(scenario)
    refuse_few(scenario, rows, columns)
    return Plans().of(scenario, rows, columns)
