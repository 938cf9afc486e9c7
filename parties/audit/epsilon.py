"""An empirical lower bound of epsilon: a mechanism is drawn many times with and without one row, and told apart.

Worst-case neighbours (Jagielski, Ullman, Oprea 2020, "Auditing Differentially Private Machine Learning", NeurIPS): rows
that change every release as far as any row can, each in another direction. Onlookers take off the noise that they know.
The test is the best linear one for noise of the covariance S that a first part of the draws shows,

    t = r . S^-1 (q' - q),      "with the row" if t is above the middle of its two means

with q, q' what is summed up without and with the row. A noise that two releases share makes S singular, and t exact.
Of the other draws, exact intervals (Clopper, Pearson 1934) give FP+ and FN+, which the two rates of errors exceed with
a chance of 5 % at most, over all onlookers together. Then epsilon is at least

    log((1 - FN+ - delta) / FP+),  log((1 - FP+ - delta) / FN+)                of any mechanism
    the epsilon at delta of a Gaussian with mean shift mu = Phi^-1(1 - FP+) - Phi^-1(FN+)

the latter of Gaussian noise, whose errors all lie on one curve (Nasr et al. 2023, "Tight Auditing of Differentially
Private Machine Learning", USENIX Security; Dong, Roth, Su 2022). It is nearly tight, and the former is far from it at
a small delta. A claim is contradicted where either exceeds it, or mu the shift that the noise promises.

The draws are of the functions that a run calls. The noise that is left in them is measured, too: its variance, which is
chi-square, the largest correlation of two numbers, and whether two draws have the same. This tells at any epsilon
whether a part of it is missing, or is used twice. Where it is quick, the same is done with what the protocol itself
opens. How far the worst rows change the sums is compared with what is promised, too, without noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from mpc.ring.array import Array
from parties.audit.attack import Attack, Audited, Figure, Finding
from parties.audit.rates import clopper_pearson
from parties.tasks.audited.audit import Trial, Worlds
from parties.tasks.registry import request_of
from protocols.privacy.accounting import gaussian_delta

WRONG: Final = 0.05
"""With what chance, at the most, any bound of a trial does not hold."""
DRAWS: Final = 10_000
_TRAINING: Final = 0.25  # of so many draws besides: to learn the noise's covariance
_MOST_SAMPLES: Final = 4_000_000  # of noise, in a trial: some 20 seconds
_FEWEST: Final = 200
_RIDGE: Final = 1e-9
_OPENINGS: Final = 200
_SEEN: Final = 2000  # draws in which noise is measured
_SURE: Final = 1e-4  # the chance with which noise as promised is taken for less
_LIKE: Final = 0.6  # of the correlation of two numbers: eight deviations of what it is by chance
_COMPARED: Final = 500  # numbers, with each other
_ROUNDING: Final = 1e-9
_TINY: Final = 1e-300


@dataclass(frozen=True)
class Bound:
    """What telling the two worlds apart showed.

    Args:
        epsilon: at least, with 95 % confidence.
        shift: of a Gaussian's mean, in deviations, likewise.
        right: the part of the guesses that were right, and its interval.
        draws: of each world that were guessed about.
    """

    epsilon: float
    shift: float
    right: float
    interval: tuple[float, float]
    draws: int


def draws_for(trial: Trial, draws: int | None) -> int:
    """How many are guessed about: where none are asked for, fewer of one that takes much noise."""
    if draws is not None:
        return draws
    most = int(_MOST_SAMPLES / (2 * (1 + _TRAINING) * max(1, trial.numbers)))
    return max(_FEWEST, min(DRAWS, most))


def bound_of(worlds: Worlds, delta: float, wrong: float) -> Bound:
    """The bound from the draws of one onlooker; the row is chosen, and the test learnt, by the first draws alone.

    Args:
        wrong: with what chance it does not hold.
    """
    learnt = round(len(worlds.without) * _TRAINING / (1 + _TRAINING))
    without = worlds.without[:learnt]
    best, chosen, most = 0, np.zeros(worlds.shift.shape[1]), -1.0
    for k, shift in enumerate(worlds.shift):
        direction = _direction(without, worlds.with_row[k][:learnt], shift)
        if (gain := float(shift @ direction)) > most:
            best, chosen, most = k, direction, gain
    nil, one = worlds.without @ chosen, worlds.with_row[best] @ chosen
    middle = (nil[:learnt].mean() + one[:learnt].mean()) / 2
    false = int(np.count_nonzero(nil[learnt:] > middle))
    missed = int(np.count_nonzero(one[learnt:] <= middle))
    draws = len(nil) - learnt
    fp, fn = clopper_pearson(false, draws, wrong)[1], clopper_pearson(missed, draws, wrong)[1]
    right = 2 * draws - false - missed
    shift = _normal(1 - fp) - _normal(fn)
    found = max(0.0, any_epsilon(fp, fn, delta), gaussian_epsilon(shift, delta))
    return Bound(found, max(0.0, shift), right / (2 * draws), clopper_pearson(right, 2 * draws), draws)


def any_epsilon(fp: float, fn: float, delta: float) -> float:
    """The epsilon that any mechanism has at the least, if it is told apart with no more than these rates of errors."""
    pairs = [(1 - fn - delta, fp), (1 - fp - delta, fn)]
    return max(math.log(hit / error) if hit > 0 else -math.inf for hit, error in pairs)


def gaussian_epsilon(shift: float, delta: float) -> float:
    """The epsilon at delta of a Gaussian whose mean a row shifts by so many deviations."""
    if shift <= 0 or gaussian_delta(shift, 0.0) <= delta:
        return 0.0
    from scipy.optimize import brentq

    high = 1.0
    while gaussian_delta(shift, high) > delta:
        high *= 2.0
    return float(brentq(lambda epsilon: gaussian_delta(shift, epsilon) - delta, 0.0, high))


def _direction(without: Array, with_row: Array, shift: Array) -> Array:
    """S^-1 shift, with a little on the diagonal of S: constant numbers are no obstacle.

    Of more numbers than draws S is never formed: (C' C + r I)^-1 = (I - C' (C C' + r I)^-1 C) / r, which is Woodbury's.
    """
    centred = np.concatenate([without - without.mean(axis=0), with_row - with_row.mean(axis=0)])
    draws, numbers = centred.shape
    ridge = _RIDGE * max(float((centred**2).sum()) / numbers, _TINY)
    found: Array
    if numbers <= draws:
        found = np.linalg.solve(centred.T @ centred + ridge * np.eye(numbers), shift)
    else:
        found = shift - centred.T @ np.linalg.solve(centred @ centred.T + ridge * np.eye(draws), centred @ shift)
    return found


def _normal(chance: float) -> float:
    from scipy.special import ndtri

    return float(ndtri(chance))


def _applies(audited: Audited) -> str:
    if audited.trials:
        return ""
    if request_of(audited.scenario).epsilon is None:
        return "the scenario has no [privacy], and claims no epsilon"
    return "how this mechanism makes its noise is not modelled here: its claim is not tested"


def _run(audited: Audited) -> tuple[Finding, ...]:
    return tuple(_of_trial(audited, trial) for trial in audited.trials)


def _of_trial(audited: Audited, trial: Trial) -> Finding:
    draws = draws_for(trial, audited.effort.draws)
    audited.say(f"epsilon: {draws:,} draws of {trial.what}, with and without a {trial.unit}")
    seen = trial.draw(round(draws * (1 + _TRAINING)), audited.stream(f"noise of {trial.what}"))
    bounds = {who: bound_of(one, trial.delta, WRONG / len(seen)) for who, one in seen.items()}
    beyond = [who for who, bound in bounds.items() if contradicts(trial, bound)]
    left = _left(trial, seen)
    measured = _measured(audited, trial)
    further = trial.reach is not None and trial.reach > 1.0 + _ROUNDING
    beyond += [who for who, noise in left.items() if noise.lacks and who not in beyond]
    beyond += ["whoever reads them"] if further or (measured is not None and measured.lacks) else []
    best = max(bounds.values(), key=lambda bound: bound.right)
    return Finding(
        attack="epsilon",
        what=f"{trial.what}, {draws:,} draws with and without the {trial.unit} that changes most",
        against="; ".join(bounds),
        figures=(
            *(Figure(f"epsilon at least, as {who}", bound.epsilon, bound.epsilon) for who, bound in bounds.items()),
            Figure("guesses that were right", best.right, *best.interval, guess=0.5, share=True),
            *_promised_figures(trial, left, measured),
        ),
        sentence=_meaning(trial, best, beyond),
        claim=trial.epsilon,
        contradicts=bool(beyond),
    )


def _measured(audited: Audited, trial: Trial) -> Measured | None:
    """The noise of runs of the trial's protocol; None where there is none, or its runs would take long."""
    if trial.opened is None or trial.opened.numbers * _OPENINGS > _MOST_SAMPLES:
        return None
    audited.say(f"epsilon: {_OPENINGS} openings by the protocol of {trial.what}")
    return noise_found(trial.opened.noise(_OPENINGS, audited.stream(f"runs of {trial.what}")), trial.opened.variance)


def _left(trial: Trial, seen: Mapping[str, Worlds]) -> dict[str, Measured]:
    """The noise that is left to each onlooker."""
    if trial.variance is None:
        return {}
    variance, draws = trial.variance, {who: one.without[:_SEEN] for who, one in seen.items()}
    return {who: noise_found(_centred(one), variance) for who, one in draws.items()}


def _centred(draws: Array) -> Array:
    """About the mean, and as wide as before: of many numbers, what the mean takes off would look like lacking noise."""
    found: Array = (draws - draws.mean(axis=0)) * math.sqrt(len(draws) / (len(draws) - 1))
    return found


def _promised_figures(trial: Trial, left: Mapping[str, Measured], opened: Measured | None) -> Iterator[Figure]:
    """The noise, and the largest change, as parts of what is promised."""
    if left:
        who, least = min(left.items(), key=lambda pair: pair[1].part)
        yield Figure(f"noise left, as {who}, of what is promised", least.part, least.low, least.high, share=True)
    if opened is not None:
        name = f"noise that the protocol opened {_OPENINGS} times, likewise"
        yield Figure(name, opened.part, opened.low, opened.high, share=True)
    if trial.reach is not None:
        yield Figure(f"largest change by a {trial.unit}, likewise", trial.reach, share=True)


@dataclass(frozen=True)
class Measured:
    """The noise that runs of a protocol opened, as a part of what is promised: 1, with its interval.

    Args:
        lacks: whether it is surely less, or two numbers or two runs share theirs.
    """

    part: float
    low: float
    high: float
    lacks: bool


def noise_found(noise: Array, variance: float) -> Measured:
    """How much noise there is (runs, numbers), where each number should have this variance."""
    count, squares = noise.size, float((noise**2).sum()) / variance
    shared = _repeats(noise, variance) or _likeness(noise.T[:_COMPARED]) > _LIKE
    ends = [squares / _chi_square(count, chance) for chance in (0.975, 0.025, _SURE)]
    return Measured(squares / count, ends[0], ends[1], shared or ends[2] < 1.0)


def _repeats(noise: Array, variance: float) -> bool:
    """Whether two runs have the same noise, where that is no chance: two samples are equal with 1 / (2 sqrt(pi v))."""
    runs, numbers = noise.shape
    by_chance = 2 * math.log(runs) - numbers * math.log(2 * math.sqrt(math.pi * variance))
    return bool(by_chance < math.log(_SURE)) and len(np.unique(noise, axis=0)) < runs


def _likeness(numbers: Array) -> float:
    """The largest correlation of two numbers (numbers, runs), signs aside; each is 0 on average."""
    unit = numbers / np.maximum(np.sqrt((numbers**2).sum(axis=1, keepdims=True)), _TINY)
    between = np.abs(unit @ unit.T)
    np.fill_diagonal(between, 0.0)
    return float(between.max(initial=0.0))


def _chi_square(df: int, chance: float) -> float:
    from scipy.special import gammaincinv

    return 2.0 * float(gammaincinv(df / 2.0, chance))


def contradicts(trial: Trial, bound: Bound) -> bool:
    """Whether the claim, or the noise that is promised, cannot be true."""
    return bound.epsilon > trial.epsilon or (trial.shift is not None and bound.shift > trial.shift)


def _meaning(trial: Trial, best: Bound, beyond: list[str]) -> str:
    low, high = (100 * end for end in best.interval)
    guessed = (
        f"Of 100 guesses whether one {trial.unit} was in, {100 * best.right:.3g} were right ({low:.3g} to {high:.3g} "
        f"with 95 % confidence; a coin: 50). The claim allows {100 * most_right(trial):.3g} on average."
    )
    if not beyond:
        return f"{guessed} Nothing contradicts the claim; no attack can prove that it holds."
    return (
        f"{guessed} THE CLAIM CANNOT BE TRUE, as {beyond[0]} sees the results: there is less noise than is claimed, or "
        "part of it can be taken off."
    )


def most_right(trial: Trial) -> float:
    """The largest part of right guesses that a claim allows: of Gaussian noise Phi(mu / 2), else by epsilon alone."""
    odds = math.exp(trial.epsilon)
    general = (odds + trial.delta) / (1 + odds)
    if trial.shift is None:
        return general
    from scipy.special import ndtr

    return min(general, float(ndtr(trial.shift / 2)))


EPSILON: Final = Attack(
    name="epsilon",
    about=(
        "whether the noise is as large as is claimed: the mechanism is drawn with and without the patient that changes "
        "it most, and told apart (Jagielski et al. 2020, Nasr et al. 2023)"
    ),
    applies=_applies,
    run=_run,
)
