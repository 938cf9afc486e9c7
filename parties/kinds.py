"""Which kind of task is done how: the one place that lists the kinds of tasks for owners and a helper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mpc.plan import Plan
from parties.job import Job, Rows
from parties.scenario import Scenario

AnyJob = Job[Any, Any, Any]


def _training() -> AnyJob:
    from parties.training import TRAINING

    return TRAINING


def _linear() -> AnyJob:
    from parties.linear import LINEAR

    return LINEAR


def _statistics() -> AnyJob:
    from parties.statistics import STATISTICS

    return STATISTICS


def _predict() -> AnyJob:
    from parties.predict import PREDICT

    return PREDICT


# Imported when it is asked for: a run is of one kind, and its start is a good part of a small run.
_JOBS: Final[Mapping[str, Callable[[], AnyJob]]] = {
    "logistic_regression": _training,
    "linear_regression": _linear,
    "statistics": _statistics,
    "predict": _predict,
}


def job_of(scenario: Scenario) -> AnyJob:
    """How the scenario's kind of task is done."""
    return _JOBS[scenario.task.kind]()


def plan_for(scenario: Scenario, rows: Rows, columns: int) -> Plan:
    """The plan of a scenario's run, given each owner's rows and how many columns the owners share (or have together).

    Raises:
        UsageError: no such run can be.
        DataError: the owners' numbers of rows do not fit together.
    """
    job = job_of(scenario)
    return job.plan(job.settings(scenario, rows, columns))
