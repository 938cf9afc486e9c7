"""`kind = "logistic_regression"`: the steps of a run of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.table import Table, load_owner_table
from parties.scenario.file import Scenario
from parties.show.blocks import plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, all_cells, outcome_for_all
from parties.tasks.logistic.keep import keep_model, model_id, ready_to_keep
from parties.tasks.logistic.plan_solver import training_facts
from parties.tasks.logistic.settings.programs import program_of
from parties.tasks.logistic.settings.shape import settings_for, warnings_after, warnings_before
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.rows.extent import extent_from_here, training_shapes
from parties.tasks.rows.regression import (
    MISSING_COUNTS,
    WEIGHTS,
    has_target,
    program_of_table,
    row_counts,
    table_notice,
    table_summary,
)
from protocols.inference import irls
from protocols.rows.results import Trained
from protocols.rows.settings import TrainingSettings
from protocols.training.form import constants_digest

STANDARDISATION: Final = "standardisation"
SCALES: Final = "scales"
RANGES: Final = "ranges"
"""What a policy calls the sums behind `standardise = true`, the powers of two behind `standardise = "private"`, which
tell less and go with "standardisation" too, and the bits behind `compare_ranges = true`: they are opened, too."""

TOLERANCE: Final = "tolerance"
"""What a policy calls the bits of the stop tests."""

CLASSES: Final = "class-count"
"""What a policy calls the pooled number of rows of a class, from which balanced class weights follow: it is opened."""


def _plan(settings: TrainingSettings) -> Plan:
    job = _job_of(settings)
    return make_plan(lambda p: job(p, None, settings), settings.owners, settings.helper, _constants_digest(settings))


def _constants_digest(settings: TrainingSettings) -> str:
    if settings.inference is None:
        return constants_digest(settings)
    return irls.constants_digest(irls.newton_of(settings))


def _job_of(settings: TrainingSettings) -> Callable[..., Any]:
    return program_of(vertical=settings.partition == "vertical", inference=settings.inference is not None)


def _load_libraries(scenario: Scenario) -> None:
    program_of(vertical=scenario.vertical, inference="inference" in scenario.task_as(LogisticTask).reveal)


def _program(scenario: Scenario, agreement: Agreement, table: Table) -> ProgramFactory:
    return program_of_table(scenario, agreement, table, _job_of(agreement.settings))


def _extent(scenario: Scenario, agreement: Agreement) -> tuple[list[tuple[int, int]], int]:
    """The rows that are trained on, a pair of counts for each owner that has its own, and the model's features."""
    rows = [agreement.rows[owner] for owner in scenario.owners]
    if agreement.split is not None:
        return rows[:1], agreement.split.count
    return rows, len(agreement.columns)


def _before(scenario: Scenario, agreement: Agreement) -> list[str]:
    return warnings_before(*_extent(scenario, agreement))


def _after(trained: Trained) -> list[str]:
    return warnings_after(trained.metrics, trained.converged)


def _record(scenario: Scenario, agreement: Agreement, trained: Trained | None) -> dict[str, Any]:
    """The model, its metrics and the rest of the result."""
    model = training = None
    if trained is not None:
        training = training_facts(agreement.settings, scenario, agreement.plan.ways, trained.converged)
        model = _weights(trained) if trained.kept is None else {"id": model_id(agreement)}
        model = {"features": list(trained.features), **model}
    return {
        "training": training,
        "model": model,
        "metrics": trained.metrics if trained else None,
        "data": _data_facts(scenario, trained),
        "inference": trained.inference.rows_as_dicts() if trained and trained.inference else None,
        "fit": trained.inference.fit_as_dict() if trained and trained.inference else None,
        "calibration": _calibration(agreement.settings, trained),
    }


def _weights(trained: Trained) -> dict[str, Any]:
    return {
        "weights": list(trained.weights),
        "intercept": trained.intercept,
        "standardised_weights": list(trained.standardised[:-1]) if trained.standardised else None,
        "standardised_intercept": trained.standardised[-1] if trained.standardised else None,
    }


def _calibration(settings: TrainingSettings, trained: Trained | None) -> dict[str, Any] | None:
    """Each set's tenths, joined where cells are small, for the record; None without a calibration."""
    if trained is None or trained.calibration is None:
        return None
    groups = {name: [one.as_dict() for one in found] for name, found in trained.calibration.items()}
    return {"min_cell": settings.calibration, **groups}


def _data_facts(scenario: Scenario, trained: Trained | None) -> dict[str, Any] | None:
    """The disclosed facts of all owners' data, for the record; None if there are none."""
    found = trained.data if trained else None
    if trained is None or found is None:
        return None
    columns = (*trained.features, scenario.task_as(LogisticTask).target)
    return {
        "missing": None if found.missing is None else dict(zip(columns, found.missing, strict=True)),
        "unlike_ranges": None if found.unlike_ranges is None else list(found.unlike_ranges),
    }


def _compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    from parties.tasks.logistic.compare import compare as with_plaintext

    model = record["model"]
    known = model.get("standardised_weights")
    standardised = None if known is None else [*known, model["standardised_intercept"]]
    return with_plaintext(scenario, record, standardised)


def _plan_text(settings: TrainingSettings, scenario: Scenario) -> PlanText:
    from parties.tasks.logistic.plan import training_plan_text

    return training_plan_text(settings, scenario)


def _data_notice(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    asked = table_notice(scenario, me, table, "target", "to train on")
    if not {"model", "inference"} & set(scenario.task_as(LogisticTask).reveal):
        asked.append(("the model", "nobody sees it: each owner keeps a share, in a sealed file of its own"))
    return asked


def _summary(scenario: Scenario, table: Table) -> str:
    return table_summary(scenario, table, f"{plural(len(table.columns), 'column')} to learn from")


def _reveals(scenario: Scenario) -> list[tuple[str, ...]]:
    task = scenario.task_as(LogisticTask)
    behind = {
        (STANDARDISATION,): task.standardise is True and task.partition == "horizontal",
        (SCALES, STANDARDISATION): task.standardise == "private",
        (RANGES,): task.compare_ranges,
        (TOLERANCE,): task.tolerance is not None,
        (WEIGHTS,): task.weights is not None,
        (CLASSES,): task.class_weights == "balanced",
    }
    return [*((what,) for what in task.reveal), *(names for names, wanted in behind.items() if wanted)]


def _small_counts(scenario: Scenario, least: int) -> list[str]:
    """What may tell a small count: cells tested against a lower minimum, metrics, and missing values."""
    task = scenario.task_as(LogisticTask)
    untested = {
        f"it has min_cell = {task.min_cell}": task.min_cell < least,
        '"metrics" tells how many rows were right and wrong, however few': "metrics" in task.reveal,
        MISSING_COUNTS: "missing" in task.reveal,
    }
    return [text for text, applies in untested.items() if applies]


def _outcome(scenario: Scenario) -> str:
    return outcome_for_all(scenario, scenario.task_as(LogisticTask).reveal or ("nothing of the model",))


TRAINING: Job[Table, TrainingSettings, Trained] = Job(
    data=Data(
        load=load_owner_table,
        shapes=training_shapes,
        extent=extent_from_here,
        counts=row_counts,
        has_target=has_target,
        ready=ready_to_keep,
    ),
    run=Run(
        settings=settings_for,
        plan=_plan,
        program=_program,
        record=_record,
        before=_before,
        after=_after,
        compare=_compare,
        keep=keep_model,
        load_libraries=_load_libraries,
        pooled=all_cells,
    ),
    notice=Notice(
        plan=_plan_text,
        data=_data_notice,
        summary=_summary,
        outcome=_outcome,
        reveals=_reveals,
        small_counts=_small_counts,
    ),
)
