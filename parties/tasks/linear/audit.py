"""What `mpc audit` is given of a linear regression: the rows, and the least-squares fit to some of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mpc.ring.array import Array
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Alone, Audit, Population, Random
from parties.tasks.audited.models import model_population, own_rows_alone, pooled_rows
from parties.tasks.linear.private.audit import linear_trials, noisy_fit
from protocols.plain.linear import fit_plain


def _population(scenario: Scenario, record: Mapping[str, Any] | None) -> Population:
    rows = pooled_rows(scenario, record)

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        x, y, beside = rows.of(np.concatenate(list(chosen.values())))
        return np.array(fit_plain(x, y, rows.names, beside).coefficients)

    chosen_fit = fit if scenario.privacy is None else noisy_fit(scenario, rows)
    return model_population(scenario, rows, record, chosen_fit, lambda z: _nearness(z, rows.y), _gaussian)


def _alone(scenario: Scenario, record: Mapping[str, Any], owner: str) -> Alone | None:
    return own_rows_alone(scenario, record, owner, _nearness)


def _nearness(z: Array, y: Array) -> Array:
    found: Array = -np.abs(y - z)
    return found


def _gaussian(z: Array, y: Array) -> Callable[[Array, Array], Array]:
    """Minus the log-likelihood, up to a constant, of errors with the variance that these have."""
    variance = max(float(np.mean((y - z) ** 2)), np.finfo(float).tiny)
    return lambda z, y: (y - z) ** 2 / (2 * variance)


AUDIT = Audit(_population, linear_trials, alone=_alone)
