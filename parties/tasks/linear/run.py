"""`kind = "linear_regression"`: the steps of a run of a linear regression, without [privacy] and with it."""

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
from parties.tasks.linear.private.method import METHOD
from parties.tasks.linear.record import fit_facts, inference_rows
from parties.tasks.linear.settings import LinearTask
from parties.tasks.linear.show import EXACT_TEXT
from parties.tasks.privacy.guarantee import privacy_notice
from parties.tasks.private_job import OWN_ROWS, private_job
from parties.tasks.rows.extent import Rows, extent_from_here, training_shapes
from parties.tasks.rows.regression import (
    MISSING_COUNTS,
    WEIGHTS,
    group_counts,
    has_target,
    program_of_table,
    row_counts,
    table_notice,
    table_summary,
)
from protocols.linear.columns_job import vertical_linear_job
from protocols.linear.noisy_moments import Floats, NoisyLinear
from protocols.linear.rows_job import linear_job
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.linear.table import is_exact
from protocols.statistics.job import MOST_ROWS

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


def _job_of(settings: LinearSettings) -> Callable[..., Any]:
    return vertical_linear_job if settings.partition == "vertical" else linear_job


def _plan(settings: LinearSettings) -> Plan:
    job = _job_of(settings)
    return make_plan(lambda p: job(p, None, settings), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: Table) -> ProgramFactory:
    return program_of_table(scenario, agreement, table, _job_of(agreement.settings))


def _after(fit: LinearFit) -> list[str]:
    return [EXACT_TEXT] if is_exact(fit) else []


def _record(scenario: Scenario, agreement: Agreement, fit: LinearFit | None) -> dict[str, Any]:
    if fit is None:
        return dict.fromkeys(METHOD.part)
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


def _plan_text(settings: LinearSettings, scenario: Scenario) -> PlanText:
    from parties.tasks.linear.plan import linear_plan_text

    return linear_plan_text(settings, scenario.task_as(LinearTask))


def _asked(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    return table_notice(scenario, me, table, "target, a number", "in the fit")


def _asked_privately(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    assert scenario.privacy is not None
    return [*_asked(scenario, me, table), *privacy_notice(scenario.privacy)]


def _summary(scenario: Scenario, table: Table) -> str:
    return table_summary(scenario, table, plural(len(table.columns), "feature"))


def _reveals(scenario: Scenario) -> list[tuple[str, ...]]:
    task = scenario.task_as(LinearTask)
    behind = SUMS if task.inference == "open-gram" else SCALES
    weights = [] if task.weights is None else [(WEIGHTS,)]
    return [*((what,) for what in task.reveal), *([] if scenario.vertical else [behind]), *weights]


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    """What may tell a small count: cells that are tested against a lower minimum, and missing values."""
    task = scenario.task_as(LinearTask)
    untested = {
        f"it has min_cell = {task.min_cell}": task.min_cell < least,
        MISSING_COUNTS: "missing" in task.reveal,
    }
    return [text for text, applies in untested.items() if applies]


def _outcome(scenario: Scenario) -> str:
    return outcome_for_all(scenario, scenario.task_as(LinearTask).reveal)


def _pooled(scenario: Scenario, rows: Rows, columns: int) -> int:
    """The covariances of all columns; where they are split, the rows besides."""
    return columns * columns + (all_cells(scenario, rows, columns) if scenario.vertical else 0)


LINEAR: Job[Table, LinearSettings, LinearFit] = Job(
    data=Data(
        load=load_owner_table,
        shapes=training_shapes,
        extent=extent_from_here,
        counts=row_counts,
        has_target=has_target,
    ),
    run=Run(
        settings=linear_settings,
        plan=_plan,
        program=_program,
        record=_record,
        after=_after,
        compare=_compare,
        pooled=_pooled,
    ),
    notice=Notice(
        plan=_plan_text,
        data=_asked,
        summary=_summary,
        outcome=_outcome,
        reveals=_reveals,
        small_counts=_small_counts,
    ),
)

NOISY_LINEAR: Job[Table, NoisyLinear, Floats] = private_job(
    METHOD, OWN_ROWS, _asked_privately, _summary, _compare, _pooled
)
"""With [privacy]."""
