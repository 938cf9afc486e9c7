"""What `mpc audit` is given of a logistic regression: the rows, and the plaintext training on some of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mpc.ring.array import Array
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Alone, Audit, Population, Random
from parties.tasks.audited.models import Fit, Together, model_population, own_rows_alone, together, trained_counts
from parties.tasks.logistic.private.gradients.audit import private_fit, private_trials
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.task import LogisticTask
from protocols.plain.logistic import ended_after, pooled
from protocols.rows.own_rows import OwnRows


def _population(scenario: Scenario, record: Mapping[str, Any] | None) -> Population | None:
    if scenario.task_as(LogisticTask).keeps_shares:
        return None
    rows = together(scenario, record)
    if scenario.privacy is not None:
        return _model(scenario, record, rows, private_fit(scenario, rows))
    counts = trained_counts(scenario, rows)
    by_owner = dict.fromkeys(scenario.owners, next(iter(counts.values()))) if scenario.vertical else counts
    facts = (record or {}).get("training") or {}
    settings = ended_after(settings_for(scenario, by_owner, len(rows.names), facts.get("solver")), facts.get("steps"))

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        model = pooled([_own(rows, one) for one in chosen.values()], settings)
        own = model.weights[:-1] / model.deviation
        return np.append(own, model.weights[-1] - own @ model.mean)

    return _model(scenario, record, rows, fit)


def _model(scenario: Scenario, record: Mapping[str, Any] | None, rows: Together, fit: Fit) -> Population:
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


def _own(rows: Together, chosen: Array) -> OwnRows:
    x, y, beside = rows.of(chosen)
    return OwnRows(rows.names, x, y, x[:0], y[:0], offset_weights_train=beside)


AUDIT = Audit(_population, private_trials, alone=_alone)
