"""`kind = "statistics"`: the steps of a run of descriptive statistics, exact or with [privacy]."""

from __future__ import annotations

from typing import Any

from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, outcome_for_all
from parties.tasks.privacy.guarantee import privacy_notice
from parties.tasks.private_job import own_rows, private_job
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import NOT_STATED
from parties.tasks.rows.stated import stated_extent, stated_rows
from parties.tasks.statistics.data import load_statistics_table, own_columns
from parties.tasks.statistics.private.inference import Values
from parties.tasks.statistics.private.method import METHOD
from parties.tasks.statistics.record import statistics_facts
from parties.tasks.statistics.settings import StatisticsTask
from parties.tasks.statistics.shape import statistics_settings, width
from protocols.statistics.job import Opened, statistics_job
from protocols.statistics.private.job import PrivateSettings
from protocols.statistics.settings import StatisticsSettings


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    return stated_rows(scenario, load_statistics_table), width(scenario)


def _extent(scenario: Scenario, table: PlainTable | None) -> Extent:
    return stated_extent(scenario, table, width(scenario))


def _plan(settings: StatisticsSettings) -> Plan:
    return make_plan(lambda p: statistics_job(p, None, settings), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: PlainTable) -> ProgramFactory:
    settings = agreement.settings or statistics_settings(scenario, agreement.rows, len(agreement.columns))
    own = own_columns(table)
    return lambda p: statistics_job(p, own, settings)


def _before(scenario: Scenario, agreement: Agreement) -> list[str]:
    least = scenario.task_as(StatisticsTask).min_cell
    rows = {owner: agreement.rows[owner][0] for owner in scenario.owners}
    few = [owner for owner, own in rows.items() if sum(rows.values()) - own < least]
    if not few:
        return []
    return [f"beside {few[0]} the others have fewer than min_cell = {least} rows together: everything will be withheld"]


def _record(scenario: Scenario, agreement: Agreement, opened: Opened | None) -> dict[str, Any]:
    if opened is None:
        return dict.fromkeys(METHOD.part)
    settings = agreement.settings or statistics_settings(scenario, agreement.rows, len(agreement.columns))
    return {"statistics": statistics_facts(opened, settings), "privacy": None}


def _plan_text(settings: StatisticsSettings, scenario: Scenario) -> PlanText:
    from parties.tasks.statistics.plan import statistics_plan_text

    return statistics_plan_text(settings)


def _columns_asked(scenario: Scenario, me: str, table: PlainTable | None) -> list[tuple[str, str]]:
    task = scenario.task_as(StatisticsTask)
    count = scenario.parties[me].rows if table is None else table.rows
    rows = [
        (what, ", ".join(columns))
        for what, columns in (("numbers", task.numbers), ("categories", task.grouping), ("events", task.events))
        if columns
    ]
    return [*rows, ("rows", NOT_STATED if count is None else count_text(count))]


def _asked(scenario: Scenario, me: str, table: PlainTable | None) -> list[tuple[str, str]]:
    from parties.tasks.statistics.plan import cell_rules

    rules = cell_rules(statistics_settings(scenario, dict.fromkeys(scenario.owners, (1, 0)), 0))  # whatever the rows
    return [*_columns_asked(scenario, me, table), ("small cells", " ".join(rules))]


def _asked_privately(scenario: Scenario, me: str, table: PlainTable | None) -> list[tuple[str, str]]:
    assert scenario.privacy is not None
    grids = scenario.task_as(StatisticsTask).grid
    ends = "; ".join(f"{name} from {one.from_:g} to {one.to:g}" for name, one in grids.items())
    beyond = [("values beyond count as the nearer end of their grid", ends)] if grids else []
    return [*_columns_asked(scenario, me, table), *privacy_notice(scenario.privacy), *beyond]


def _summary(scenario: Scenario, table: PlainTable) -> str:
    return f"data: {table.source}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')} that are used"


def _names(scenario: Scenario) -> list[str]:
    """What is opened, as a policy's `reveals` names it: statistics of columns, the other kinds by their settings."""
    task = scenario.task_as(StatisticsTask)
    described = task.statistics if task.columns else ()
    others = ("quantiles", "histograms", "tables", "correlations", "t_tests", "survival")
    named = dict(task)
    return [*described, *(key for key in others if named[key])]


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    task = scenario.task_as(StatisticsTask)
    if task.min_cell < least:
        return [f"min_cell = {task.min_cell}" + ("" if task.min_cell else " tells every cell")]
    return ['missing_cells = "told"'] if task.missing_cells == "told" else []


STATISTICS: Job[PlainTable, StatisticsSettings, Opened] = Job(
    data=Data(load=load_statistics_table, shapes=_shapes, extent=_extent),
    run=Run(
        settings=statistics_settings,
        plan=_plan,
        program=_program,
        record=_record,
        before=_before,
    ),
    notice=Notice(
        plan=_plan_text,
        data=_asked,
        summary=_summary,
        outcome=lambda scenario: outcome_for_all(scenario, _names(scenario)),
        reveals=lambda scenario: [(what,) for what in _names(scenario)],
        small_counts=_small_counts,
    ),
)

NOISY_STATISTICS: Job[PlainTable, PrivateSettings, Values] = private_job(
    METHOD, own_rows(load_statistics_table, width), _asked_privately, _summary, reveals=_names
)
"""With [privacy]."""
