"""Which kind of task is done how: the one place that lists the kinds of tasks for owners and a helper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpc.plan import Plan
from parties.job import Job, Rows
from parties.linear import LINEAR
from parties.predict import PREDICT
from parties.scenario import Scenario
from parties.statistics import STATISTICS
from parties.training import TRAINING

JOBS: Final[Mapping[str, Job[Any, Any, Any]]] = {
    "logistic_regression": TRAINING,
    "linear_regression": LINEAR,
    "statistics": STATISTICS,
    "predict": PREDICT,
}


def job_of(scenario: Scenario) -> Job[Any, Any, Any]:
    """How the scenario's kind of task is done."""
    return JOBS[scenario.task.kind]


def plan_for(scenario: Scenario, rows: Rows, columns: int) -> Plan:
    """The plan of a scenario's run, given each owner's rows and how many columns the owners share (or have together).

    Raises:
        UsageError: no such run can be.
        DataError: the owners' numbers of rows do not fit together.
    """
    job = job_of(scenario)
    return job.plan(job.settings(scenario, rows, columns))
