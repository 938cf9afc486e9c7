"""The comparison of a run with [privacy] on one machine: with all rows' model without noise, and each owner's own.

These numbers are exact, and are known only where all owners' data are on one machine: nothing of them is in a party's
own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parties.data.table import load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.logistic.private.agreed import trained_columns
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.solver import ITERATIONS, MOMENTUM
from parties.tasks.rows.regression import own_rows, split_of
from protocols.plain.logistic import ReferenceModel, comparison, reference_sets
from protocols.plain.logistic_columns import joined, vertical_comparison
from protocols.rows.settings import TrainingSettings
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate


def compare_noisy(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The `comparison` of a run's record: `alone` and `pooled` without noise, and `run`: exact metrics of the model.

    Where columns are split, held-out rows are the run's own: it has not seen them. Else only the owners know which
    rows a run held out; here a fifth (`test_fraction`) is held out by the public seed, for all models but the run's
    own, of which some of these rows may have been trained on.

    Raises:
        DataError: an owner's data cannot be read any more, or have changed.
    """
    model = record["model"]
    features = tuple(model["features"])
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    noisy = ReferenceModel.in_own_units(np.append(model["weights"], model["intercept"]))
    if scenario.vertical:
        split = split_of(tables)
        columns = {owner: trained_columns(table, scenario, split, b"") for owner, table in tables.items()}
        counts = {owner: (len(own.x_train), len(own.x_test)) for owner, own in columns.items()}
        found = vertical_comparison(columns, _exact(scenario, counts, len(features)))
        return {**found, "run": reference_sets(noisy, [joined(columns)])}
    rows = {owner: own_rows(table, scenario, features) for owner, table in tables.items()}
    counts = {owner: (len(own.y_train), len(own.y_test)) for owner, own in rows.items()}
    found = comparison(rows, _exact(scenario, counts, len(features)))
    return {**found, "run": reference_sets(noisy, list(rows.values()))}


def _exact(scenario: Scenario, counts: Mapping[str, tuple[int, int]], features: int) -> TrainingSettings:
    """The same model by Newton's method, on standardised features."""
    settings = settings_for(scenario, counts, features)
    return replace(
        settings,
        solver="newton",
        iterations=ITERATIONS["newton"],
        momentum=dyadic(MOMENTUM["newton"]),
        learning_rate=automatic_rate("newton", settings.features, settings.l2),
    )
