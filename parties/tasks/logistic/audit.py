"""What `mpc audit` is given of a logistic regression: the rows, and the plaintext training on some of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mpc.ring.array import Array
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Alone, Audit, Population, Random, Trial
from parties.tasks.audited.models import Fit, PooledRows, model_population, own_rows_alone, pooled_rows, trained_counts
from parties.tasks.logistic.private.columns.audit import columns_fit, columns_trial
from parties.tasks.logistic.private.gradients.audit import gradients_fit, gradients_trials
from parties.tasks.logistic.private.output.audit import output_fit, output_trial
from parties.tasks.logistic.private.output.objective_audit import objective_trials
from parties.tasks.logistic.private.settings import private_method
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.task import LogisticTask
from protocols.plain.logistic import ended_after, pooled
from protocols.rows.own_rows import OwnRows


def _population(scenario: Scenario, record: Mapping[str, Any] | None) -> Population | None:
    if scenario.task_as(LogisticTask).keeps_shares:
        return None
    rows = pooled_rows(scenario, record)
    if scenario.privacy is not None:
        return _model(scenario, record, rows, _private_fit(scenario, rows))
    counts = trained_counts(scenario, rows)
    by_owner = dict.fromkeys(scenario.owners, next(iter(counts.values()))) if scenario.vertical else counts
    facts = (record or {}).get("training") or {}
    settings = ended_after(settings_for(scenario, by_owner, len(rows.names), facts.get("solver")), facts.get("steps"))

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        model = pooled([_own(rows, one) for one in chosen.values()], settings)
        own = model.weights[:-1] / model.deviation
        return np.append(own, model.weights[-1] - own @ model.mean)

    return _model(scenario, record, rows, fit)


def _model(scenario: Scenario, record: Mapping[str, Any] | None, rows: PooledRows, fit: Fit) -> Population:
    return model_population(scenario, rows, record, fit, lambda z: _log_odds_of_the_truth(z, rows.y), _entropy)


def _alone(scenario: Scenario, record: Mapping[str, Any], owner: str) -> Alone | None:
    if scenario.task_as(LogisticTask).keeps_shares:
        return None
    return own_rows_alone(scenario, record, owner, _log_odds_of_the_truth)


def _log_odds_of_the_truth(z: Array, y: Array) -> Array:
    """log(p / (1 - p)) of the chance p that the model gives the row's own label: Carlini et al. 2022, section 4."""
    found: Array = (2 * y - 1) * z
    return found


def _entropy(z: Array, y: Array) -> Callable[[Array, Array], Array]:
    """Minus the log-likelihood of a label, whatever the errors of others are."""
    return lambda z, y: np.logaddexp(0.0, (1 - 2 * y) * z)


def _own(rows: PooledRows, chosen: Array) -> OwnRows:
    x, y, beside = rows.of(chosen)
    return OwnRows(rows.names, x, y, x[:0], y[:0], offset_weights_train=beside)


def _private_fit(scenario: Scenario, rows: PooledRows) -> Fit:
    """The training by the scenario's method in the clear, with its noise."""
    if private_method(scenario) != "gradients":
        return output_fit(scenario, rows)
    return (columns_fit if scenario.vertical else gradients_fit)(scenario, rows)


def _trials(scenario: Scenario) -> tuple[Trial, ...]:
    """The mechanisms of a scenario's method; none without [privacy]."""
    if scenario.privacy is None:
        return ()
    match private_method(scenario):
        case "output":
            return (output_trial(scenario),)
        case "objective":
            return objective_trials(scenario)
        case "gradients":
            return (columns_trial(scenario),) if scenario.vertical else gradients_trials(scenario)


AUDIT = Audit(_population, _trials, alone=_alone)
