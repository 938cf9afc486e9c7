"""The plan of a scenario before it runs: from the data where they are here, else from what the scenario states."""

from __future__ import annotations

from typing import Any

from mpc.plan import Plan
from parties.kinds import Plans, job_of
from parties.scenario import Scenario


def planned(scenario: Scenario) -> tuple[Any, Plan]:
    """The public settings of the scenario's kind of task, and their plan.

    Raises:
        UsageError: an owner's data are not here, and the scenario does not state what is needed instead.
        DataError: data that are here cannot be read, or do not fit together.
    """
    return Plans().of(scenario, *job_of(scenario).shapes(scenario))
