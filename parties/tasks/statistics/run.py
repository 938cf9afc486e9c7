"""`kind = "statistics"`: the steps of a run of descriptive statistics."""

from __future__ import annotations

from typing import Any

from mpc.errors import UsageError
from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.plain_table import PlainTable
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, outcome_for_all
from parties.tasks.privacy.guarantee import SMALL_COUNTS, privacy_notice
from parties.tasks.privacy.rows import own_stream, private_counts, private_extent, private_rows
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import NOT_STATED
from parties.tasks.rows.stated import stated_extent, stated_rows
from parties.tasks.statistics.data import load_statistics_table
from parties.tasks.statistics.private.plan import privacy_facts_of, private_plan_text
from parties.tasks.statistics.private.record import private_statistics_facts
from parties.tasks.statistics.private.settings import with_noise
from parties.tasks.statistics.record import statistics_facts
from parties.tasks.statistics.settings import StatisticsTask, grid_of
from parties.trust.budget import Charge
from protocols.statistics.job import MOST_ROWS, statistics_job
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.private.job import PrivateSettings, private_statistics_job
from protocols.statistics.settings import StatisticsSettings, Survival


def statistics_settings(scenario: Scenario, rows: Rows, columns: int) -> StatisticsSettings:
    """The public settings of a run.

    Raises:
        UsageError: there are so many rows that their sums do not fit.
    """
    task = scenario.task_as(StatisticsTask)
    counts = tuple(rows[owner][0] for owner in scenario.owners)
    if sum(counts) > MOST_ROWS:
        raise UsageError(f"{count_text(sum(counts))} rows: sums over more than 2^30 do not fit", "leave owners out")
    return StatisticsSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        rows=counts,
        columns=task.columns,
        statistics=task.statistics,
        quantiles=task.quantiles,
        by=task.by,
        levels=tuple(task.categories.items()),
        grids=tuple((name, grid_of(spec)) for name, spec in task.grid.items()),
        histograms=tuple(task.histograms.items()),
        tables=task.tables,
        correlations=task.correlations,
        t_tests=tuple((test.column, test.between) for test in task.t_tests),
        survival=tuple(Survival(one.time, one.event, one.between) for one in task.survival),
        min_cell=task.min_cell,
        dominance=task.dominance or 0,
        missing_cells=task.missing_cells,
    )


def _width(scenario: Scenario) -> int:
    task = scenario.task_as(StatisticsTask)
    return len(task.numbers) + len(task.grouping) + len(task.events)


def _counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    """What the others are told of so many rows: with [privacy], the fewest that an owner may have."""
    return (rows, 0) if scenario.privacy is None else private_counts(scenario)


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    if scenario.privacy is not None:
        return private_rows(scenario), _width(scenario)
    return stated_rows(scenario, load_statistics_table), _width(scenario)


def _extent(scenario: Scenario, table: PlainTable | None) -> Extent:
    if scenario.privacy is not None:
        return private_extent(scenario, _width(scenario))
    return stated_extent(scenario, table, _width(scenario))


def _settings(scenario: Scenario, rows: Rows, columns: int) -> StatisticsSettings | PrivateSettings:
    plain = statistics_settings(scenario, rows, columns)
    return plain if scenario.privacy is None else with_noise(plain, scenario.privacy)


def _plan(settings: StatisticsSettings | PrivateSettings) -> Plan:
    if isinstance(settings, PrivateSettings):
        of = settings.statistics
        return make_plan(lambda p: private_statistics_job(p, None, None, settings), of.owners, of.helper)
    return make_plan(lambda p: statistics_job(p, None, settings), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: PlainTable) -> ProgramFactory:
    rows = {owner: agreement.rows[owner] for owner in scenario.owners}
    settings = agreement.settings or _settings(scenario, rows, len(agreement.columns))
    own = OwnColumns(dict(zip(table.columns, table.values.T, strict=True)), table.rows)
    if isinstance(settings, PrivateSettings):
        stream = own_stream(scenario, table.owner, agreement.session)
        return lambda p: private_statistics_job(p, own, stream, settings)
    return lambda p: statistics_job(p, own, settings)


def _before(scenario: Scenario, agreement: Agreement) -> list[str]:
    if scenario.privacy is not None:
        return []
    least = scenario.task_as(StatisticsTask).min_cell
    rows = {owner: agreement.rows[owner][0] for owner in scenario.owners}
    few = [owner for owner, own in rows.items() if sum(rows.values()) - own < least]
    if not few:
        return []
    return [f"beside {few[0]} the others have fewer than min_cell = {least} rows together: everything will be withheld"]


def _record(scenario: Scenario, agreement: Agreement, opened: Any) -> dict[str, Any]:
    if opened is None:
        return {"statistics": None, "privacy": None}
    settings = agreement.settings or _settings(scenario, agreement.rows, len(agreement.columns))
    if isinstance(settings, PrivateSettings):
        assert scenario.privacy is not None
        found = private_statistics_facts(opened, settings)
        return {"statistics": found, "privacy": privacy_facts_of(settings, scenario.privacy)}
    return {"statistics": statistics_facts(opened, settings), "privacy": None}


def _plan_text(settings: StatisticsSettings | PrivateSettings, scenario: Scenario) -> PlanText:
    if isinstance(settings, PrivateSettings):
        return private_plan_text(settings, scenario)
    from parties.tasks.statistics.plan import statistics_plan_text

    return statistics_plan_text(settings)


def _data_notice(scenario: Scenario, me: str, table: PlainTable | None) -> list[tuple[str, str]]:
    task = scenario.task_as(StatisticsTask)
    count = scenario.parties[me].rows if table is None else table.rows
    rows = [
        (what, ", ".join(columns))
        for what, columns in (("numbers", task.numbers), ("categories", task.grouping), ("events", task.events))
        if columns
    ]
    rows.append(("rows", NOT_STATED if count is None else count_text(count)))
    if scenario.privacy is not None:
        grids = "; ".join(f"{name} from {one.from_:g} to {one.to:g}" for name, one in task.grid.items())
        beyond = [("values beyond count as the nearer end of their grid", grids)] if grids else []
        return [*rows, *privacy_notice(scenario.privacy), *beyond]
    return [*rows, ("small cells", " ".join(_cell_rules(scenario)))]


def _cell_rules(scenario: Scenario) -> list[str]:
    """The rule for small cells, which depends on nobody's rows."""
    from parties.tasks.statistics.plan import cell_rules

    return cell_rules(statistics_settings(scenario, dict.fromkeys(scenario.owners, (1, 0)), 0))


def _summary(scenario: Scenario, table: PlainTable) -> str:
    return f"data: {table.source}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')} that are used"


def _reveals(scenario: Scenario) -> list[tuple[str, ...]]:
    return [(what,) for what in reveal_names(scenario)]


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    task = scenario.task_as(StatisticsTask)
    if scenario.privacy is not None:
        return [SMALL_COUNTS]
    if task.min_cell < least:
        return [f"min_cell = {task.min_cell}" + ("" if task.min_cell else " tells every cell")]
    return ['missing_cells = "told"'] if task.missing_cells == "told" else []


def _charge(scenario: Scenario) -> Charge | None:
    privacy = scenario.privacy
    if privacy is None:
        return None
    settings = _settings(scenario, private_rows(scenario), _width(scenario))
    assert isinstance(settings, PrivateSettings)
    return Charge((settings.mechanism,), privacy.epsilon, privacy.delta)


def reveal_names(scenario: Scenario) -> list[str]:
    """What is opened, as a policy's `reveals` names it: statistics of columns, the other kinds by their settings."""
    task = scenario.task_as(StatisticsTask)
    described = task.statistics if task.columns else ()
    others = ("quantiles", "histograms", "tables", "correlations", "t_tests", "survival")
    named = dict(task)
    return [*described, *(key for key in others if named[key])]


def _outcome(scenario: Scenario) -> str:
    return outcome_for_all(scenario, reveal_names(scenario))


STATISTICS: Job[PlainTable, StatisticsSettings | PrivateSettings, Any] = Job(
    data=Data(load=load_statistics_table, shapes=_shapes, extent=_extent, counts=_counts),
    run=Run(
        settings=_settings,
        plan=_plan,
        program=_program,
        record=_record,
        before=_before,
    ),
    notice=Notice(
        plan=_plan_text,
        data=_data_notice,
        summary=_summary,
        outcome=_outcome,
        reveals=_reveals,
        small_counts=_small_counts,
        charge=_charge,
    ),
)
