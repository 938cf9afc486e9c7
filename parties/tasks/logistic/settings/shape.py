"""From a scenario to the public settings of a training; and the warnings before and after it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import isinf
from typing import Any, Final

from mpc.errors import UsageError
from parties.scenario.file import Scenario
from parties.scenario.network import LAN, NetworkSpec
from parties.tasks.logistic.settings.solver_choice import candidates, choose
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.rows.regression import group_counts
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate

MOST_STEPS: Final = 1_000_000
"""The most steps: every party plans all of them before the first, which takes minutes for so many."""


def settings_for(
    scenario: Scenario, rows: Mapping[str, tuple[int, int]], features: int, chosen: str | None = None
) -> TrainingSettings:
    """The public settings of a training.

    Args:
        rows: owner -> its numbers of training and test rows.
        features: how many columns the owners share (or have together), without the intercept.
        chosen: the solver that solver = "auto" is known to have taken, so that nothing is priced again.

    Raises:
        DataError: columns are split, and the owners have different numbers of rows.
        UsageError: it would take too many steps, or solver = "auto", and no solver can train on data of such a shape.
    """
    task = scenario.task_as(LogisticTask)
    counts = group_counts(scenario, rows)
    rate, auto = task.learning_rate, task.solver == "auto"
    inference = "inference" in task.reveal
    solver = "irls" if inference else "newton" if task.solver == "auto" else task.solver
    settings = TrainingSettings(
        owners=scenario.owners,
        helper=scenario.helper,
        train_rows=tuple(train for train, _ in counts),
        test_rows=tuple(test for _, test in counts),
        features=features,
        partition=task.partition,
        seed=scenario.seed,
        epochs=task.epochs,
        batch_size=task.batch_size,
        learning_rate=rate if isinstance(rate, float) else automatic_rate(solver, features, task.l2),
        l2=task.l2,
        sigmoid_range=None if task.sigmoid_range == "auto" else task.sigmoid_range,
        standardise=task.standardise,
        metrics="metrics" in task.reveal,
        solver=solver,
        class_weights=task.class_weights,
        iterations=task.newton_steps if inference else task.iterations or 0,
        momentum=dyadic(task.momentum or 0.0),
        tolerance=task.tolerance,
        missing="missing" in task.reveal,
        compare_ranges=task.compare_ranges,
        inference=task.inference if inference else None,
        reveal_model="model" in task.reveal,
        weighted=task.weights is not None,
        offset=task.offset is not None,
        round_bytes=_round_bytes(scenario.network, scenario.owners),
        calibration=task.min_cell if "calibration" in task.reveal else None,
        min_cell=task.min_cell,
    )
    if settings.step_count > MOST_STEPS:
        raise UsageError(
            f"the training would take {settings.step_count:,} steps, and {MOST_STEPS:,} are the most",
            "set fewer `epochs`, or a larger `batch_size`" if settings.solver == "sgd" else "set fewer `iterations`",
        )
    if not auto:
        return settings
    return candidates(settings)[chosen] if chosen is not None else choose(settings, scenario.network)


def _round_bytes(network: NetworkSpec | None, owners: Sequence[str]) -> int:
    """The cost of a round on the scenario's network, in bytes, by the highest latency and the lowest bandwidth of the
    owners' links.

    What it does not say, or says is shorter than on a local network, is as there: a round's work takes time, too.
    """
    local = LAN.speed(*owners[:2])
    links = [(network or LAN).speed(*pair) for pair in combinations(owners, 2)]
    bandwidth = min(link.bandwidth for link in links)
    return int(
        max(local.latency, *(link.latency for link in links)) * (local.bandwidth if isinf(bandwidth) else bandwidth)
    )


def warnings_before(rows: Iterable[tuple[int, int]], features: int) -> list[str]:
    """Warnings before the training: public settings and sizes that lead to a poor model.

    Args:
        rows: each owner's numbers of training and test rows.
        features: how many columns the owners share, without the intercept.
    """
    training = sum(train for train, _ in rows)
    if training >= features + 2:
        return []
    return [
        f"{training} training rows of all owners for {features} features: too few to tell the features' effects "
        "apart; name fewer `features`, or set `l2`"
    ]


def warnings_after(metrics: Mapping[str, Mapping[str, Any]] | None, converged: bool | None = None) -> list[str]:
    """Warnings after the training, from the disclosed metrics: on the rows of all owners and on the training."""
    found = []
    if converged is False:
        found.append("the training has not converged: its weights still moved; raise `iterations` or `l2`")
    for name, words in (("train", "training"), ("test", "held-out")):
        one = (metrics or {}).get(name)
        if one is not None and one["positives"] in (0, one["rows"]):
            only = 0 if one["positives"] == 0 else 1
            result = "the model means nothing" if name == "train" else "there is no AUC"
            found.append(f"the target is {only} in all {words} rows of all owners: {result}")
    return found
