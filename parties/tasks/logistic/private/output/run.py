"""`kind = "logistic_regression"` with [privacy] method = "output" or "objective": the steps of a run."""

from __future__ import annotations

from typing import Any, Final

from mpc.links.meeting.handshake import Agreement
from mpc.randomness.streams import Stream
from mpc.runtime.party import Party
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.tasks.base import Job
from parties.tasks.logistic.private.agreed import features_of, most_rows, row_norm, trained_columns
from parties.tasks.logistic.private.job import PART, job_on_shares, part_of
from parties.tasks.logistic.private.output.plan import output_facts, output_guarantee, output_plan_text
from parties.tasks.logistic.private.settings import private_method
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.private_job import Method
from protocols.rows.own_rows import OwnColumns
from protocols.rows.results import Trained
from protocols.training.private.bounds import automatic_strength, perturbed
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.objective import automatic_penalty, perturbed_objective
from protocols.training.private.perturbed_job import (
    LabelledRows,
    PerturbedSettings,
    perturbed_columns_job,
    perturbed_rows_job,
)


def perturbed_settings(scenario: Scenario) -> PerturbedSettings:
    """The protocol's settings, all of which the scenario says.

    Raises:
        UsageError: columns are not listed or lack a range; or the penalty is too small.
    """
    task, privacy, most = scenario.task_as(LogisticTask), scenario.privacy, most_rows(scenario)
    assert privacy is not None
    features = features_of(scenario)
    names = [name for own in features for name in own]
    rows, columns = most * (1 if scenario.vertical else len(scenario.owners)), len(names) + 1
    norm = row_norm(scenario, len(names))
    by_output = private_method(scenario) == "output"
    automatic, made = (automatic_strength, perturbed) if by_output else (automatic_penalty, perturbed_objective)
    strength = task.l2 * rows or automatic(privacy.epsilon, privacy.delta, rows, columns, norm)
    return PerturbedSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        partition=task.partition,
        ranges=Ranges(tuple(privacy.clip.get(name) for name in names)),
        widths=tuple(map(len, features)),
        rows=most,
        how=made(rows, columns, norm, strength, privacy.epsilon, privacy.delta, len(scenario.owners)),
    )


async def _job(p: Party, own: Any, stream: Stream | None, settings: PerturbedSettings) -> Trained | None:
    job = perturbed_columns_job if settings.partition == "vertical" else perturbed_rows_job
    return await job(p, own, stream, settings)


def _own(
    scenario: Scenario, agreement: Agreement, table: Table, settings: PerturbedSettings
) -> OwnColumns | LabelledRows:
    if agreement.split is not None:
        return trained_columns(table, scenario, agreement.split, agreement.owners_key)
    (names,) = features_of(scenario)
    chosen = table if table.columns == names else table.select(names)
    return LabelledRows(names, chosen.values, chosen.target)


def _record(scenario: Scenario, settings: PerturbedSettings, trained: Trained) -> dict[str, Any]:
    return part_of(trained, settings.ranges, output_facts(settings), output_guarantee(settings, scenario))


OUTPUT: Final[Job[Table, PerturbedSettings, Trained]] = job_on_shares(
    Method(
        settings=perturbed_settings,
        job=_job,
        own=_own,
        record=_record,
        part=PART,
        plan=output_plan_text,
        mechanisms=lambda settings: settings.how.mechanisms,
        constants=lambda settings: repr(settings.how),
    )
)
