"""Comparison of a run on one machine with each owner's own fit and with the fit to all rows in the clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from parties.data.table import load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.linear.record import fit_facts, inference_rows
from parties.tasks.rows.regression import own_rows
from protocols.linear.settings import LinearFit
from protocols.plain.linear import fit_plain
from protocols.rows.offset_weights import OffsetWeights


def compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The `comparison` of a run's record: `alone` and `pooled`, each with `inference` and `fit`.

    `alone` of an owner is None where its own rows do not give a fit; where columns are split, the target's owner is
    there alone, with its own features. `max_difference_in_se`: how far the run's coefficients are from those of all
    rows in the clear, in standard errors.

    Raises:
        DataError: an owner's data cannot be read any more, or have changed.
    """
    names = tuple(record["model"]["features"])
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    if scenario.vertical:
        ((owner, held),) = ((name, table) for name, table in tables.items() if table.has_target)
        x = np.concatenate([table.values for table in tables.values()], axis=1)
        y, beside = held.target, held.offset_weights
        alone = {owner: _alone(held.values, y, held.columns, beside)}
    else:
        own = {owner: own_rows(table, scenario, names) for owner, table in tables.items()}
        x = np.concatenate([one.x_train for one in own.values()])
        y = np.concatenate([one.y_train for one in own.values()])
        beside = OffsetWeights.joined([one.offset_weights_train for one in own.values()])
        alone = {owner: _alone(one.x_train, one.y_train, names, one.offset_weights_train) for owner, one in own.items()}
    pooled = fit_plain(x, y, names, beside)
    run = [*record["model"]["weights"], record["model"]["intercept"]]
    apart = [
        abs(a - b) / np.sqrt(v) for a, b, v in zip(run, pooled.coefficients, pooled.variances, strict=True) if v > 0
    ]
    found = {
        "alone": {owner: _facts(fit) for owner, fit in alone.items()},
        "pooled": {**(_facts(pooled) or {}), "max_difference_in_se": float(max(apart, default=0.0))},
    }
    return found if scenario.privacy is None else _with_errors(found, run, pooled, alone, x, beside.subtract_offset(y))


def _with_errors(
    found: dict[str, Any],
    run: list[float],
    pooled: LinearFit,
    alone: Mapping[str, LinearFit | None],
    x: np.ndarray,
    y: np.ndarray,
) -> dict[str, Any]:
    """The same with the exact errors of each model on all rows, under `train`: what a run with noise cannot know."""
    of = {owner: {**(found["alone"][owner] or {}), **_errors(fit, x, y)} for owner, fit in alone.items()}
    return {
        "alone": of,
        "pooled": {**found["pooled"], **_errors(pooled, x, y)},
        "run": {"train": _error_facts(run, x, y)},
    }


def _errors(fit: LinearFit | None, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {} if fit is None else {"train": _error_facts(list(fit.coefficients), x, y)}


def _error_facts(coefficients: list[float], x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    left = y - x @ np.array(coefficients[:-1]) - coefficients[-1]
    squares = float(left @ left)
    return {"rows": len(y), "r2": 1 - squares / float(((y - y.mean()) ** 2).sum()), "rmse": (squares / len(y)) ** 0.5}


def _alone(x: np.ndarray, y: np.ndarray, names: tuple[str, ...], beside: OffsetWeights) -> LinearFit | None:
    """The fit to one owner's rows; None where those with a weight are too few, or the features are collinear."""
    counted = np.full(len(y), True) if beside.counts is None else beside.counts > 0
    left, used = beside.subtract_offset(y)[counted], x[counted]
    rows, d = used.shape
    if not d or rows < d + 2 or np.ptp(left) == 0:
        return None
    if np.linalg.matrix_rank(np.c_[used - used.mean(axis=0), np.ones(rows)]) <= d:
        return None
    return fit_plain(x, y, names, beside)


def _facts(fit: LinearFit | None) -> dict[str, Any] | None:
    return None if fit is None else {"inference": inference_rows(fit), "fit": fit_facts(fit)}
