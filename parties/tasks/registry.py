"""The kinds of task: the one place that lists them. A scenario is read, and its run planned, by its kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mpc.runtime.plan import Plan
from parties.scenario.file import Scenario, read_scenario, read_toml
from parties.scenario.task import Readers
from parties.tasks.base import Job, Rows
from parties.tasks.few_rows import refuse_few
from parties.tasks.linear.settings import READER as _LINEAR
from parties.tasks.logistic.settings import READER as _LOGISTIC
from parties.tasks.predict.settings import READER as _PREDICT
from parties.tasks.statistics.settings import READER as _STATISTICS

if TYPE_CHECKING:
    from parties.tasks.secure_sum.settings import SumScenario

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


_READERS: Final[Readers] = {
    "logistic_regression": _LOGISTIC,
    "linear_regression": _LINEAR,
    "statistics": _STATISTICS,
    "predict": _PREDICT,
}
_ALL: Final = (*_READERS, "secure_sum")


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario file for owners and a helper.

    Raises:
        UsageError: the file cannot be read, or is not a valid scenario; all problems are named together.
    """
    return read_scenario(path, _READERS, _ALL)


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


def planned(scenario: Scenario) -> tuple[Any, Plan]:
    """The public settings of the scenario's kind of task, and their plan.

    Raises:
        UsageError: an owner's data are not here, and the scenario does not state what is needed instead.
        DataError: data that are here cannot be read, do not fit together, or are too few.
    """
    rows, columns = job_of(scenario).shapes(scenario)
    refuse_few(scenario, rows, columns)
    return Plans().of(scenario, rows, columns)


def load_any(path: Path) -> Scenario | SumScenario:
    """Read and check a scenario file; what only a secure sum needs is imported for one.

    Raises:
        UsageError: the file cannot be read, or is not a valid scenario.
    """
    raw = read_toml(path)
    task = raw.get("task")
    if not isinstance(task, Mapping) or task.get("kind") != "secure_sum":
        return load_scenario(path)
    from parties.tasks.secure_sum.settings import read_sum

    return read_sum(path, raw)
