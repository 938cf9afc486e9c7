"""Differentially private logistic regression by noisy gradients, for owners with rows of their own.

DP-SGD (Abadi et al. 2016), with the noise of `noisy_sum` in the place of a trusted party's. At step t, with w_t public
and the same at everybody, owner i adds up the clipped gradients of its rows (clipped_gradients.py), each of which takes
part with chance q, and the owners open

    G_t = sum_i own_sum_i(w_t) + noise of N(v) from the helper + noise of N(v/n) from each owner          1 round

All else follows from what was opened (post-processing), at each owner alike: Nesterov's method (momentum.py) with the
gradient G_t / (q m). m is the most rows that there may be: m_t, the mean so far of the noisy numbers of rows, over q,
and `_SURE` times its standard deviation. Where the noise is small that is m_t; where it is large, steps are short, and
so is the noise in them.

**What is released.** T vectors of L2 sensitivity D = C sqrt(17/16), and then, of held-out rows, counts by class and
score (evaluation/noisy_metrics.py), of which a row changes one by 1. A row is held out by a coin of its own, which its
owner tosses before the run: it is in the training or in the counts, never in both. So with the row, what is released
is a mixture of two laws, each of which is near the law without it; Renyi's divergences of a mixture are at most the
larger one (exp((a - 1) D_a) is jointly convex). The counts have as much noise as makes their divergence no larger than
that of the training at each order (`metrics_variance`): so the run costs what the training costs.

**Amplification.** With q < 1 a row is in a step or not, by a coin that its owner alone knows. So the claim counts on
the sample (accounting.VectorMechanism), against everybody that it is against anyway: the helper, which knows neither
coins nor sums, and all other owners together, who know their own coins and not this owner's. It would not hold against
who sees how long this owner computes at each step, nor under a test seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from protocols.evaluation.noisy_metrics import BINS, cells
from protocols.privacy.accounting import VectorMechanism, least_variance, rounded_up
from protocols.privacy.noisy_sum import LEAST, Noise, noisy_sum_of
from protocols.privacy.sampled import unsampled_rho
from protocols.training.private.clipped_gradients import (
    FINE,
    Clipping,
    Ranges,
    WholeRows,
    coins,
    own_sum,
    whole_scores,
    whole_weights,
)
from protocols.training.private.momentum import Floats, Iterate

GRADIENTS = "noisy gradients"
COUNTS = "noisy counts of held-out rows"
COUNT_UNIT = 1 << 8
"""The units of the noise that a held-out row counts for."""
_SCORE = 2.0**-40
_SURE = 5.0


@dataclass(frozen=True)
class NoisySettings:
    """All that is public about a training by noisy gradients.

    Args:
        features: their names; `ranges` in the same order.
        steps: how many noisy sums, T.
        rate: q, the chance with which a row is in a step.
        step_size, momentum, l2: of a step.
        class_scale: how much a row of the class counts whose weight is 1 in `clipping`.
        held_out: the chance with which a row is held out; 0 where no metrics are asked for.
        fewest_rows: of all owners together, to train on; their noisy number counts as no less.
        epsilon, delta: of everything that is released together.
        variance: v of each noisy sum of gradients, in units of 2^-32.
    """

    owners: tuple[str, ...]
    helper: str
    features: tuple[str, ...]
    ranges: Ranges
    clipping: Clipping
    steps: int
    rate: float
    step_size: float
    momentum: float
    l2: float
    class_scale: float
    held_out: float
    fewest_rows: float
    epsilon: float
    delta: float
    variance: int

    @property
    def noise(self) -> Noise:
        """The noise in each sum of gradients."""
        return Noise(self.variance, len(self.owners))

    @property
    def mechanism(self) -> VectorMechanism:
        """What the run costs, the counts of held-out rows with it."""
        return VectorMechanism(self.variance, self.clipping.squared, self.steps, self.rate)

    @cached_property
    def counts_noise(self) -> Noise:
        """The noise in each count of held-out rows."""
        return Noise(metrics_variance(self.mechanism, len(self.owners)), len(self.owners))

    @property
    def size(self) -> int:
        """The numbers of a sum of gradients."""
        return len(self.features) + 2

    @property
    def deviation(self) -> float:
        """The standard deviation of the noise in each number of a sum of gradients."""
        return sqrt(self.noise.opened_variance) * 2.0**-FINE

    @property
    def rows_deviation(self) -> float:
        """The standard deviation of the noise in the number of rows that comes with each sum."""
        return sqrt(self.noise.opened_variance) / (self.clipping.counted * self.rate)

    def mean_rows(self, summed: int, steps: int) -> float:
        """The number of rows that are trained on, as far as the noise tells: from so many noisy numbers, in units."""
        return max(self.fewest_rows, summed / (steps * self.clipping.counted * self.rate))

    @property
    def counts_deviation(self) -> float:
        """The standard deviation of the noise in each count of held-out rows, in patients."""
        return sqrt(self.counts_noise.opened_variance) / COUNT_UNIT


@dataclass(frozen=True)
class NoisyTrained:
    """What every owner learns.

    Args:
        scaled: weights of the scaled features, the intercept last (d + 1,).
        weights: in the features' own units (d,); `intercept` likewise.
        rows: the noisy number of rows that were trained on.
        counts: noisy, of held-out rows by class and bin of score (2, B); None without metrics.
    """

    features: tuple[str, ...]
    scaled: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    rows: float
    counts: Floats | None = field(repr=False)


@dataclass(frozen=True)
class Descent:
    """The state of a training after some steps.

    Args:
        rows: the sum of the noisy numbers of rows, in units.
    """

    at: Iterate
    rows: int

    @staticmethod
    def start(features: int) -> Descent:
        """Before the first step."""
        return Descent(Iterate.start(features), 0)

    def stepped(self, opened: NDArray[np.int64], how: NoisySettings) -> Descent:
        """After one more noisy sum (d + 2,), in units of 2^-16."""
        taken, rows = self.at.taken + 1, self.rows + int(opened[-1])
        most = how.mean_rows(rows, taken) + _SURE * how.rows_deviation / sqrt(taken)
        gradient = opened[:-1] * (2.0**-FINE * how.class_scale / (how.rate * most))
        return Descent(self.at.stepped(gradient, how), rows)


def calibrated_gradients(epsilon: float, delta: float, owners: int, squared: int, steps: int, rate: float) -> int:
    """The least variance v with which so many noisy sums are together (epsilon, delta)-private."""
    return least_variance(epsilon, delta, owners, lambda v: [VectorMechanism(v, squared, steps, rate)])


def metrics_variance(training: VectorMechanism, owners: int) -> int:
    """The variance of the counts' noise whose divergence is at no order above that of the training."""
    rho = training.times * unsampled_rho(training.squared / (2 * training.variance), training.rate)
    return rounded_up(max(COUNT_UNIT**2 / (2 * rho), LEAST * owners), owners)


async def noisy_training_job(
    p: Party, own: WholeRows | None, stream: Stream | None, how: NoisySettings
) -> NoisyTrained | None:
    """The model, and the counts of held-out rows; None of a dry party, which has no rows.

    T rounds, and 1 for the counts; reveals the noisy sums: (epsilon, delta)-differentially private together, also
    against the helper, or against all owners but one (noisy_sum.py).

    Args:
        stream: this owner's own randomness, which nobody else has; used up.
    """
    train, test = _split(own, stream, how)
    now = Descent.start(len(how.features))
    why = (
        f"epsilon = {how.epsilon:g}, delta = {how.delta:g}, with all else: each row's part has a norm of at most "
        f"{how.clipping.norm:g}, and each number noise of standard deviation {how.deviation:.3g}"
    )
    for t in range(how.steps):
        p.stage("training", t, how.steps)

        def numbers(at: Iterate = now.at) -> Array:
            assert train is not None and stream is not None
            drawn = train if how.rate >= 1.0 else train.of(coins(stream, how.rate, len(train.y)))
            return own_sum(drawn, whole_weights(at.look_ahead(how)), how.clipping).view(np.uint64)

        total = await noisy_sum_of(p, numbers, how.size, how.noise, stream, what=GRADIENTS, why=why, label=GRADIENTS)
        now = now if p.dry else now.stepped(total, how)
    p.stage("metrics")
    counts = await _counts(p, test, stream, now, how) if how.held_out else None
    p.stage("done")
    return None if p.dry else _trained(now, counts, how)


def _split(
    own: WholeRows | None, stream: Stream | None, how: NoisySettings
) -> tuple[WholeRows | None, WholeRows | None]:
    """An owner's rows to train on, and those that are held out, each by its own coin."""
    if own is None or stream is None:
        return None, None
    held = coins(stream, how.held_out, len(own.y))
    return own.of(~held), own.of(held)


async def _counts(
    p: Party, test: WholeRows | None, stream: Stream | None, now: Descent, how: NoisySettings
) -> Floats | None:
    """Noisy counts (2, B) of held-out rows, by class and bin of the model's score; None of a dry party."""

    def numbers() -> Array:
        assert test is not None
        scores = whole_scores(test, whole_weights(now.at.model(how))) * _SCORE
        return (cells(scores, test.y).reshape(-1) * COUNT_UNIT).view(np.uint64)

    why = (
        f"epsilon = {how.epsilon:g}, delta = {how.delta:g}: a row is here or was trained on; each count has noise of "
        f"standard deviation {how.counts_deviation:.3g}"
    )
    total = await noisy_sum_of(p, numbers, 2 * BINS, how.counts_noise, stream, what=COUNTS, why=why, label=COUNTS)
    return None if p.dry else total.reshape(2, BINS) / COUNT_UNIT


def _trained(now: Descent, counts: Floats | None, how: NoisySettings) -> NoisyTrained:
    scaled = now.at.model(how)
    weights, intercept = how.ranges.in_own_units(scaled)
    rows = how.mean_rows(now.rows, how.steps)
    return NoisyTrained(how.features, tuple(scaled.tolist()), weights, intercept, rows, counts)
