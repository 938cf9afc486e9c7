"""The comparison of a run on one machine with each owner's own model and with a model of all rows in the clear.

Only where all owners' data are on one machine: it loads every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpc.errors import InternalError
from parties.scenario.file import Scenario


def compare(scenario: Scenario, record: Mapping[str, Any], standardised: Sequence[float] | None) -> dict[str, Any]:
    """The `comparison` of a run's record.

    `alone`: each owner's own model, on its own training rows and on all owners' held-out rows, so that it can be held
    against the joint model. `pooled`: the plaintext training on all rows, and how far its weights are from the run's.

    Args:
        record: of the run, for its model's features.
        standardised: the run's weights in standardised units, the intercept last; None if nobody knows them.

    Raises:
        DataError: an owner's data cannot be read any more, or have changed.
        InternalError: the record holds no model, or not as many weights as `standardised`.
    """
    from parties.data.table import load_owner_table
    from parties.tasks.logistic.settings.shape import settings_for
    from parties.tasks.rows.regression import own_columns, own_rows, split_of
    from protocols.plain.logistic import comparison
    from protocols.plain.logistic_columns import vertical_comparison
    from protocols.rows.results import Trained

    model = record.get("model")
    if not model or (standardised is not None and len(standardised) != len(model["features"]) + 1):
        raise InternalError("there is no model to compare, or its weights are incomplete", "report this as a bug")
    features = tuple(model["features"])
    weights = tuple(standardised) if standardised is not None else ()
    trained = None  # the weights of a model that nobody sees are not compared
    if "weights" in model:
        trained = Trained(features, tuple(model["weights"]), model["intercept"], weights, record.get("metrics"))
    facts = record.get("training") or {}
    taken, solver = facts.get("steps"), facts.get("solver")
    if scenario.vertical:
        tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
        split = split_of(tables)
        columns = {owner: own_columns(table, scenario, split, b"") for owner, table in tables.items()}
        counts = {owner: (len(own.x_train), len(own.x_test)) for owner, own in columns.items()}
        return vertical_comparison(columns, settings_for(scenario, counts, split.count, solver), trained, taken)
    rows = {owner: own_rows(load_owner_table(scenario, owner), scenario, features) for owner in scenario.owners}
    counts = {owner: (len(own.y_train), len(own.y_test)) for owner, own in rows.items()}
    return comparison(rows, settings_for(scenario, counts, len(features), solver), trained, taken)
