"""The comparison of a run by output perturbation on one machine: with models without noise, counted exactly.

These numbers are exact, and are known only where all owners' data are on one machine: nothing of them is in a party's
own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parties.data.table import load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.logistic.private.agreed import trained_columns
from parties.tasks.logistic.private.compare import compare_noisy, exact_settings
from parties.tasks.rows.regression import split_of
from protocols.plain.logistic import ReferenceModel, reference_sets
from protocols.plain.logistic_columns import joined, vertical_comparison


def compare_output(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The `comparison` of a run's record: `alone` and `pooled` without noise, and `run`: exact metrics of the model.

    Where columns are split, held-out rows are the run's own: it has not seen them.

    Raises:
        DataError: an owner's data cannot be read any more, or have changed.
    """
    if not scenario.vertical:
        return compare_noisy(scenario, record)
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    split = split_of(tables)
    columns = {owner: trained_columns(table, scenario, split, b"") for owner, table in tables.items()}
    counts = {owner: (len(own.x_train), len(own.x_test)) for owner, own in columns.items()}
    found = vertical_comparison(columns, exact_settings(scenario, counts, split.count))
    model = record["model"]
    zero, one = np.zeros(split.count), np.ones(split.count)
    noisy = ReferenceModel(np.append(model["weights"], model["intercept"]), zero, one, 0.0, 0.0)
    return {**found, "run": reference_sets(noisy, [joined(columns)])}
