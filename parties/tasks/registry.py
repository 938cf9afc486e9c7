"""The kinds of task: the one place that lists them. A scenario is read, and its run planned, by its kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mpc.errors import InternalError, UsageError
from mpc.runtime.plan import Plan
from parties.scenario.file import Scenario, check_scenario, read_scenario, read_toml
from parties.scenario.program import ProgramFile, read_program
from parties.tasks.base import Job, Kind, owners_request
from parties.tasks.federated import kind as federated
from parties.tasks.linear import kind as linear
from parties.tasks.logistic import kind as logistic
from parties.tasks.mantel_haenszel import kind as mantel_haenszel
from parties.tasks.predict import kind as predict
from parties.tasks.program import kind as program
from parties.tasks.program.star import kind as star_program
from parties.tasks.rows.extent import Rows
from parties.tasks.rows.few import refuse_few
from parties.tasks.secure_sum import kind as secure_sum
from parties.tasks.statistics import kind as statistics
from parties.trust.request import Request

if TYPE_CHECKING:
    from parties.scenario.star import StarScenario
    from parties.tasks.star.base import Star

AnyJob = Job[Any, Any, Any]

_KEPT_PLANS: Final = 2


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        logistic.KIND,
        linear.KIND,
        statistics.KIND,
        mantel_haenszel.KIND,
        predict.KIND,
        program.KIND,
        star_program.KIND,
        secure_sum.KIND,
        federated.KIND,
    )
}
"""Every kind of task, by the name that a scenario gives it."""

_READERS: Final = {kind.name: kind.reader for kind in KINDS.values() if kind.reader is not None}


def load_scenario(path: Path) -> Scenario:
    """Read and check a scenario file for owners and a helper.

    Raises:
        UsageError: the file cannot be read, or is not a valid scenario; all problems are named together.
    """
    return read_scenario(path, _READERS, tuple(KINDS))


def kind_of(scenario: Scenario) -> Kind:
    """The scenario's kind of task."""
    return KINDS[scenario.task.kind]


def request_of(scenario: Scenario | StarScenario) -> Request:
    """What a scenario asks of a party, for its policy."""
    request = KINDS[scenario.task.kind].request
    if request is not None:
        return request(scenario)
    if isinstance(scenario, Scenario):
        return owners_request(scenario, job_of(scenario))
    raise InternalError(f'kind = "{scenario.task.kind}" says nothing to a policy', "please report this as a bug")


def star_of(scenario: StarScenario) -> Star:
    """How the scenario's kind of task is done, over a server and clients."""
    star = KINDS[scenario.task.kind].star
    if star is None:
        raise InternalError(f'kind = "{scenario.task.kind}" is for no server', "please report this as a bug")
    return star()


def job_of(scenario: Scenario) -> AnyJob:
    """How the scenario's kind of task is done."""
    kind = kind_of(scenario)
    if scenario.privacy is not None and kind.noisy is not None:
        return kind.noisy(scenario)
    if kind.job is None:
        raise InternalError(f'kind = "{scenario.task.kind}" is for no owners', "please report this as a bug")
    return kind.job()


def kind_of_record(record: Mapping[str, Any]) -> Kind:
    """The kind of task of a run's record; in records of earlier versions it is in the scenario, or missing."""
    about: object = record.get("about")
    said = record.get("kind") or (about.get("kind") if isinstance(about, Mapping) else None)
    known = KINDS.get(said) if isinstance(said, str) else None
    if known is not None:
        return known
    first, *others = KINDS.values()
    return next((kind for kind in others if kind.older is not None and kind.older(record)), first)


def with_program(scenario: Scenario | StarScenario, named: str | None, *, alone: bool) -> Scenario | StarScenario:
    """The scenario with the protocol that the command line names; the file is read, and nothing of it runs.

    Args:
        named: FILE:FUNCTION, or None.
        alone: whether the file must be all that runs: where the parties are on several machines.

    Raises:
        UsageError: its kind needs one and there is none, or the other way round; or the file is not fit.
    """
    clients = not isinstance(scenario, Scenario)
    return add_program(scenario, None if named is None else read_program(named, alone=alone, clients=clients))


def add_program(scenario: Scenario | StarScenario, program: ProgramFile | None) -> Scenario | StarScenario:
    """The scenario with a protocol that was read.

    Raises:
        UsageError: its kind needs one and there is none, or the other way round.
    """
    needed = job_of(scenario).run.foreign if isinstance(scenario, Scenario) else star_of(scenario).foreign
    if program is None and needed:
        hint = "name its file and function with --program FILE:FUNCTION: a scenario never names code"
        raise UsageError(f"{scenario.path} runs a protocol that whoever takes part names", hint)
    if program is None:
        return scenario
    if not needed:
        raise UsageError(
            f'--program is for kind = "program" or "star_program", and {scenario.path} is of another', "leave it out"
        )
    return scenario.model_copy(update={"program": program})


class Plans:
    """The last plans that a process made: the plan of a training with many steps takes long.

    A party's process needs one to show what is asked for, for the run, and to say what was done: it is handed on.
    """

    def __init__(self) -> None:
        self._made: deque[tuple[Scenario, Rows, int, Any, Plan]] = deque(maxlen=_KEPT_PLANS)

    def of(self, scenario: Scenario, rows: Rows, columns: int) -> tuple[Any, Plan]:
        """The public settings of the scenario's run, and their plan; made at the first call.

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
        settings = job.run.settings(scenario, rows, columns)
        plan = job.run.plan(settings)
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
    rows, columns = job_of(scenario).data.shapes(scenario)
    refuse_few(scenario, rows, columns)
    return Plans().of(scenario, rows, columns)


def load_any(path: Path) -> Scenario | StarScenario:
    """Read and check a scenario file; what only another kind of task needs is not imported.

    Raises:
        UsageError: the file cannot be read, or is not a valid scenario.
    """
    return load_tables(path, read_toml(path))


def load_tables(path: Path, raw: Mapping[str, Any]) -> Scenario | StarScenario:
    """Check a scenario file's tables, as `load_any` does; `path` is what its relative paths start from.

    Raises:
        UsageError: they are no valid scenario.
    """
    task = raw.get("task")
    said = task.get("kind") if isinstance(task, Mapping) else None
    kind = KINDS.get(said) if isinstance(said, str) else None
    if kind is None or kind.read is None:
        return check_scenario(path, raw, _READERS, tuple(KINDS))
    return kind.read(path, raw)
