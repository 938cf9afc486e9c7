"""`kind = "logistic_regression"` with [privacy] method = "output" or "objective": the steps of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.show.blocks import plural
from parties.tasks.base import Data, Job, Notice, Run, all_cells, outcome_for_all
from parties.tasks.logistic.private.agreed import (
    features_of,
    held_out,
    load_output_table,
    most_rows,
    perturbed_settings,
    trained_columns,
)
from parties.tasks.logistic.private.output.plan import (
    NEIGHBOURS_OF_COLUMNS,
    output_facts,
    output_plan_text,
    output_privacy_facts,
)
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import NEIGHBOURS, SMALL_COUNTS, privacy_notice
from parties.tasks.privacy.rows import own_stream
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import has_target, table_notice
from parties.trust.budget import Charge
from protocols.rows.results import Trained
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.perturbed_job import (
    LabelledRows,
    PerturbedSettings,
    perturbed_columns_job,
    perturbed_rows_job,
)


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    return dict.fromkeys(scenario.owners, (most_rows(scenario), 0)), sum(map(len, features_of(scenario)))


def _extent(scenario: Scenario, table: Table | None) -> Extent:
    rows = dict.fromkeys(scenario.owners, most_rows(scenario))
    return Extent(sum(map(len, features_of(scenario))), True, rows, split=scenario.vertical)


def _settings(scenario: Scenario, rows: Rows, columns: int) -> PerturbedSettings:
    return perturbed_settings(scenario)


def _plan(settings: PerturbedSettings) -> Plan:
    job: Callable[..., Any] = perturbed_columns_job if settings.partition == "vertical" else perturbed_rows_job
    return make_plan(lambda p: job(p, None, None, settings), settings.owners, settings.helper, repr(settings.how))


def _program(scenario: Scenario, agreement: Agreement, table: Table) -> ProgramFactory:
    settings = agreement.settings or perturbed_settings(scenario)
    stream = own_stream(scenario, table.owner, agreement.session)
    if agreement.split is not None:
        columns = trained_columns(table, scenario, agreement.split, agreement.owners_key)
        return lambda p: perturbed_columns_job(p, columns, stream, settings)
    (names,) = features_of(scenario)
    chosen = table if table.columns == names else table.select(names)
    rows = LabelledRows(names, chosen.values, chosen.target)
    return lambda p: perturbed_rows_job(p, rows, stream, settings)


def _record(scenario: Scenario, agreement: Agreement, trained: Trained | None) -> dict[str, Any]:
    """The model and the guarantee; there are no metrics."""
    if trained is None:
        return dict.fromkeys(("training", "model", "metrics", "privacy"))
    settings = agreement.settings or perturbed_settings(scenario)
    return {
        "training": output_facts(settings),
        "model": model_facts(trained, settings.ranges),
        "metrics": None,
        "privacy": output_privacy_facts(settings, scenario),
    }


def model_facts(trained: Trained, ranges: Ranges) -> dict[str, Any]:
    """The model, and its weights over the features' ranges, for the record."""
    return {
        "features": list(trained.features),
        "weights": list(trained.weights),
        "intercept": trained.intercept,
        "range_weights": [w * width for w, width in zip(trained.weights, ranges.widths, strict=True)],
    }


def _compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    from parties.tasks.logistic.private.output_compare import compare_output

    return compare_output(scenario, record)


def _data_notice(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    assert scenario.privacy is not None
    *asked, (what, rows) = table_notice(scenario, me, table, "target", "to train on")
    if table is not None:
        rows = plural(table.rows, "row")
        if scenario.vertical and scenario.model_task.test_fraction:
            rows += f", of which {held_out(table, scenario).sum()} are held out, by their ids"
    (guarantee, _), *notice, (told, _) = privacy_notice(scenario.privacy)
    neighbours = NEIGHBOURS_OF_COLUMNS if scenario.vertical else NEIGHBOURS
    few = f"that there are min_rows at least, and most_rows = {most_rows(scenario)} at most"
    return [*asked, (what, rows), (guarantee, f"{scenario.privacy.text}; {neighbours}"), *notice, (told, few)]


def _summary(scenario: Scenario, table: Table) -> str:
    text = f"data: {table.source}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')} to learn from"
    return f"{text}, target '{scenario.task_as(LogisticTask).target}'"


def _charge(scenario: Scenario) -> Charge | None:
    privacy = scenario.privacy
    assert privacy is not None
    return Charge(perturbed_settings(scenario).how.mechanisms, privacy.epsilon, privacy.delta)


OUTPUT: Job[Table, PerturbedSettings, Trained] = Job(
    data=Data(
        load=load_output_table,
        shapes=_shapes,
        extent=_extent,
        counts=lambda scenario, rows: (most_rows(scenario), 0),
        has_target=has_target,
    ),
    run=Run(settings=_settings, plan=_plan, program=_program, record=_record, compare=_compare, pooled=all_cells),
    notice=Notice(
        plan=output_plan_text,
        data=_data_notice,
        summary=_summary,
        outcome=lambda scenario: outcome_for_all(scenario, scenario.task_as(LogisticTask).reveal),
        reveals=lambda scenario: [(what,) for what in scenario.task_as(LogisticTask).reveal],
        small_counts=lambda scenario, least: [SMALL_COUNTS],
        charge=_charge,
    ),
)
