"""`kind = "logistic_regression"` with [privacy]: the steps of a run by noisy gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mpc.errors import UsageError
from mpc.links.meeting.handshake import Agreement
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from parties.tasks.base import Data, Job, Notice, Run, outcome_for_all
from parties.tasks.logistic.private.columns.run import COLUMNS
from parties.tasks.logistic.private.gradients.plan import noisy_plan_text
from parties.tasks.logistic.private.gradients.record import metrics_facts, noisy_training_facts, privacy_facts_of
from parties.tasks.logistic.private.output.run import OUTPUT
from parties.tasks.logistic.private.settings import NORM, private_method
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import SMALL_COUNTS, privacy_notice
from parties.tasks.privacy.rows import load_private_table, own_stream, private_counts, private_extent, private_rows
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import table_notice
from parties.trust.budget import Charge
from protocols.training.private.clipped_gradients import MOST_FEATURES, Clipping, Ranges, WholeRows
from protocols.training.private.noisy_descent import (
    NoisySettings,
    NoisyTrained,
    calibrated_gradients,
    noisy_training_job,
)

MOMENTUM: Final = 0.9
MOST_STEPS: Final = 10_000
"""The most noisy sums: an owner draws noise for so many in about ten seconds."""


def noisy_job(scenario: Scenario) -> Job[Any, Any, Any]:
    """How the run of a scenario with [privacy] is done, by its method."""
    if private_method(scenario) != "gradients":
        return OUTPUT
    return COLUMNS if scenario.vertical else GRADIENTS


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
    names = _features(scenario)
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


def _features(scenario: Scenario) -> tuple[str, ...]:
    names = scenario.task_as(LogisticTask).feature_names
    assert names is not None
    return names


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    return private_rows(scenario), len(_features(scenario))


def _extent(scenario: Scenario, table: Table | None) -> Extent:
    return private_extent(scenario, len(_features(scenario)))


def _settings(scenario: Scenario, rows: Rows, columns: int) -> NoisySettings:
    return noisy_settings(scenario)


def _plan(how: NoisySettings) -> Plan:
    return make_plan(lambda p: noisy_training_job(p, None, None, how), how.owners, how.helper)


def _program(scenario: Scenario, agreement: Agreement, table: Table) -> ProgramFactory:
    how = agreement.settings or noisy_settings(scenario)
    chosen = table if table.columns == how.features else table.select(how.features)
    own = WholeRows(how.ranges.whole_rows(chosen.values), chosen.target.astype("int64"))
    stream = own_stream(scenario, table.owner, agreement.session)
    return lambda p: noisy_training_job(p, own, stream, how)


def _record(scenario: Scenario, agreement: Agreement, trained: NoisyTrained | None) -> dict[str, Any]:
    """The model, its metrics and the guarantee."""
    if trained is None:
        return dict.fromkeys(("training", "model", "metrics", "privacy"))
    how = agreement.settings or noisy_settings(scenario)
    return {
        "training": noisy_training_facts(how, trained),
        "model": {
            "features": list(trained.features),
            "weights": list(trained.weights),
            "intercept": trained.intercept,
            "range_weights": [w * width for w, width in zip(trained.weights, how.ranges.widths, strict=True)],
        },
        "metrics": None if trained.counts is None else {"test": metrics_facts(trained.counts, how.counts_deviation)},
        "privacy": privacy_facts_of(how, scenario),
    }


def _compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    from parties.tasks.logistic.private.compare import compare_noisy

    return compare_noisy(scenario, record)


def _data_notice(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    assert scenario.privacy is not None
    *asked, (what, rows) = table_notice(scenario, me, table, "target", "to train on")
    if table is not None:
        fraction = scenario.task_as(LogisticTask).test_fraction
        held = f"; each is held out with chance {fraction:g}" if "metrics" in scenario.model_task.reveal else ""
        rows = f"{plural(table.rows, 'row')}{held}"
    return [*asked, (what, rows), *privacy_notice(scenario.privacy)]


def _summary(scenario: Scenario, table: Table) -> str:
    text = f"data: {table.source}: {plural(table.rows, 'row')}, {plural(len(table.columns), 'column')} to learn from"
    return f"{text}, target '{scenario.task_as(LogisticTask).target}'"


def _reveals(scenario: Scenario) -> list[tuple[str, ...]]:
    return [(what,) for what in scenario.task_as(LogisticTask).reveal]


def _charge(scenario: Scenario) -> Charge | None:
    privacy = scenario.privacy
    assert privacy is not None
    return Charge((noisy_settings(scenario).mechanism,), privacy.epsilon, privacy.delta)


GRADIENTS: Job[Table, NoisySettings, NoisyTrained] = Job(
    data=Data(
        load=load_private_table,
        shapes=_shapes,
        extent=_extent,
        counts=lambda scenario, rows: private_counts(scenario),
    ),
    run=Run(settings=_settings, plan=_plan, program=_program, record=_record, compare=_compare),
    notice=Notice(
        plan=noisy_plan_text,
        data=_data_notice,
        summary=_summary,
        outcome=lambda scenario: outcome_for_all(scenario, scenario.task_as(LogisticTask).reveal),
        reveals=_reveals,
        small_counts=lambda scenario, least: [SMALL_COUNTS],
        charge=_charge,
    ),
)
