"""What `mpc audit` is given of objective perturbation: minima with noise drawn, and the row that is told best.

An onlooker that knows the other rows and a part k of the objective's noise knows, of a model w, what noise the rest
would have been if there were no further row (protocols/training/private/objective.py):

    b(w) = -grad L(w) - Lambda w - k,      b with nobody more, b + a x with a row x, a = s(x . w) - y, |a| <= B

The other rows are all x with the label 1, so that the model contradicts x with the label 0: a is near 1. All scores
follow from one number, x . w, which is found by halving.

Along x the draws are one number b, or b + a |x|, in which a falls as b rises: below the middle of the two a row shifts
it by more than at the middle. So it is told apart as a Gaussian is with the shift at the middle, or better, and the
bound of such a Gaussian holds here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from parties.scenario.file import Scenario
from parties.tasks.audited.audit import Trial, Worlds
from parties.tasks.audited.noise import READER, noise_left, noisy_sum_trial, promised_shift
from parties.tasks.logistic.private.output.audit import scaled
from parties.tasks.logistic.private.output.run import perturbed_settings
from protocols.plain.perturbed import rising_sigmoid
from protocols.privacy.accounting import VectorMechanism, epsilon_of
from protocols.training.private.bounds import Linear, Perturbed
from protocols.training.private.perturbed_job import PerturbedSettings

_BEYOND: Final = 20.0  # halves of its range, by which a worst row's value is outside
_NEARLY: Final = 0.99
_OTHERS: Final = (0, 1, 4, 16, 64, 256, 1024, 4096)
_HALVINGS: Final = 60


def objective_trials(scenario: Scenario) -> tuple[Trial, ...]:
    """The model with and without the worst row, and the small noise that is added to it."""
    settings = perturbed_settings(scenario)
    how = settings.how
    assert how.linear is not None
    return _of_model(settings, how, how.linear), _of_result(how)


def _of_model(settings: PerturbedSettings, how: Perturbed, linear: Linear) -> Trial:
    x = _longest(settings)
    tried = [Alike(how, linear, x, others) for others in _OTHERS if others < how.rows]
    case = max(tried, key=lambda one: one.gain)
    noise, charged = linear.noise, VectorMechanism(linear.noise.variance, linear.squared, 1)
    longest = (0.5 + how.course.how.fit.bound) * float(np.linalg.norm(x)) / linear.unit
    return Trial(
        what="the model, with noise in its objective",
        epsilon=how.epsilon,
        delta=how.delta,
        draw=case.draw,
        numbers=2 * len(x) * (noise.owners + 1),
        shift=promised_shift([charged]),
        variance=float(noise.variance),
        reach=longest / sqrt(linear.squared),
    )


def _longest(settings: PerturbedSettings) -> Array:
    """A scaled row of 99 % of the largest length or more: its numbers that are not 0, which are the fewest possible.

    In the other places a model is noise alone, and no draws are made.
    """
    ranges, reach = settings.ranges, np.full(settings.features, _BEYOND)

    def row() -> Array:
        one: Array = scaled((ranges.centres + reach * ranges.halves)[np.newaxis], settings)[0]
        return one

    enough = _NEARLY * float(np.linalg.norm(row()))
    for j in range(settings.features):
        reach[j] = 0.0
        if float(np.linalg.norm(row())) < enough:
            reach[j] = _BEYOND
    longest = row()
    found: Array = longest[longest != 0]
    return found


def _of_result(how: Perturbed) -> Trial:
    """The trial of the noise in the result, given the exact minimum: a row then changes the result little."""
    change = np.array([[int(sqrt(how.squared))]])
    claim = epsilon_of([how.told], how.delta), how.delta
    return noisy_sum_trial("the noise in the result", claim, how.noise, [how.told], 0 * change[0], change)


@dataclass(frozen=True)
class Alike:
    """The training on so many equal rows x (d,) with the label 1, and on one more of them with the label 0."""

    how: Perturbed
    linear: Linear
    x: Array
    others: int

    def draw(self, draws: int, stream: Stream) -> Mapping[str, Worlds]:
        """What each onlooker computes of the model, in units of the objective's noise."""
        without, with_row = (self._seen(more, draws, stream) for more in (0, 1))
        return {who: Worlds(without[who], (with_row[who],), self.shift) for who in without}

    @property
    def shift(self) -> Array:
        """a x without noise (1, d), in these units."""
        found: Array = self._pull(1) * self.x[np.newaxis] / self.linear.unit
        return found

    @property
    def gain(self) -> float:
        """How far the row moves the mean, in deviations of the noise, that in the result included."""
        how, fit = self.how, self.how.course.how.fit
        _, slope = rising_sigmoid(self._scores(np.zeros(1), 0), fit)
        curvature = how.course.strength + self.others * float(slope[0]) * float(self.x @ self.x)
        told = how.noise.variance * (curvature / (2.0**how.grid * self.linear.unit)) ** 2
        return self._pull(1) / sqrt(self.linear.noise.variance + told)

    def _pull(self, more: int) -> float:
        """a: the row's error, without noise."""
        s, _ = rising_sigmoid(self._scores(np.zeros(1), more), self.how.course.how.fit)
        return float(s[0])

    def _seen(self, more: int, draws: int, stream: Stream) -> dict[str, Array]:
        how, unit, finest = self.how, self.linear.unit, 2.0**self.how.grid
        noise, told = (noise_left(one, draws, len(self.x), stream) for one in (self.linear.noise, how.noise))
        c, found = noise[READER] * unit, {}
        exact = np.rint(self._minima(c, more) * finest)
        for who, left in noise.items():
            w = (exact + told[who]) / finest
            s, _ = rising_sigmoid(w @ self.x, how.course.how.fit)
            gradient = np.multiply.outer(self.others * (s - 1), self.x) + how.course.strength * w
            found[who] = -gradient / unit - (noise[READER] - left)
        return found

    def _minima(self, c: Array, more: int) -> Array:
        """w (draws, d) of objectives with the noise c (draws, d)."""
        pull = self._errors(self._scores(c @ self.x, more), more)
        found: Array = -(c + np.multiply.outer(pull, self.x)) / self.how.course.strength
        return found

    def _scores(self, along: Array, more: int) -> Array:
        """x . w (draws,), where c is so long along x: Lambda z + |x|^2 (all rows' errors) + x . c = 0, which rises."""
        strength, squared = self.how.course.strength, float(self.x @ self.x)
        high = np.full(along.shape, self.how.course.largest_score)
        low = -high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            above = strength * middle + squared * self._errors(middle, more) + along > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        found: Array = (low + high) / 2
        return found

    def _errors(self, z: Array, more: int) -> Array:
        """The sum of s - y over all rows."""
        s, _ = rising_sigmoid(z, self.how.course.how.fit)
        found: Array = self.others * (s - 1) + more * s
        return found
