"""The strata's tables are opened under the small-cell rule; every owner computes the rest from them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.cells import TextForm
from parties.data.checks import check_rows, find_columns
from parties.data.plain_table import PlainTable, category_codes, table_notes
from parties.data.read import open_source
from parties.scenario.file import Scenario
from parties.show.blocks import Line, count_text, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, outcome_for_all
from parties.tasks.mantel_haenszel.pooled import pooled_odds_ratio
from parties.tasks.mantel_haenszel.settings import MantelHaenszelTask
from parties.tasks.rows.extent import Rows
from parties.tasks.rows.regression import NOT_STATED
from parties.tasks.rows.stated import stated_extent, stated_rows
from protocols.statistics.job import Opened, statistics_job
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.settings import StatisticsSettings


def load(scenario: Scenario, owner: str) -> PlainTable:
    """An owner's three columns, as codes of their levels.

    Raises:
        UsageError: the scenario does not say where this owner's data are.
        DataError: they cannot be read, have other levels, or are too few.
    """
    spec, task = scenario.parties[owner], scenario.task_as(MantelHaenszelTask)
    form = TextForm(spec.encoding, spec.decimal, spec.thousands)
    with open_source(scenario.data_source(owner), owner, scenario.directory, form) as raw:
        columns = find_columns(raw, task.columns, "categories")
        values = np.stack([category_codes(raw, one, task.categories[one.name]) for one in columns], axis=1)
        values.flags.writeable = False
        check_rows(raw.where, spec.rows, len(values))
        return PlainTable(owner, raw.where.source, task.columns, values, table_notes(raw, (), task.columns, values))


def settings_of(scenario: Scenario, rows: Rows, columns: int) -> StatisticsSettings:
    """One table of exposure by outcome in each stratum; every cell is tested before it is disclosed."""
    task = scenario.task_as(MantelHaenszelTask)
    return StatisticsSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        rows=tuple(rows[owner][0] for owner in scenario.owners),
        by=task.strata,
        levels=tuple(task.categories.items()),
        tables=((task.exposure, task.outcome),),
        min_cell=task.min_cell,
    )


def _plan(settings: StatisticsSettings) -> Plan:
    return make_plan(lambda p: statistics_job(p, None, settings), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: PlainTable) -> ProgramFactory:
    settings = settings_of(scenario, agreement.rows, len(agreement.columns))
    own = OwnColumns(dict(zip(table.columns, table.values.T, strict=True)), table.rows)
    return lambda p: statistics_job(p, own, settings)


def _record(scenario: Scenario, agreement: Agreement, opened: Opened | None) -> dict[str, Any]:
    """The estimate; None if a stratum is withheld, because the others alone would give another estimate."""
    if opened is None:
        return {"mantel_haenszel": None}
    task, settings = scenario.task_as(MantelHaenszelTask), settings_of(scenario, agreement.rows, 3)
    (cells,) = settings.crossed.values()
    disclosed = np.all(opened.disclosure.disclosed_cells(cells), axis=(1, 2)).tolist()
    tables = opened.counts[cells.name][:, ::-1, ::-1]  # exposed first, the event first
    levels = task.categories[task.strata]
    return {
        "mantel_haenszel": {
            "exposure": {"column": task.exposure, "levels": task.categories[task.exposure]},
            "outcome": {"column": task.outcome, "levels": task.categories[task.outcome]},
            "strata": [
                {"level": level, "counts": table.tolist() if is_told else None}
                for level, table, is_told in zip(levels, tables, disclosed, strict=True)
            ],
            "estimate": asdict(pooled_odds_ratio(tables)) if all(disclosed) else None,
        }
    }


def _plan_text(settings: StatisticsSettings, scenario: Scenario) -> PlanText:
    rows = {owner: {"train": count, "test": 0} for owner, count in zip(settings.owners, settings.rows, strict=True)}
    rule = f"if each of its cells is, for every owner, of {settings.min_cell} rows of the others, or of none"
    how = f"A stratum's table is told {rule if settings.min_cell else 'however small its cells are'}."
    return PlanText(
        scenario={"rows": rows},
        facts={"strata": settings.groups, "min_cell": settings.min_cell},
        work=f"{plural(len(settings.owners), 'owner')} and a helper; {count_text(sum(settings.rows))} rows; "
        f"{plural(settings.groups, 'table')} of two by two.",
        how=(Line(f"{how} If one is withheld, there is no estimate."),),
        helper_learns=("how many rows each owner has", "the scenario's settings"),
        uses={"BitsOfMask": "comparing counts with min_cell", "AnyBit": "one bit a table: whether it is withheld"},
        details=(),
    )


def _data_notice(scenario: Scenario, me: str, table: PlainTable | None) -> list[tuple[str, str]]:
    task = scenario.task_as(MantelHaenszelTask)
    count = scenario.parties[me].rows if table is None else table.rows
    named = zip(("exposure", "outcome", "strata"), task.columns, strict=True)
    return [*named, ("rows", NOT_STATED if count is None else count_text(count)), ("min_cell", str(task.min_cell))]


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    own = scenario.task_as(MantelHaenszelTask).min_cell
    return [f"min_cell = {own}"] if own < least else []


MANTEL_HAENSZEL: Job[PlainTable, StatisticsSettings, Opened] = Job(
    data=Data(
        load=load,
        shapes=lambda scenario: (stated_rows(scenario, load), 3),
        extent=lambda scenario, table: stated_extent(scenario, table, 3),
    ),
    run=Run(settings=settings_of, plan=_plan, program=_program, record=_record),
    notice=Notice(
        plan=_plan_text,
        data=_data_notice,
        summary=lambda scenario, table: f"data: {table.source}: {plural(table.rows, 'row')}",
        outcome=lambda scenario: outcome_for_all(scenario, ["tables"]),
        reveals=lambda scenario: [("tables",)],
        small_counts=_small_counts,
    ),
)
