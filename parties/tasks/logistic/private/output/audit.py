"""What `mpc audit` is given of output perturbation: the model in the clear with its noise, and what a row changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from mpc.ring.array import Array
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Random, Trial
from parties.tasks.audited.models import Fit, PooledRows
from parties.tasks.audited.noise import Whole, noisy_sum_trial
from parties.tasks.logistic.private.agreed import features_of
from parties.tasks.logistic.private.output.run import perturbed_settings
from protocols.plain.maximum_likelihood import sigmoid
from protocols.training.private.filled_columns import rows_in_one_place
from protocols.training.private.perturbed_job import PerturbedSettings

_BEYOND: Final = 20.0  # halves of its range, by which a worst row's value is outside
_OTHERS: Final = (0, 1, 4, 16, 64, 256)  # rows beside the worst one, and as many as may be
_INTO: Final = (0.0, 0.125, 0.25, 0.5, 1.0)  # how far the worst row goes along with them
_STEPS: Final = 100


def output_fit(scenario: Scenario, rows: PooledRows) -> Fit:
    """The minimum in the clear, with noise of the run's variance that is drawn here, of its objective, too."""
    settings = perturbed_settings(scenario)
    names = [name for own in features_of(scenario) for name in own]
    places = list(range(len(names))) if scenario.vertical else [rows.names.index(name) for name in names]
    x, how = scaled(rows.x[:, places], settings), settings.how
    deviation = np.sqrt(how.noise.opened_variance)

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        mine = np.concatenate(list(chosen.values()))
        linear = 0.0 if how.linear is None else rng.normal(0.0, how.linear.deviation, how.columns)
        exact = released(x[mine], rows.y[mine], settings, linear=linear)
        opened = exact + np.rint(rng.normal(0.0, deviation, how.columns))
        weights = np.zeros(len(rows.names) + 1)
        weights[[*places, -1]] = np.append(*settings.ranges.in_own_units(opened / 2.0**how.grid))
        return weights

    return fit


def output_trial(scenario: Scenario) -> Trial:
    """The noisy weights, with and without the row that moves them furthest of those that are tried.

    The proof's bound is of a row that all weights contradict, on a loss without curvature. Rows that agree with each
    other make weights along one direction, and the loss steep there; the worst row has the other label, goes along
    with them a little, and for the rest where there is no curvature but the penalty's.
    """
    settings = perturbed_settings(scenario)
    how, most = settings.how, settings.how.rows - 1
    tried = [worst_models(settings, others, into) for others in (*_OTHERS, most) if others <= most for into in _INTO]
    without, with_row = max(tried, key=lambda pair: float(np.linalg.norm(pair[1] - pair[0], axis=1).max()))
    claim = how.epsilon, how.delta
    return noisy_sum_trial("the noisy weights", claim, how.noise, [how.told], without, with_row)


def worst_models(settings: PerturbedSettings, others: int, into: float) -> tuple[Whole, Whole]:
    """The weights without the worst row (numbers,), and with it, of one label and of the other (2, numbers).

    Args:
        others: how many rows agree: far beyond the ranges in every other feature, in the middle of the rest.
        into: of the way to the ranges' ends, the worst row in these features; in the rest it is far beyond.
    """
    ranges = settings.ranges
    every_other = np.arange(settings.features) % 2 == 0
    reach = np.array([np.where(every_other, _BEYOND, 0.0), np.where(every_other, into, _BEYOND)])
    x = scaled(ranges.centres + reach * ranges.halves, settings)
    without = released(x[:1], np.ones(1), settings, np.array([others]))
    counts = np.array([others, 1])
    with_row = [released(x, np.array([1.0, label]), settings, counts) for label in (0.0, 1.0)]
    return without, np.array(with_row)


def scaled(x: Array, settings: PerturbedSettings) -> Array:
    """Rows (m, d) as the training has them, the 1 of the intercept last; where columns are split, each owner's part is
    scaled by itself."""
    how = settings.how
    return rows_in_one_place(x, settings.ranges, settings.widths, how.squared_norm, how.x_scale)


def released(
    x: Array, y: Array, settings: PerturbedSettings, counts: Array | float = 1.0, linear: Array | float = 0.0
) -> Whole:
    """The minimum of the losses with the penalty, by Newton's method, in units of the noise; a row counts so often."""
    how, strength = settings.how, settings.how.course.strength
    w = np.zeros(how.columns)
    for _ in range(_STEPS):
        p = sigmoid(x @ w)
        curvature = (x.T * (counts * p * (1 - p))) @ x + strength * np.eye(how.columns)
        step = np.linalg.solve(curvature, x.T @ (counts * (p - y)) + strength * w + linear)
        w = w - step / max(1.0, float(np.abs(x @ step).max(initial=0.0)))  # no score moves by more than 1
        if np.abs(step).max() < 2.0 ** -(how.grid + 4):
            break
    found: Whole = np.rint(w * 2.0**how.grid).astype(np.int64)
    return found
