"""`kind = "logistic_regression"` with [privacy]: the steps of a run by noisy gradients of owners' own rows."""

from __future__ import annotations

from typing import Any, Final

from mpc.errors import UsageError
from mpc.links.meeting.handshake import Agreement
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from parties.tasks.base import Job
from parties.tasks.logistic.private.gradients.plan import noisy_plan_text
from parties.tasks.logistic.private.gradients.record import guarantee, metrics_facts, noisy_training_facts
from parties.tasks.logistic.private.job import PART, compare, part_of, summary
from parties.tasks.logistic.private.settings import MOMENTUM, NORM
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import privacy_notice
from parties.tasks.private_job import OWN_ROWS, Method, private_job
from parties.tasks.rows.regression import table_notice
from protocols.training.private.clipped_gradients import MOST_FEATURES, Clipping, Ranges, WholeRows
from protocols.training.private.noisy_descent import (
    NoisySettings,
    NoisyTrained,
    calibrated_gradients,
    noisy_training_job,
)

MOST_STEPS: Final = 10_000
"""The most noisy sums: an owner draws noise for so many in about ten seconds."""


def step_size(features: int, heavier: float, l2: float) -> float:
    """The default length of a step: 1 / L, where L bounds the mean loss's second derivative.

    Args:
        heavier: how much a row of the heavier class counts.
    """
    return 4.0 / (heavier * (features + 1) + 4.0 * l2)


def noisy_settings(scenario: Scenario) -> NoisySettings:
    """The protocol's settings, all of which the scenario says.

    Raises:
        UsageError: there are too many steps or features, or such noise is too wide to be drawn.
    """
    task, privacy = scenario.task_as(LogisticTask), scenario.privacy
    assert privacy is not None
    names = task.feature_names
    assert names is not None
    for what, count, most in (("steps", task.iterations or 0, MOST_STEPS), ("features", len(names), MOST_FEATURES)):
        if count > most:
            hint = "set fewer `iterations`" if what == "steps" else "name fewer `features`"
            raise UsageError(f"{count_text(count)} {what} with noise, and {count_text(most)} are the most", hint)
    weights = task.class_weights if isinstance(task.class_weights, tuple) else (1.0, 1.0)
    heavier, held_out = max(weights), task.test_fraction if "metrics" in task.reveal else 0.0
    clipping = Clipping(privacy.norm or NORM, (weights[0] / heavier, weights[1] / heavier))
    steps, rate = task.iterations or 0, privacy.rate or 1.0
    return NoisySettings(
        owners=scenario.owners,
        helper=scenario.helper,
        features=names,
        ranges=Ranges(tuple(privacy.clip.get(name) for name in names)),
        clipping=clipping,
        steps=steps,
        rate=rate,
        step_size=task.learning_rate
        if isinstance(task.learning_rate, float)
        else step_size(len(names), heavier, task.l2),
        momentum=MOMENTUM if task.momentum is None else task.momentum,
        l2=task.l2,
        class_scale=heavier,
        held_out=held_out,
        fewest_rows=len(scenario.owners) * task.min_rows * (1.0 - held_out),
        epsilon=privacy.epsilon,
        delta=privacy.delta,
        variance=calibrated_gradients(
            privacy.epsilon, privacy.delta, len(scenario.owners), clipping.squared, steps, rate
        ),
    )


def _own(scenario: Scenario, agreement: Agreement, table: Table, how: NoisySettings) -> WholeRows:
    chosen = table if table.columns == how.features else table.select(how.features)
    return WholeRows(how.ranges.whole_rows(chosen.values), chosen.target.astype("int64"))


def _record(scenario: Scenario, how: NoisySettings, trained: NoisyTrained) -> dict[str, Any]:
    metrics = None if trained.counts is None else {"test": metrics_facts(trained.counts, how.counts_deviation)}
    return part_of(trained, how.ranges, noisy_training_facts(how, trained), guarantee(how, scenario), metrics)


def _asked(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    assert scenario.privacy is not None
    *asked, (what, rows) = table_notice(scenario, me, table, "target", "to train on")
    if table is not None:
        fraction = scenario.model_task.test_fraction
        held = f"; each is held out with chance {fraction:g}" if "metrics" in scenario.model_task.reveal else ""
        rows = f"{plural(table.rows, 'row')}{held}"
    return [*asked, (what, rows), *privacy_notice(scenario.privacy)]


GRADIENTS: Final[Job[Table, NoisySettings, NoisyTrained]] = private_job(
    Method(
        settings=noisy_settings,
        job=noisy_training_job,
        own=_own,
        record=_record,
        part=PART,
        plan=noisy_plan_text,
        mechanisms=lambda how: (how.mechanism,),
    ),
    OWN_ROWS,
    _asked,
    summary,
    compare,
)
