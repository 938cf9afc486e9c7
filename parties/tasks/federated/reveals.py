"""What a study discloses to whom, and what is public of it: for plan, approval, releases and record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parties.tasks.federated.settings import FederatedScenario

Told = tuple[str, list[str], int, str]
"""What, to whom, how many numbers, and why."""


def revealed(scenario: FederatedScenario) -> list[dict[str, Any]]:
    """What the server, and the clients, learn of the clients' data, as a record lists it."""
    told = _with_noise(scenario) if scenario.privacy is not None else _exact(scenario)
    who = ("who took part, and who dropped out when", [scenario.server], scenario.count, "it relays their messages")
    return [{"what": what, "to": to, "shape": [shape], "why": why} for what, to, shape, why in (*told, who)]


def _models(scenario: FederatedScenario) -> Told:
    return "the model of each round", [scenario.server, "clients"], scenario.size, "it is what is trained"


def _over(scenario: FederatedScenario) -> str:
    return f"over {scenario.min_cohort} clients or more together"


def _with_noise(scenario: FederatedScenario) -> Iterator[Told]:
    """What is told with [privacy]."""
    assert scenario.privacy is not None
    server, noisy = [scenario.server], f"with noise: {scenario.privacy.text}; {_over(scenario)}"
    yield "the noisy sum of the updates in each round", server, scenario.size, f"the model's next step; {noisy}"
    yield _models(scenario)
    if scenario.judges:
        numbers = scenario.mechanisms["evaluate"].size
        yield "noisy figures of the last model", server, numbers, f"to judge it; {noisy}"


def _exact(scenario: FederatedScenario) -> Iterator[Told]:
    """What is told without [privacy]."""
    task, server, over, p = scenario.task, [scenario.server], _over(scenario), len(scenario.task.features)
    if scenario.plain:
        why = 'aggregation = "plain": for comparison only; an update gives back rows'
        yield "EVERY CLIENT'S OWN UPDATE AND FIGURES, in every round", server, scenario.size, why
    if task.standardise:
        yield f"mean and deviation of {p} features", [*server, "clients"], 2 * p, f"to standardise by; {over}"
    if scenario.newton:
        what = "gradient, Fisher matrix, deviance and number of rows at each step's model"
        yield what, server, scenario.size * (scenario.size + 3) // 2 + 2, f"Newton's step; {over}"
    else:
        what = "the sum of the updates in each round, and of their weights"
        yield what, server, scenario.size + 1, f"the model's next step; {over}, and of no one of them"
    yield _models(scenario)
    if scenario.judges:
        scores = " and, in the last round, histograms of scores by class" if task.auc and scenario.classes > 1 else ""
        right = "numbers of right answers" if scenario.classes > 1 else "squared errors"
        on = "rows of the fit" if scenario.newton else "held-out rows"
        numbers = scenario.layout(scenario.phases[-1], np.zeros(scenario.size)).length
        yield f"sums of losses and {right}{scores}", server, numbers, f"to judge models by; on {on}, {over}"
    if task.personal:
        what = "how many clients gain how much by a model of their own, and which model is best for how many"
        why = f"counts of 1 to {task.min_cell - 1} are left out of the record; the server sees them"
        yield what, server, 1, why


def split_record(scenario: FederatedScenario) -> dict[str, Any] | None:
    """The rule by which one file's rows were dealt to the hosted clients, with the seed above; None: by none."""
    spec = scenario.clients
    if spec is None or spec.split is None:
        return None
    column = scenario.split_labels if spec.split == "labels" else None
    return {"by": spec.split, "column": column, "alpha": spec.alpha, "clients": spec.count}


def learner_record(scenario: FederatedScenario) -> dict[str, str] | None:
    """The learner of the clients of this process's user, if it is not the built-in one."""
    return scenario.step.facts if scenario.step is not None else None
