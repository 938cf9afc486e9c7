"""Which kind of task is done how: the one place that lists the kinds of tasks for owners and a helper."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from mpc.runtime.plan import Plan
from parties.scenario.file import Scenario
from parties.tasks.base import Job, Rows

AnyJob = Job[Any, Any, Any]

_KEPT_PLANS: Final = 2


def _training() -> AnyJob:
    from parties.tasks.logistic.run import TRAINING

    return TRAINING


def _linear() -> AnyJob:
    from parties.tasks.linear.run import LINEAR

    return LINEAR


def _statistics() -> AnyJob:
    from parties.tasks.statistics.run import STATISTICS

    return STATISTICS


def _predict() -> AnyJob:
    from parties.tasks.predict.run import PREDICT

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


class Plans:
    """The last plans that a process made, of which each takes long where a training has many steps.

    A party's process needs one to show what is asked for, for the run, and to say what was done: it is handed on.
    """

    def __init__(self) -> None:
        self._made: deque[tuple[Scenario, Rows, int, Any, Plan]] = deque(maxlen=_KEPT_PLANS)

    def of(self, scenario: Scenario, rows: Rows, columns: int) -> tuple[Any, Plan]:
        """The public settings of the scenario's run, and their plan; made where this is the first to ask.

        Args:
            rows: each owner's numbers of rows.
            columns: how many columns the owners share, or have together.

        Raises:
            UsageError: no such run can be.
            DataError: the owners' numbers of rows do not fit together.
        """
        for one, its_rows, its_columns, settings, plan in self._made:
            if one is scenario and its_rows == rows and its_columns == columns:
                return settings, plan
        job = job_of(scenario)
        settings = job.settings(scenario, rows, columns)
        plan = job.plan(settings)
        self._made.append((scenario, dict(rows), columns, settings, plan))
        return settings, plan


def plan_for(scenario: Scenario, rows: Rows, columns: int) -> Plan:
    """The plan of a scenario's run, given each owner's rows and how many columns the owners share (or have together).

    Raises:
        UsageError: no such run can be.
        DataError: the owners' numbers of rows do not fit together.
    """
    return Plans().of(scenario, rows, columns)[1]
