"""What `mpc audit` is given of a linear regression with [privacy]: the fit with its noise, and its opening drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Random, Trial
from parties.tasks.audited.models import Fit, PooledRows
from parties.tasks.audited.noise import Whole, noisy_sum_trial, opened_by_runs
from parties.tasks.linear.private.settings import with_noise
from protocols.linear.noisy_fit import fit_moments
from protocols.linear.noisy_moments import (
    LABEL,
    Levels,
    NoisyLinear,
    moments_of,
    noisy_linear_job,
    own_products,
)

_BEYOND: Final = 20.0  # halves of its range, by which a worst row's value is outside
_INNER: Final = 0.5  # at which a row is as long as it may be without being scaled down
_AT_ONCE: Final = 50  # openings for which one plan is made


def noisy_fit(scenario: Scenario, rows: PooledRows) -> Fit:
    """The fit in the clear: from exact sums of products, with noise of the run's variance that is drawn here."""
    settings = with_noise(scenario)
    places = [rows.names.index(name) for name in settings.names]
    deviation = np.sqrt(settings.noise.opened_variance)

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        x, y, beside = rows.of(np.concatenate(list(chosen.values())))
        exact = own_products(x[:, places], beside.subtract_offset(y), settings)
        opened = exact + np.rint(rng.normal(0.0, deviation, settings.size)).astype(np.int64)
        found = fit_moments(moments_of(opened, settings), settings.names, settings.scaling, settings.deviation)
        weights = np.zeros(len(rows.names) + 1)
        weights[[*places, -1]] = found.coefficients
        return weights

    return fit


def linear_trials(scenario: Scenario) -> tuple[Trial, ...]:
    """The trial of the run's one opening, with rows of the largest length; empty without [privacy]."""
    if scenario.privacy is None:
        return ()
    settings = with_noise(scenario)

    def entered(x: Array, y: Array) -> Whole:
        return np.array([own_products(x[k : k + 1], y[k : k + 1], settings) for k in range(len(y))])

    x, y = worst_rows(settings, _INNER)
    with_row, longer = entered(x, y), entered(*worst_rows(settings, _BEYOND))
    none = x[:0], y[:0]

    async def job(p: Party, stream: Stream | None) -> None:
        for _ in range(_AT_ONCE):
            await noisy_linear_job(p, None if p.dry else none, stream, settings)

    without, noise = own_products(*none, settings), settings.noise
    opened = opened_by_runs(settings.owners, settings.helper, job, LABEL, without, noise)
    claim = settings.epsilon, settings.delta
    charged = [settings.mechanism]
    return (noisy_sum_trial("the noisy sums of products", claim, noise, charged, without, with_row, opened, longer),)


def worst_rows(settings: NoisyLinear, reach: float) -> tuple[Array, Array]:
    """Rows on all sides of the ranges: features (4, d), of categories two levels, and targets (4,).

    Args:
        reach: of the features, in halves of their ranges; targets are far beyond theirs.
    """
    high = np.array([[True, True], [False, False], [True, False], [False, True]])
    columns: list[Array] = []
    for k, one in enumerate(settings.scaling.terms):
        sign = np.where(high[:, k % 2], 1.0, -1.0)
        if isinstance(one, Levels):
            columns += [np.where(high[:, k % 2] & (at == 0), 1.0, 0.0) for at in range(one.columns)]
        else:
            columns.append(one.centre + reach * one.half * sign)
    target = settings.scaling.target
    x = np.column_stack(columns) if columns else np.zeros((4, 0))
    return x, target.centre + _BEYOND * target.half * np.array([1.0, -1.0, -1.0, 1.0])
