"""`kind = "logistic_regression"` with [privacy]: the steps of a run by noisy gradients of split columns."""

from __future__ import annotations

from typing import Any, Final

from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.tasks.base import Job, Notice, Run, all_cells
from parties.tasks.logistic.private.agreed import features_of, most_rows, row_norm, trained_columns
from parties.tasks.logistic.private.columns.plan import columns_facts, columns_plan_text, columns_privacy_facts
from parties.tasks.logistic.private.output.run import OUTPUT, model_facts
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.rows import own_stream
from parties.tasks.rows.extent import Rows
from parties.trust.budget import Charge
from protocols.rows.results import Trained
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.shared_gradients import SharedGradients, shared_gradients_job, shared_variance

MOMENTUM: Final = 0.9


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


def _settings(scenario: Scenario, rows: Rows, columns: int) -> SharedGradients:
    return columns_settings(scenario)


def _plan(how: SharedGradients) -> Plan:
    return make_plan(lambda p: shared_gradients_job(p, None, None, how), how.owners, how.helper, repr(how))


def _program(scenario: Scenario, agreement: Agreement, table: Table) -> ProgramFactory:
    how = agreement.settings or columns_settings(scenario)
    assert agreement.split is not None
    stream = own_stream(scenario, table.owner, agreement.session)
    columns = trained_columns(table, scenario, agreement.split, agreement.owners_key)
    return lambda p: shared_gradients_job(p, columns, stream, how)


def _record(scenario: Scenario, agreement: Agreement, trained: Trained | None) -> dict[str, Any]:
    """The model and the guarantee; there are no metrics."""
    if trained is None:
        return dict.fromkeys(("training", "model", "metrics", "privacy"))
    how = agreement.settings or columns_settings(scenario)
    return {
        "training": columns_facts(how),
        "model": model_facts(trained, how.ranges),
        "metrics": None,
        "privacy": columns_privacy_facts(how, scenario),
    }


def _charge(scenario: Scenario) -> Charge | None:
    privacy = scenario.privacy
    assert privacy is not None
    return Charge((columns_settings(scenario).mechanism,), privacy.epsilon, privacy.delta)


COLUMNS: Job[Table, SharedGradients, Trained] = Job(
    data=OUTPUT.data,
    run=Run(
        settings=_settings,
        plan=_plan,
        program=_program,
        record=_record,
        compare=OUTPUT.run.compare,
        pooled=all_cells,
    ),
    notice=Notice(
        plan=columns_plan_text,
        data=OUTPUT.notice.data,
        summary=OUTPUT.notice.summary,
        outcome=OUTPUT.notice.outcome,
        reveals=OUTPUT.notice.reveals,
        small_counts=OUTPUT.notice.small_counts,
        charge=_charge,
    ),
)
