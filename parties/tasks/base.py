"""What a kind of task is to the code around it: a function for each step of a run, which the kind provides.

Each kind has a folder with these functions, and `registry.py` lists the kinds. The code that connects, compares,
records and shows asks its `Data`, `Run` or `Notice` (together a `Job`), and never which kind it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mpc.links.meeting.handshake import Agreement
from mpc.links.meeting.offer import Common
from mpc.runtime.plan import Plan, ProgramFactory
from parties.data.own_table import OwnTable
from parties.scenario.models import Task
from parties.scenario.task import TaskReader
from parties.show.blocks import table
from parties.trust.request import Request

if TYPE_CHECKING:
    from pathlib import Path

    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario
    from parties.show.blocks import Block, Line
    from parties.tasks.audited.audit import Audit
    from parties.tasks.rows.extent import Extent, Rows
    from parties.tasks.star.base import Star
    from parties.trust.budget import Charge
    from parties.trust.share_file import Vault


@dataclass(frozen=True)
class PlanText:
    """What a plan says that depends on the kind of task.

    Args:
        scenario: what is added to the scenario's name and digest in `mpc plan --json`.
        facts: further keys of it.
        work: who computes what on how much, in a sentence.
        how: lines on how it is computed.
        helper_learns: what the helper is told.
        uses: what each kind of correlated randomness is for.
        details: what comes at the end.
    """

    scenario: Mapping[str, Any]
    facts: Mapping[str, Any]
    work: str
    how: tuple[Line, ...]
    helper_learns: tuple[str, ...]
    uses: Mapping[str, str]
    details: tuple[Block, ...]


def _always(scenario: Scenario, owner: str) -> bool:
    """`pools` of a kind in which every owner's rows enter the results of all."""
    return True


def _none_held_out(scenario: Scenario, rows: int) -> tuple[int, int]:
    """`counts` of a kind that computes with all rows."""
    return rows, 0


def _no_target(scenario: Scenario, table: OwnTable) -> bool | None:
    """`has_target` of a kind whose owners all have the same columns, or no target."""
    return None


def _no_warnings(*of: object) -> list[str]:
    """`before` or `after` of a kind that warns of nothing."""
    return []


def _no_charge(scenario: Scenario) -> Charge | None:
    """`charge` of a kind without [privacy]."""
    return None


def own_rows_only(scenario: Scenario, rows: Rows, columns: int) -> int:
    """`pooled` of a kind in which no party computes with numbers of all owners' rows."""
    return 0


def outcome_for_all(scenario: Scenario, what: Iterable[str]) -> str:
    """`outcome` of a kind whose results all owners get."""
    return f"Revealed to {', '.join(scenario.owners)}: {', '.join(what)}."


def all_cells(scenario: Scenario, rows: Rows, columns: int) -> int:
    """`pooled` of a kind in which every party computes with all owners' rows, masked."""
    counts = [sum(pair) for pair in rows.values()]
    return (max(counts) if scenario.vertical else sum(counts)) * columns


def side_facts(*, split: bool) -> str:
    """Facts that owners learn of each other besides the openings."""
    if split:
        return "The owners also learn the names of each other's columns, and who has the target."
    return "The owners also learn each other's numbers of rows."


def told_beside(show: Show, *, split: bool, private: bool) -> str:
    """Facts that owners learn of each other besides the openings, of a kind and under [privacy] or not."""
    if private:
        return "Of each other's numbers of rows the owners learn only that there are min_rows at least."
    return show.side_facts(split=split)


def no_figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """`headline` of a kind without a number to compare runs by."""
    return {}


@dataclass(frozen=True)
class Show:
    """What a record's part of a kind looks like.

    Args:
        title: what the report calls it.
        blocks: the summary's lines and tables; nothing of a run that failed, or where the record has no result.
        note: how to read it, below the same in the report.
        sections: the report's sections, where they are more than the summary's blocks.
        status: how a run that succeeded ended, in a sentence; None: that of every kind.
        nothing_else: the sentence that nobody learnt anything else, or what makes it; None: that of every kind.
        costs: whether its blocks say what the run cost.
        trains: whether a part of the online time is a training.
        side_facts: what owners learn of each other beside what is opened.
        figures: the numbers by which runs of this kind are compared, by name; None where a record lacks one.
        declared: whether its reveals are as somebody declared them, and nothing checks that they are all.
    """

    title: str
    blocks: Callable[[Mapping[str, Any]], list[Block]]
    note: str = ""
    sections: Callable[[Mapping[str, Any]], list[str]] | None = None
    status: Callable[[Mapping[str, Any]], Line] | None = None
    nothing_else: str | Callable[[Mapping[str, Any]], str] | None = None
    costs: bool = False
    trains: bool = False
    side_facts: Callable[..., str] = side_facts
    figures: Callable[[Mapping[str, Any]], dict[str, Any]] = no_figures
    declared: bool = False


Tab = TypeVar("Tab", bound=OwnTable)
"""A kind's table of an owner."""
Set = TypeVar("Set")
"""A kind's public settings, with the shapes in them: the same at every party."""
Res = TypeVar("Res")
"""What a kind's program gives an owner."""


@dataclass(frozen=True)
class Data(Generic[Tab]):
    """What a kind reads of the owners.

    Args:
        load: an owner's table, read and checked; raises DataError.
        shapes: every owner's rows and the number of columns, from the data where they are here, else from the file;
            raises UsageError or DataError where neither tells.
        extent: the same as far as one party can know it, without an error.
        counts: how many of so many rows are computed with, and how many held out.
        has_target: what the handshake is told of the target; None unless columns are split.
        ready: an owner's table with what only its keys open, once its files are found to be as they should be.
        common: what the owners must have in common beside what their scenarios say; None where there is nothing.
        pools: whether an owner's rows enter what others learn, so that it needs some, and its releases are listed.
    """

    load: Callable[[Scenario, str], Tab]
    shapes: Callable[[Scenario], tuple[Rows, int]]
    extent: Callable[[Scenario, Tab | None], Extent]
    counts: Callable[[Scenario, int], tuple[int, int]] = _none_held_out
    has_target: Callable[[Scenario, Tab], bool | None] = _no_target
    ready: Callable[[Scenario, Tab, Vault], Tab] | None = None
    common: Callable[[Tab], Common] | None = None
    pools: Callable[[Scenario, str], bool] = _always


@dataclass(frozen=True)
class Run(Generic[Tab, Set, Res]):
    """What the parties of a kind compute, and what becomes of it.

    Args:
        settings: the public settings of given shapes; raises UsageError or DataError where they do not fit.
        plan: their plan.
        program: what an owner runs, once; the agreement's settings are those of its plan.
        record: this kind's part of a party's result, for `result.json`; of a helper, the result is None.
        before: warnings of what is public before the run.
        after: warnings of what the result says.
        compare: the record's `comparison`, for runs on one machine; None where there is none.
        keep: writes what an owner keeps of the result beside its record; says what, for its entry in the record.
        load_libraries: imports what is else imported when a step is done; for a process that is copied.
        pooled: how many numbers, about, a party computes with that grow with all owners' rows and columns together.
        foreign: whether its plan and its program run code that a person named; none of it runs to show what is asked.
    """

    settings: Callable[[Scenario, Rows, int], Set]
    plan: Callable[[Set], Plan]
    program: Callable[[Scenario, Agreement, Tab], ProgramFactory]
    record: Callable[[Scenario, Agreement, Res | None], dict[str, Any]]
    before: Callable[[Scenario, Agreement], list[str]] = _no_warnings
    after: Callable[[Res], list[str]] = _no_warnings
    compare: Callable[[Scenario, Mapping[str, Any]], dict[str, Any]] | None = None
    keep: Callable[[Scenario, Agreement, Res, Vault], dict[str, Any]] | None = None
    load_libraries: Callable[[Scenario], None] | None = None
    pooled: Callable[[Scenario, Rows, int], int] = own_rows_only
    foreign: bool = False


@dataclass(frozen=True)
class Notice(Generic[Tab, Set]):
    """A kind's statements on a run before it starts: for the plan, for an approval, and for policies.

    Args:
        plan: what the plan says.
        data: what is asked of an owner's data, as rows of a table; the owner's table is None if it cannot be read.
        summary: the owner's data in a sentence, for `mpc doctor`.
        outcome: what is revealed to whom, in a sentence, where no plan can be made yet.
        reveals: what a policy's `reveals` must list: the names that let each through, its own first.
        small_counts: what may tell a count of rows below a given one, and what to do, for a policy's `minimum_cell`;
            nothing where each count that is told was tested, or is of all rows.
        charge: what a run with [privacy] costs an owner's budget; None where nothing has noise.
    """

    plan: Callable[[Set, Scenario], PlanText]
    data: Callable[[Scenario, str, Tab | None], list[tuple[str, str]]]
    summary: Callable[[Scenario, Tab], str]
    outcome: Callable[[Scenario], str]
    reveals: Callable[[Scenario], list[tuple[str, ...]]]
    small_counts: Callable[[Scenario, int], list[str]]
    charge: Callable[[Scenario], Charge | None] = _no_charge


@dataclass(frozen=True)
class Job(Generic[Tab, Set, Res]):
    """A kind of task for owners and a helper, step by step."""

    data: Data[Tab]
    run: Run[Tab, Set, Res]
    notice: Notice[Tab, Set]


def owners_request(scenario: Scenario, job: Job[Any, Any, Any]) -> Request:
    """The request of a scenario for owners and a helper, of a kind with these steps."""
    return Request(
        scenario.task.kind,
        job.notice.reveals(scenario),
        partial(job.notice.small_counts, scenario),
        len(scenario.owners),
        f"there are {len(scenario.owners)}",
        {key: value for key, value in scenario.task if value is not None},
        scenario.testing is not None and scenario.testing.insecure_seed is not None,
        epsilon=None if scenario.privacy is None else scenario.privacy.epsilon,
    )


def has_part(key: str, record: Mapping[str, Any]) -> bool:
    """Whether a record has something under a key of its own; what tells the kind of an older record."""
    return bool(table(record.get(key)))


Commented = tuple[str, str]
"""A setting as a scenario file has it, and what it means."""


@dataclass(frozen=True)
class Shape:
    """What `mpc new` goes by where it proposes a model.

    Args:
        rows: each owner's; where columns are split, all have the same.
        features: how many were found.
        split: whether the owners have other columns of the same patients.
    """

    rows: tuple[int, ...]
    features: int
    split: bool


@dataclass(frozen=True)
class Kind:
    """A kind of task: all that differs between kinds. What takes long to import is imported by who asks for it.

    Args:
        name: its `kind` in a scenario and in a record.
        words: what a reader knows it as.
        task: its settings, the [task] of a scenario file.
        part: the keys of a record that are its results, beside those of every run.
        show: what a record's part looks like.
        request: what its scenario asks, for a policy; None: what `owners_request` makes of its job.
        older: whether a record of an earlier version, which has no `kind`, is of this one; None: none is.
        reader: how its [task] is read, of a kind for owners and a helper.
        job: how its run is done, likewise.
        noisy: how the run of a scenario with [privacy] is done, where that is another job.
        read: how a scenario file is read, of a kind for a server and clients.
        star: how its run is done, likewise.
        propose: of a model, the settings of its own that `mpc new` writes; None: it does not propose this kind.
        merge: the owners' parts of a record, made into one; None: they must be the same.
        audit: what it gives `mpc audit`; None: no attack on it is known here.
    """

    name: str
    words: str
    task: type[Task]
    part: tuple[str, ...]
    show: Callable[[], Show]
    request: Callable[[Any], Request] | None = None
    older: Callable[[Mapping[str, Any]], bool] | None = None
    reader: TaskReader | None = None
    job: Callable[[], Job[Any, Any, Any]] | None = None
    noisy: Callable[[Scenario], Job[Any, Any, Any]] | None = None
    read: Callable[[Path, Mapping[str, Any]], StarScenario] | None = None
    star: Callable[[], Star] | None = None
    propose: Callable[[Shape], list[Commented]] | None = None
    merge: Callable[[Mapping[str, Mapping[str, Any]]], dict[str, Any]] | None = None
    audit: Callable[[], Audit] | None = None
