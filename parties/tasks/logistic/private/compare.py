"""The comparison of a run with [privacy] on one machine: with all rows' model without noise, and each owner's own.

These numbers are exact, and are known only where all owners' data are on one machine: nothing of them is in a party's
own record. Which rows a run held out only their owners know; here a fifth (`test_fraction`) is held out by the public
seed, for all models but the run's own, of which some of these rows may have been trained on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parties.data.table import load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.solver import ITERATIONS, MOMENTUM
from parties.tasks.rows.regression import own_rows
from protocols.plain.logistic import ReferenceModel, comparison, reference_sets
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate


def compare_noisy(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The `comparison` of a run's record: `alone` and `pooled` without noise, and `run`: the exact metrics of the run's
    own model.

    Raises:
        DataError: an owner's data cannot be read any more, or have changed.
    """
    model = record["model"]
    features = tuple(model["features"])
    rows = {owner: own_rows(load_owner_table(scenario, owner), scenario, features) for owner in scenario.owners}
    counts = {owner: (len(own.y_train), len(own.y_test)) for owner, own in rows.items()}
    found = comparison(rows, exact_settings(scenario, counts, len(features)))
    zero, one = np.zeros(len(features)), np.ones(len(features))
    noisy = ReferenceModel(np.append(model["weights"], model["intercept"]), zero, one, 0.0, 0.0)
    return {**found, "run": reference_sets(noisy, list(rows.values()))}


def exact_settings(scenario: Scenario, counts: Mapping[str, tuple[int, int]], features: int) -> TrainingSettings:
    """The same model by Newton's method, on standardised features."""
    settings = settings_for(scenario, counts, features)
    return replace(
        settings,
        solver="newton",
        iterations=ITERATIONS["newton"],
        momentum=dyadic(MOMENTUM["newton"]),
        learning_rate=automatic_rate("newton", settings.features, settings.l2),
    )
