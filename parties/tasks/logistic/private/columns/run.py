"""`kind = "logistic_regression"` with [privacy]: the steps of a run by noisy gradients of split columns."""

from __future__ import annotations

from typing import Any, Final

from mpc.links.meeting.handshake import Agreement
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.tasks.base import Job
from parties.tasks.logistic.private.agreed import features_of, most_rows, row_norm, trained_columns
from parties.tasks.logistic.private.columns.plan import columns_facts, columns_guarantee, columns_plan_text
from parties.tasks.logistic.private.job import PART, job_on_shares, part_of
from parties.tasks.logistic.private.settings import MOMENTUM
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.private_job import Method
from protocols.rows.own_rows import OwnColumns
from protocols.rows.results import Trained
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.shared_gradients import SharedGradients, shared_gradients_job, shared_variance


def step_of(norm: float, l2: float) -> float:
    """The default length of a step: 1 / (2 L), where L = norm^2 / 4 + l2 bounds the loss's second derivative."""
    return 2.0 / (norm**2 + 4.0 * l2)


def columns_settings(scenario: Scenario) -> SharedGradients:
    """The protocol's settings, all of which the scenario says.

    Raises:
        UsageError: columns are not listed or lack a range; or such noise is too wide to be drawn.
    """
    task, privacy = scenario.task_as(LogisticTask), scenario.privacy
    assert privacy is not None
    features = features_of(scenario)
    names = [name for own in features for name in own]
    norm, steps, rows = row_norm(scenario, len(names)), task.iterations or 0, most_rows(scenario)
    return SharedGradients(
        owners=scenario.owners,
        helper=scenario.helper,
        ranges=Ranges(tuple(privacy.clip.get(name) for name in names)),
        widths=tuple(map(len, features)),
        rows=rows,
        norm=norm,
        steps=steps,
        step_size=task.learning_rate if isinstance(task.learning_rate, float) else step_of(norm, task.l2),
        momentum=MOMENTUM if task.momentum is None else task.momentum,
        l2=task.l2,
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        variance=shared_variance(privacy.epsilon, privacy.delta, len(scenario.owners), norm, rows, steps),
    )


def _own(scenario: Scenario, agreement: Agreement, table: Table, how: SharedGradients) -> OwnColumns:
    assert agreement.split is not None
    return trained_columns(table, scenario, agreement.split, agreement.owners_key)


def _record(scenario: Scenario, how: SharedGradients, trained: Trained) -> dict[str, Any]:
    return part_of(trained, how.ranges, columns_facts(how), columns_guarantee(how, scenario))


COLUMNS: Final[Job[Table, SharedGradients, Trained]] = job_on_shares(
    Method(
        settings=columns_settings,
        job=shared_gradients_job,
        own=_own,
        record=_record,
        part=PART,
        plan=columns_plan_text,
        mechanisms=lambda how: (how.mechanism,),
        constants=repr,
    )
)
