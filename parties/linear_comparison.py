"""What a linear regression on one machine is held against: each owner alone, and all rows in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parties.data import load_owner_table
from parties.linear_result import fit_facts, inference_rows
from parties.rows import own_rows
from parties.scenario import Scenario
from protocols.linear_settings import LinearFit
from protocols.linear_twin import fit_plain


def compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The `comparison` of a run's record: `alone` and `pooled`, each with `inference` and `fit`.

    `alone` of an owner is None where its own rows do not give a fit. `max_difference_in_se`: how far the run's
    coefficients are from those of all rows in the clear, in standard errors.

    Raises:
        DataError: an owner's data cannot be read any more, or have changed.
    """
    names = tuple(record["model"]["features"])
    own = {owner: own_rows(load_owner_table(scenario, owner), scenario, names) for owner in scenario.owners}
    x = np.concatenate([one.x_train for one in own.values()])
    y = np.concatenate([one.y_train for one in own.values()])
    pooled = fit_plain(x, y, names)
    run = [*record["model"]["weights"], record["model"]["intercept"]]
    apart = [
        abs(a - b) / np.sqrt(v) for a, b, v in zip(run, pooled.coefficients, pooled.variances, strict=True) if v > 0
    ]
    return {
        "alone": {owner: _facts(_alone(o.x_train, o.y_train, names)) for owner, o in own.items()},
        "pooled": {**(_facts(pooled) or {}), "max_difference_in_se": float(max(apart, default=0.0))},
    }


def _alone(x: np.ndarray, y: np.ndarray, names: tuple[str, ...]) -> LinearFit | None:
    """The fit to one owner's rows; None where they are too few, or do not tell the features apart."""
    rows, d = x.shape
    if rows < d + 2 or np.ptp(y) == 0 or np.linalg.matrix_rank(np.c_[x - x.mean(axis=0), np.ones(rows)]) <= d:
        return None
    return fit_plain(x, y, names)


def _facts(fit: LinearFit | None) -> dict[str, Any] | None:
    return None if fit is None else {"inference": inference_rows(fit), "fit": fit_facts(fit)}
