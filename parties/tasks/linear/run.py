"""`kind = "linear_regression"`: the steps of a run of a linear regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mpc.errors import DataError, UsageError
from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.table import Table, load_owner_table
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, all_cells, outcome_for_all
from parties.tasks.linear.private.record import private_record
from parties.tasks.linear.private.settings import with_noise
from parties.tasks.linear.record import fit_facts, inference_rows
from parties.tasks.linear.settings import LinearTask
from parties.tasks.linear.show import EXACT_TEXT
from parties.tasks.privacy.guarantee import SMALL_COUNTS, privacy_notice
from parties.tasks.privacy.rows import load_private_table, own_stream, private_counts, private_extent, private_rows
from parties.tasks.rows.extent import Extent, Rows, extent_from_here, training_shapes
from parties.tasks.rows.regression import (
    MISSING_COUNTS,
    WEIGHTS,
    group_counts,
    has_target,
    program_of_table,
    row_counts,
    table_notice,
)
from parties.trust.budget import Charge
from protocols.linear.columns_job import vertical_linear_job
from protocols.linear.noisy_moments import Floats, NoisyLinear, noisy_linear_job
from protocols.linear.rows_job import linear_job
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.linear.table import is_exact
from protocols.statistics.job import MOST_ROWS

AnySettings = LinearSettings | NoisyLinear
AnyResult = LinearFit | Floats
"""A fit; with [privacy] the noisy sums of products, from which every owner computes it."""

SCALES: Final = ("scales", "standardisation")
SUMS: Final = ("open-gram",)
"""What a policy calls the powers of two behind the shared fit, as of `standardise = "private"`, and the open sums."""


def linear_settings(scenario: Scenario, rows: Rows, columns: int) -> LinearSettings:
    """The public settings of a run.

    Raises:
        UsageError: there are so many rows that their sums do not fit.
        DataError: there are too few rows for so many features; or columns are split, and the owners' rows differ.
    """
    task = scenario.task_as(LinearTask)
    counts = group_counts(scenario, rows)
    total = sum(train for train, _ in counts)
    if total > MOST_ROWS:
        raise UsageError(f"{count_text(total)} rows: sums over more than 2^30 do not fit", "leave owners out")
    if total < columns + 2:
        raise DataError(
            f"{plural(total, 'row')} of all owners for {plural(columns, 'feature')}: errors are judged by what the fit "
            f"leaves, which takes at least {columns + 2} rows",
            "name fewer `features`, or add rows",
        )
    return LinearSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        train_rows=tuple(train for train, _ in counts),
        test_rows=tuple(test for _, test in counts),
        features=columns,
        target=task.target if task.offset is None else f"{task.target} less {task.offset}",
        partition=task.partition,
        inference=task.inference,
        metrics="metrics" in task.reveal,
        missing="missing" in task.reveal,
        weighted=task.weights is not None,
        offset=task.offset is not None,
        min_cell=task.min_cell,
    )


def _settings(scenario: Scenario, rows: Rows, columns: int) -> AnySettings:
    return linear_settings(scenario, rows, columns) if scenario.privacy is None else with_noise(scenario)


def _load(scenario: Scenario, owner: str) -> Table:
    return (load_owner_table if scenario.privacy is None else load_private_table)(scenario, owner)


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    return training_shapes(scenario) if scenario.privacy is None else (private_rows(scenario), _width(scenario))


def _extent(scenario: Scenario, table: Table | None) -> Extent:
    private = scenario.privacy is not None
    return private_extent(scenario, _width(scenario)) if private else extent_from_here(scenario, table)


def _counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    return row_counts(scenario, rows) if scenario.privacy is None else private_counts(scenario)


def _width(scenario: Scenario) -> int:
    """The features of a scenario that lists them."""
    return len(scenario.task_as(LinearTask).feature_names or ())


def _job_of(settings: LinearSettings) -> Callable[..., Any]:
    return vertical_linear_job if settings.partition == "vertical" else linear_job


def _plan(settings: AnySettings) -> Plan:
    if isinstance(settings, NoisyLinear):
        return make_plan(lambda p: noisy_linear_job(p, None, None, settings), settings.owners, settings.helper)
    job = _job_of(settings)
    return make_plan(lambda p: job(p, None, settings), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: Table) -> ProgramFactory:
    settings = agreement.settings
    if isinstance(settings, NoisyLinear):
        chosen = table.select(settings.names)
        stream = own_stream(scenario, table.owner, agreement.session)
        own = chosen.values, chosen.offset_weights.subtract_offset(chosen.target)
        return lambda p: noisy_linear_job(p, own, stream, settings)
    return program_of_table(scenario, agreement, table, _job_of(settings))


def _after(result: AnyResult) -> list[str]:
    return [EXACT_TEXT] if isinstance(result, LinearFit) and is_exact(result) else []


def _record(scenario: Scenario, agreement: Agreement, result: AnyResult | None) -> dict[str, Any]:
    if result is None:
        return dict.fromkeys(("model", "metrics", "inference", "fit", "data", "privacy"))
    if isinstance(result, LinearFit):
        return _exact_record(scenario, result)
    return private_record(scenario, agreement.settings or with_noise(scenario), result)


def _exact_record(scenario: Scenario, fit: LinearFit) -> dict[str, Any]:
    task = scenario.task_as(LinearTask)
    columns = (*fit.features, task.target)
    return {
        "model": {
            "features": list(fit.features),
            "weights": list(fit.coefficients[:-1]),
            "intercept": fit.coefficients[-1],
            "standardised_weights": None,
            "standardised_intercept": None,
        },
        "metrics": fit.metrics,
        "inference": inference_rows(fit),
        "fit": {**fit_facts(fit), "offset": task.offset, "weights": task.weights},
        "data": None
        if fit.missing is None
        else {"missing": dict(zip(columns, fit.missing, strict=True)), "unlike_ranges": None},
        "privacy": None,
    }


def _compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    from parties.tasks.linear.compare import compare

    return compare(scenario, record)


def _plan_text(settings: AnySettings, scenario: Scenario) -> PlanText:
    if isinstance(settings, NoisyLinear):
        from parties.tasks.linear.private.plan import private_plan_text

        return private_plan_text(settings, scenario)
    from parties.tasks.linear.plan import linear_plan_text

    return linear_plan_text(settings, scenario.task_as(LinearTask))


def _data_notice(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    asked = table_notice(scenario, me, table, "target, a number", "in the fit")
    return asked if scenario.privacy is None else [*asked, *privacy_notice(scenario.privacy)]


def _summary(scenario: Scenario, table: Table) -> str:
    text = f"data: {table.source}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'feature')}"
    return f"{text}, target '{scenario.task_as(LinearTask).target}'"


def _reveals(scenario: Scenario) -> list[tuple[str, ...]]:
    task = scenario.task_as(LinearTask)
    if scenario.privacy is not None:
        return [(what,) for what in task.reveal]
    behind = SUMS if task.inference == "open-gram" else SCALES
    weights = [] if task.weights is None else [(WEIGHTS,)]
    return [*((what,) for what in task.reveal), *([] if scenario.vertical else [behind]), *weights]


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    """The fit's cells are tested; its metrics are of all rows."""
    if scenario.privacy is not None:
        return [SMALL_COUNTS]
    task = scenario.task_as(LinearTask)
    untested = {
        f"it has min_cell = {task.min_cell}": task.min_cell < least,
        MISSING_COUNTS: "missing" in task.reveal,
    }
    return [text for text, applies in untested.items() if applies]


def _charge(scenario: Scenario) -> Charge | None:
    privacy = scenario.privacy
    return None if privacy is None else Charge((with_noise(scenario).mechanism,), privacy.epsilon, privacy.delta)


def _outcome(scenario: Scenario) -> str:
    return outcome_for_all(scenario, scenario.task_as(LinearTask).reveal)


def _pooled(scenario: Scenario, rows: Rows, columns: int) -> int:
    """The covariances of all columns; where they are split, the rows besides."""
    return columns * columns + (all_cells(scenario, rows, columns) if scenario.vertical else 0)


LINEAR: Job[Table, AnySettings, AnyResult] = Job(
    data=Data(
        load=_load,
        shapes=_shapes,
        extent=_extent,
        counts=_counts,
        has_target=has_target,
    ),
    run=Run(
        settings=_settings,
        plan=_plan,
        program=_program,
        record=_record,
        after=_after,
        compare=_compare,
        pooled=_pooled,
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
