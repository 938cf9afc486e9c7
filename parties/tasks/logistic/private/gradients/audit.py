"""What `mpc audit` is given of noisy gradients: the training in the clear with its noise, and its openings drawn."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Final

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Random, Trial
from parties.tasks.audited.models import Fit, PooledRows
from parties.tasks.audited.noise import Whole, noisy_sum_trial, opened_by_runs
from parties.tasks.logistic.private.gradients.run import noisy_settings
from protocols.privacy.accounting import VectorMechanism, epsilon_of
from protocols.training.private.clipped_gradients import WholeRows, own_sum, whole_weights
from protocols.training.private.noisy_descent import GRADIENTS, Descent, NoisySettings, noisy_training_job

_BEYOND: Final = 10.0  # widths of its range, by which a worst row's value is outside
_FAR: Final = 64.0  # of a score: the sigmoid is 1 there, and the gradient as long as it gets


def gradients_fit(scenario: Scenario, rows: PooledRows) -> Fit:
    """The training in the clear, with noise of the run's variance that is drawn here."""
    how = noisy_settings(scenario)
    whole = WholeRows(how.ranges.whole_rows(rows.x), rows.y.astype(np.int64))
    deviation = np.sqrt(how.noise.opened_variance)

    def fit(chosen: Mapping[str, Array], rng: Random) -> Array:
        mask = np.zeros(len(rows.y), dtype=bool)
        mask[np.concatenate(list(chosen.values()))] = True
        train, now = whole.of(mask), Descent.start(len(how.features))
        for _ in range(how.steps):
            drawn = train if how.rate >= 1.0 else train.of(rng.random(len(train.y)) < how.rate)
            exact = own_sum(drawn, whole_weights(now.at.look_ahead(how)), how.clipping)
            now = now.stepped(exact + np.rint(rng.normal(0.0, deviation, how.size)).astype(np.int64), how)
        return np.append(*how.ranges.in_own_units(now.at.model(how)))

    return fit


def gradients_trials(scenario: Scenario) -> tuple[Trial, ...]:
    """The trial of all steps' sums together, with rows whose gradients have the largest length.

    A row is in every step: the noise is measured, and not what the secrecy of the sample adds to it.
    """
    assert scenario.privacy is not None
    how = noisy_settings(scenario)
    mechanism = VectorMechanism(how.variance, how.clipping.squared, how.steps)
    epsilon = scenario.privacy.epsilon if how.rate >= 1.0 else epsilon_of([mechanism], how.delta)
    whose = "" if how.rate >= 1.0 else ", to somebody who knows which rows are in each"
    empty = WholeRows(np.zeros((0, how.size - 1), dtype=np.int64), np.zeros(0, dtype=np.int64))

    async def job(p: Party, stream: Stream | None) -> None:
        await noisy_training_job(p, None if p.dry else empty, stream, how)

    nothing = np.zeros(how.size, dtype=np.int64)
    opened = opened_by_runs(how.owners, how.helper, job, GRADIENTS, nothing, how.noise)
    what = f"the noisy gradients of {how.steps} steps{whose}"
    claim = epsilon, how.delta
    sparse, dense = (worst_sums(how, used) for used in (fewest_used(how), len(how.features)))
    without = np.zeros_like(sparse[0])
    return (noisy_sum_trial(what, claim, how.noise, [mechanism], without, sparse, opened, dense),)


def fewest_used(how: NoisySettings) -> int:
    """The least number of features with which a gradient reaches the norm; the intercept's 1 counts, too."""
    return min(len(how.features), max(0, ceil(how.clipping.norm**2) - 1))


def worst_sums(how: NoisySettings, used: int) -> Whole:
    """What a row adds to all steps' sums, its gradient being longest in every step, and in every other (2, numbers).

    Args:
        used: the number of features in which the row is far beyond the range; the others are in the middle of theirs.
    """
    features = len(how.features)
    rows = how.ranges.whole_rows(_values(how, used))
    direction = np.append(np.sign(rows[0, :used]), np.zeros(features - used + 1))
    direction[-1] = 1.0
    towards = direction * (_FAR / (used + 1))
    of_0 = WholeRows(rows, np.array([0]))
    long, none = (own_sum(of_0, whole_weights(sign * towards), how.clipping) for sign in (1.0, -1.0))
    every = [long] * how.steps
    other = [long if t % 2 else none for t in range(how.steps)]
    return np.array([np.concatenate(every), np.concatenate(other)])


def _values(how: NoisySettings, used: int) -> Array:
    """A row (1, d): `used` values are far beyond their ranges, the others in the middle of theirs."""
    values = how.ranges.centres + np.where(np.arange(len(how.features)) < used, 2 * _BEYOND * how.ranges.halves, 0.0)
    return values[np.newaxis]
