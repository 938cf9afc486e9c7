"""How much noise a release needs, and what releases with noise cost together: epsilon and delta.

A release is a list of whole numbers to which `noisy_sum` adds noise of N(v). It is of **sensitivity** D: a patient more
or less changes one number, by at most D. (Counts of a table: each patient is in one cell, and D is the unit that one
patient counts for.) Neighbours differ by one patient who is added or removed.

Of a release of sensitivity D the privacy loss is largest where the patient changes the number by D: N(v) is
log-concave, so the likelihood ratio of x and x + D rises with x, and rises faster for a larger D. Its distribution
(PLD; Koskela, Jaelkoe, Honkela 2020; Doroshenko et al. 2022) is that of N(v) against N(v) + D, and that of several
releases is their convolution. dp-accounting computes it so that epsilon is never too small. `mpc` calibrates by it
(`calibrated`), and each owner's ledger adds up by it (`epsilon_of`).

A release that a patient changes in several numbers is a **vector** of L2 sensitivity D: the largest loss is then no
longer along one number, and the PLD above is no bound. As soon as one of the releases is a vector, all are added up in
Renyi's divergence (sampled.py, which has the proof): a one-number release is a vector of the same D, so this is a
bound for all of them together, by 5 to 15 % above the PLD's. So are one-number releases whose PLD would take gigabytes.

A mechanism may cost more than its noise (`Excess`): noise in an objective (training/private/objective.py).

Beside it stands the closed form for a Gaussian of mean shift mu (Balle, Wang 2018, "Improving the Gaussian Mechanism
for Differential Privacy", theorem 8), with which the search for v begins:

    delta(epsilon) = Phi(mu/2 - epsilon/mu) - e^epsilon Phi(-mu/2 - epsilon/mu),   mu^2 = sum over releases of D^2 / v
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, exp, floor, inf, log2, prod, sqrt
from typing import Final

from mpc.errors import UsageError
from protocols.privacy.discrete_gaussian import MOST_VARIANCE
from protocols.privacy.noisy_sum import LEAST, Noise
from protocols.privacy.sampled import Releases, epsilon_of_vectors

FINEST: Final = 8
"""The most bits of a release's sensitivity: a patient counts for 1 to 2^8 units."""
_WIDE: Final = 1024.0  # units of a standard deviation: a rounding of half a unit is nothing beside it
_STEPS: Final = 300  # of the losses' grid, to epsilon, for each release: together they cost about 1 / 600 of epsilon
_COARSEST: Final = 1e-4
_MOST_LOSSES: Final = 200_000  # steps of the grid to sqrt(rho) of all: they take about half a gigabyte
_ROUNDING: Final = 1e-13  # of chances that a Fourier transform adds up; found to be below 3e-14
_DIGITS: Final = 10  # bits of a variance, rounded up: the same at every party, whose last bits may differ
_FAR: Final = 64  # D^2 / v, beyond which epsilon is above 60, and the distribution of the losses is not computed
_TRIES: Final = 30


@dataclass(frozen=True, order=True)
class Mechanism:
    """Releases of one sensitivity and one noise: `times` of them, each of N(variance), in one unit."""

    variance: int
    sensitivity: int
    times: int

    @property
    def squared(self) -> int:
        """D^2, as of a vector."""
        return self.sensitivity**2


@dataclass(frozen=True, order=True)
class VectorMechanism:
    """Releases of whole vectors: `times` of them, each with N(variance) on every number, independent, in one unit.

    Args:
        squared: D^2: a unit of protection (a patient, or a client) changes a vector by at most D in L2 norm.
        rate: with this chance each unit is in a release, drawn for each by itself, and secretly.
    """

    variance: int
    squared: int
    times: int
    rate: float = 1.0


@dataclass(frozen=True, order=True)
class Excess:
    """What `times` runs cost beside their vectors: their divergence of each order a is larger by

        epsilon + log(factor) / (a - 1),

    but on events whose chance is `delta` at most, with and without the unit. (Approximate divergences add up like
    others, and so do their deltas: Bun, Steinke 2016, "Concentrated Differential Privacy: Simplifications, Extensions,
    and Lower Bounds", section 8.)
    """

    epsilon: float
    factor: float
    delta: float
    times: int = 1


NoiseMechanism = Mechanism | VectorMechanism
AnyMechanism = NoiseMechanism | Excess


@dataclass(frozen=True)
class Calibration:
    """The noise of a run's releases, and the units that one patient counts for at most in each."""

    noise: Noise
    sensitivity: int

    def mechanism(self, releases: int) -> Mechanism:
        """What the run costs, as it is charged."""
        return Mechanism(self.noise.variance, self.sensitivity, releases)


@lru_cache(maxsize=8)
def calibrated(epsilon: float, delta: float, releases: int, owners: int) -> Calibration:
    """The least noise, but for a part in a thousand or so, of releases that are together (epsilon, delta)-private.

    Raises:
        UsageError: dp-accounting is not installed.
    """
    ratio = sqrt(releases) / mean_shift(epsilon, delta)  # of the standard deviation to the sensitivity
    bits = min(FINEST, max(0, ceil(log2(_WIDE / ratio))))
    sensitivity = 1 << bits
    variance = (ratio * sensitivity) ** 2
    for _ in range(_TRIES):
        found = Calibration(Noise(rounded_up(max(variance, LEAST * owners), owners), owners), sensitivity)
        spent = epsilon_of([found.mechanism(releases)], delta, near=epsilon)
        if spent <= epsilon:
            return found
        variance = found.noise.variance * (spent / epsilon) ** 2 * 1.0005
    raise AssertionError("more noise costs less")


def least_variance(epsilon: float, delta: float, owners: int, cost: Callable[[int], Sequence[AnyMechanism]]) -> int:
    """The least variance, but for a part in a thousand or so, of releases that are together (epsilon, delta)-private.

    It is a multiple of `owners`, each of whom adds its part (`noisy_sum.Noise`).

    Args:
        cost: what is released with noise of a variance; more noise costs less.

    Raises:
        UsageError: such noise is too wide to be drawn; or no release is a vector, and dp-accounting is not installed.
    """
    from scipy.optimize import brentq

    def excess(power: float) -> float:
        """log2 of what is spent, as a part of epsilon, with 2^power as the owners' variance."""
        spent = epsilon_of(cost(rounded_up(2.0**power, owners)), delta, near=epsilon)
        return log2(min(max(spent / epsilon, 1e-9), 1e9))

    high = log2(LEAST * owners)
    low, above = high, excess(high)
    while above > 0 and high < log2(MOST_VARIANCE):
        low = high
        high += max(1.0, 2.0 * above)
        above = excess(high)
    power = high if above > 0 or low == high else brentq(excess, low, high, xtol=2e-4)
    while (variance := rounded_up(2.0**power, owners)) <= MOST_VARIANCE:
        if epsilon_of(cost(variance), delta, near=epsilon) <= epsilon:
            return variance
        power += 2e-4
    raise UsageError(f"epsilon = {epsilon:g} takes noise that is too wide to be drawn", "raise epsilon")


def epsilon_of(mechanisms: Iterable[AnyMechanism], delta: float, *, near: float = 1.0) -> float:
    """The epsilon at `delta` of all these releases together: an upper bound.

    It is too large by less than near / 300, or a part in 200 where it is far above `near`; as Renyi's divergence makes
    it, if a release is a vector, or the losses are too many to be computed.

    Args:
        delta: 1e-10 or more.
        near: about what it is, or what it is compared with; losses are computed in steps that are fine beside it.

    Returns:
        Infinity where all of `delta` is used up by what releases cost beside their noise.

    Raises:
        UsageError: no release is a vector, and dp-accounting is not installed.
    """
    numbers, vectors, more = [], [], []
    for one in mechanisms:
        if isinstance(one, Mechanism):
            numbers.append(one)
        elif isinstance(one, VectorMechanism):
            vectors.append(one)
        else:
            more.append(one)
    if more:
        delta = (delta - sum(one.times * one.delta for one in more)) * prod(one.factor**-one.times for one in more)
        if delta <= 0:
            return inf
    releases = [Releases(one.squared / (2 * one.variance), one.times, one.rate) for one in vectors]
    releases += [Releases(one.squared / (2 * one.variance), one.times) for one in numbers]
    bound = sum(one.times * one.epsilon for one in more) + epsilon_of_vectors(releases, delta)
    if vectors or more or any(one.squared > _FAR * one.variance for one in numbers):
        return bound
    about = bound if bound > 2 * near else near
    step = min(_COARSEST, about / (_STEPS * max(1, sum(one.times for one in numbers))))
    if sqrt(sum(one.rho * one.times for one in releases)) > _MOST_LOSSES * step:
        return bound
    return min(bound, _epsilon_of_numbers(numbers, delta, step))  # that of the losses may be infinite, cut off too far


def _epsilon_of_numbers(mechanisms: Iterable[Mechanism], delta: float, step: float) -> float:
    times: Counter[tuple[int, int]] = Counter()
    for one in mechanisms:
        times[one.variance, one.sensitivity] += one.times
    if not times:
        return 0.0
    try:
        from dp_accounting.pld import privacy_loss_distribution as losses
    except ModuleNotFoundError:
        message = "[privacy] and budgets need the package dp-accounting, which is not installed"
        raise UsageError(message, "pip install 'beaverlodge[privacy]'") from None
    together = None
    for (variance, sensitivity), count in sorted(times.items()):
        one = losses.from_discrete_gaussian_mechanism(
            sqrt(variance), sensitivity, value_discretization_interval=step
        ).self_compose(count)
        together = one if together is None else together.compose(one)
    assert together is not None
    return float(together.get_epsilon_for_delta(delta - _ROUNDING))


def gaussian_delta(mu: float, epsilon: float) -> float:
    """The delta of a Gaussian whose mean a patient shifts by mu standard deviations. Balle, Wang 2018, theorem 8."""
    from scipy.special import log_ndtr

    return exp(log_ndtr(mu / 2 - epsilon / mu)) - exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu))


def mean_shift(epsilon: float, delta: float) -> float:
    """The largest mu that is (epsilon, delta)-private: the inverse of `gaussian_delta`."""
    from scipy.optimize import brentq

    high = 1.0
    while gaussian_delta(high, epsilon) < delta:
        high *= 2.0
    return float(brentq(lambda mu: gaussian_delta(mu, epsilon) - delta, epsilon / 100.0, high, xtol=1e-14, rtol=1e-12))


def rounded_up(variance: float, owners: int) -> int:
    """The next variance that is a whole multiple of `owners`, of `_DIGITS` bits but for that."""
    assert variance < inf
    step = 1 << max(0, floor(log2(variance)) - _DIGITS)
    return -(-ceil(variance / step) * step // owners) * owners
