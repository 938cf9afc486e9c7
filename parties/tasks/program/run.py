"""The steps of a run of somebody's own protocol: its inputs, the plan of its own function, and what it gave.

Whoever takes part names the file. Its code runs where a plan is made and where an owner runs it, never to show what an
approval is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mpc.links.meeting.handshake import Agreement
from mpc.ring.array import Array
from mpc.runtime.inputs import Input, shared_by_all
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.show.blocks import Line, count_text, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run
from parties.tasks.program.compare import compare
from parties.tasks.program.data import inputs_of, load, own_words
from parties.tasks.program.function import Loaded, follow, load_protocol
from parties.tasks.program.results import check, describe
from parties.tasks.program.settings import UNTESTED, ProgramTask
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import NOT_STATED
from parties.tasks.rows.stated import stated_rows


@dataclass(frozen=True)
class ProgramSettings:
    """What the parties agreed on, and the function that was loaded of the file.

    Args:
        texts: the inputs, as the scenario has them.
        inputs: for each input, its description at each owner.
    """

    owners: tuple[str, ...]
    helper: str
    texts: tuple[str, ...]
    inputs: tuple[tuple[Input, ...], ...]
    loaded: Loaded

    @property
    def shapes(self) -> list[list[tuple[int, ...]]]:
        """For each input, its shape at each owner."""
        return [[one.sized({}) for one in kinds] for kinds in self.inputs]


def settings_of(scenario: Scenario, rows: Rows, columns: int) -> ProgramSettings:
    """The protocol and the shapes of its inputs. Executes the file.

    Raises:
        UsageError: no file was named, or it is not fit.
    """
    task = scenario.task_as(ProgramTask)
    by_owner = [inputs_of(task, rows[owner][0], columns) for owner in scenario.owners]
    inputs = tuple(zip(*by_owner, strict=True))
    return ProgramSettings(
        scenario.owners, scenario.helper, task.inputs, inputs, load_protocol(scenario.program, len(task.inputs))
    )


def program_of(settings: ProgramSettings, own: list[Array] | None) -> ProgramFactory:
    """What an owner runs.

    Args:
        own: what it gives, an array for each input; None to plan.
    """

    async def run(p: Party) -> Any:
        given = [
            shared_by_all(p, kinds[0], None if own is None or p.dry else own[k], shapes)
            for k, (kinds, shapes) in enumerate(zip(settings.inputs, settings.shapes, strict=True))
        ]
        result = await follow(p, settings.loaded, given)
        check(result, settings.loaded.file, dry=p.dry)  # what cannot be told is refused before anybody leaves
        return result

    return run


def _plan(settings: ProgramSettings) -> Plan:
    return make_plan(program_of(settings, None), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: PlainTable) -> ProgramFactory:
    own = own_words(scenario, table.owner, table.select(agreement.columns))
    return program_of(agreement.settings, own)


def _record(scenario: Scenario, agreement: Agreement, result: Any) -> dict[str, Any]:
    settings: ProgramSettings = agreement.settings
    file = settings.loaded.file
    inputs = [
        {"input": text, "shapes": [list(shape) for shape in shapes]}
        for text, shapes in zip(settings.texts, settings.shapes, strict=True)
    ]
    told = {"file": file.path.name, **file.facts, "inputs": inputs}
    return {"program": {**told, "results": describe(result)}}


def _told(settings: ProgramSettings, scenario: Scenario) -> PlanText:
    file = settings.loaded.file
    shapes = [
        f"{text}: {', '.join(str(shape) for shape in dict.fromkeys(shapes))}"
        for text, shapes in zip(settings.texts, settings.shapes, strict=True)
    ]
    return PlanText(
        scenario={"program": file.facts, "inputs": list(settings.texts)},
        facts={"shapes": [[list(shape) for shape in shapes] for shapes in settings.shapes]},
        work=f"{plural(len(settings.owners), 'owner')} and a helper run {file.function} of {file.path.name}. "
        f"What each owner gives: {'; '.join(shapes)}.",
        how=(Line(f"The file's SHA-256, which all parties compare: {file.sha256}"),),
        helper_learns=("the shapes of the owners' inputs", "the protocol, which it runs without data to plan it"),
        uses={},
        details=(),
    )


def _asked(scenario: Scenario, me: str, table: PlainTable | None) -> list[tuple[str, str]]:
    task = scenario.task_as(ProgramTask)
    rows = [("the protocol's inputs", "; ".join(task.inputs))]
    if not task.has_table:
        return [*rows, ("your data", "none: the inputs are made up, from the scenario's public seed")]
    count = scenario.parties[me].rows if table is None else table.rows
    named = task.columns or (() if table is None else table.columns)
    columns = ", ".join(named) if named else "every column of numbers"
    return [*rows, ("columns", columns), ("rows", NOT_STATED if count is None else count_text(count))]


def _shapes(scenario: Scenario) -> tuple[Mapping[str, tuple[int, int]], int]:
    task = scenario.task_as(ProgramTask)
    if not task.has_table:
        return dict.fromkeys(scenario.owners, (0, 0)), 1
    if task.columns is not None:
        return stated_rows(scenario, load), len(task.columns)
    tables = {owner: load(scenario, owner) for owner in scenario.owners}
    shared = [
        name for name in tables[scenario.owners[0]].columns if all(name in one.columns for one in tables.values())
    ]
    return {owner: (one.rows, 0) for owner, one in tables.items()}, len(shared)


def _counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    return (rows if scenario.task_as(ProgramTask).has_table else 0), 0


def _extent(scenario: Scenario, table: PlainTable | None) -> Extent:
    task = scenario.task_as(ProgramTask)
    if not task.has_table:
        return Extent(1, True, dict.fromkeys(scenario.owners, 0), split=False)
    rows = {owner: count for owner in scenario.owners if (count := scenario.parties[owner].rows) is not None}
    if table is not None:
        rows[table.owner] = table.rows
    here = None if table is None else len(table.columns)
    return Extent(here if task.columns is None else len(task.columns), task.columns is not None, rows, split=False)


def _found(scenario: Scenario, table: PlainTable) -> str:
    if not scenario.task_as(ProgramTask).has_table:
        return f"data: {'arrays from Python' if scenario.given else 'none; the inputs are made up'}"
    return f"data: {table.source}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')}"


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    if not scenario.task_as(ProgramTask).has_table:
        return []
    return [UNTESTED]


def _pooled(scenario: Scenario, rows: Rows, columns: int) -> int:
    kinds = [inputs_of(scenario.task_as(ProgramTask), count, columns) for count, _ in rows.values()]
    total = 0
    for one in (one for owner in kinds for one in owner):
        entries = 1
        for size in one.sized({}):
            entries *= size
        total += entries
    return total


PROGRAM: Job[PlainTable, ProgramSettings, Any] = Job(
    data=Data(
        load=load,
        shapes=_shapes,
        extent=_extent,
        counts=_counts,
        pools=lambda scenario, owner: scenario.task_as(ProgramTask).has_table,
    ),
    run=Run(
        settings=settings_of,
        plan=_plan,
        program=_program,
        record=_record,
        compare=compare,
        pooled=_pooled,
        foreign=True,
    ),
    notice=Notice(
        plan=_told,
        data=_asked,
        summary=_found,
        outcome=lambda scenario: "Revealed to all owners: what the program below says in its calls of `reveal`.",
        reveals=lambda scenario: [("program",)],
        small_counts=_small_counts,
    ),
)
