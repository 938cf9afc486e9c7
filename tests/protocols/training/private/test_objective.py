"""Objective perturbation: densities differ by no more than the proof says, and a training has all that it says.

The kit's four checks are in tests/testing, of the case "noisy objective".
"""

from __future__ import annotations

from dataclasses import replace
from math import log, log1p, nextafter, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import chi2, norm

from mpc.errors import UsageError
from protocols.functions.rising_fits import RISING_FITS
from protocols.plain.perturbed import minimum
from protocols.privacy.accounting import Excess, VectorMechanism, epsilon_of
from protocols.privacy.discrete_gaussian import law
from protocols.training.private.bounds import Perturbed
from protocols.training.private.objective import _pull, _rho, automatic_penalty, perturbed_objective
from tests.examples import steady
from tests.helpers import owner_names, signed
from tests.protocols.training.private.runs import DEALT, DELTA, dealt, example, own_noise, real, train

__all__ = ["dealt"]


def settings(rows: int, columns: int, epsilon: float, owners: int, norm: float = 2.0) -> Perturbed:
    strength = automatic_penalty(epsilon, DELTA, rows, columns, norm)
    return perturbed_objective(rows, columns, norm, strength, epsilon, DELTA, owners)


# -- the densities of neighbours' minima


def densities(x: np.ndarray, y: np.ndarray, strength: float, sigma: float, w: np.ndarray) -> np.ndarray:
    """Of the exact minimum, at points w (n, d): that of the noise that leads there, times the determinant."""
    z = w @ x.T
    s = expit(z)
    b = -(s - y) @ x - strength * w
    hessian = np.einsum("ni,ij,ik->njk", s * (1 - s), x, x) + strength * np.eye(w.shape[1])
    chance: np.ndarray = norm.pdf(b / sigma).prod(axis=1) / sigma ** w.shape[1] * np.linalg.det(hessian)
    return chance


def cost(length: float, strength: float, sigma: float, *, curved: bool = True) -> list[Any]:
    """What the proof charges for a row of this length, of the sigmoid itself."""
    unit = sigma / 2.0**20
    jacobian = log1p(0.25 * length**2 / strength) if curved else 0.0
    return [VectorMechanism(1 << 40, int((length / unit) ** 2) + 1, 1), Excess(jacobian, 2.0, 0.0)]


def beyond(p: np.ndarray, q: np.ndarray, epsilon: float, cell: float) -> float:
    """The hockey-stick divergence: the chance by which p exceeds e^epsilon q."""
    return float(np.maximum(p - np.exp(epsilon) * q, 0).sum() * cell)


@steady(30)
@given(
    st.sampled_from([1, 2]),
    st.integers(0, 4),
    st.floats(0.02, 5.0),
    st.sampled_from([0.05, 0.3, 1.0, 2.5]),
    st.sampled_from([1e-4, 1e-2, 0.1]),
    st.integers(0, 999),
)
def test_a_row_changes_the_density_by_no_more(
    columns: int, others: int, strength: float, mu: float, delta: float, seed: int
) -> None:
    """By integration over all minima, with one row more and with one less."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(others + 1, columns))
    x *= 2.0 / np.linalg.norm(x, axis=1, keepdims=True)
    x[-1] = 2.0 * np.eye(columns)[0]
    y, sigma = rng.integers(0, 2, others + 1).astype(float), 2.0 / mu
    far = (9 * sigma + 2.0 * (others + 1)) / strength
    # Points are close together where the sigmoid is steep, and far apart beyond.
    steps = np.linspace(-1, 1, 20_001 if columns == 1 else 501)
    bend = np.arcsinh(far)
    points, width = np.sinh(steps * bend), np.cosh(steps * bend) * bend * (steps[1] - steps[0])
    grid = np.stack(np.meshgrid(*[points] * columns), axis=-1).reshape(-1, columns)
    cells = np.multiply.reduce(np.meshgrid(*[width] * columns)).ravel()
    p, q = (densities(x[:m], y[:m], strength, sigma, grid) * cells for m in (others, others + 1))
    assume(p.sum() == pytest.approx(1, abs=0.02) and q.sum() == pytest.approx(1, abs=0.02))  # the grid is fine enough
    epsilon = epsilon_of(cost(2.0, strength, sigma), delta)
    assert beyond(p, q, epsilon, 1.0) <= delta and beyond(q, p, epsilon, 1.0) <= delta


def test_the_curvature_has_to_be_paid_for() -> None:
    """With much noise and little of a penalty it is all that a row changes."""
    w = np.linspace(-3000, 3000, 600_001)[:, None]
    x, y = np.array([[1.0]]), np.array([1.0])
    p, q = densities(x[:0], y[:0], 0.05, 20.0, w), densities(x, y, 0.05, 20.0, w)
    without = epsilon_of(cost(1.0, 0.05, 20.0, curved=False), 1e-3)
    assert beyond(q, p, without, 0.01) > 1e-3
    assert beyond(q, p, epsilon_of(cost(1.0, 0.05, 20.0), 1e-3), 0.01) < 1e-3


@pytest.mark.parametrize("variance", [2.0, 40.0, 1000.0])
def test_rounded_normal_noise_is_close_to_the_discrete(variance: float) -> None:
    """Within the factors of the proof, to the tails of 8 deviations."""
    reach = int(8 * sqrt(variance))
    j = np.abs(np.arange(-reach, reach + 1))
    rounded = norm.sf((j - 0.5) / sqrt(variance)) - norm.sf((j + 0.5) / sqrt(variance))
    ratio = np.log(rounded / law(variance, 2 * reach)[reach : 3 * reach + 1])
    assert (ratio >= -1 / (24 * variance) - 1e-6).all()
    assert (ratio <= j**2 / (8 * variance**2) + 1e-6).all()
    assert ratio.max() > 0.02 / variance


# -- the settings of a training


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
def test_a_run_has_the_noise_that_epsilon_takes(epsilon: float) -> None:
    how = settings(300, 6, epsilon, 3)
    course, c = how.course, how.linear
    assert c is not None and 0.99 * epsilon < epsilon_of(how.mechanisms, DELTA) <= epsilon
    fit, bits = course.how.fit, course.how.bits
    assert c.excess.epsilon > log1p(max(one.slope for one in RISING_FITS) * how.norm**2 / course.strength)
    assert c.excess.epsilon < 0.1 * epsilon and c.excess.factor >= 2 and c.excess.delta < 0.01 * DELTA
    assert c.unit * sqrt(c.squared) >= (0.5 + fit.bound) * how.norm
    assert c.unit == pytest.approx(2.0 ** (c.shift - bits.w) * how.rows / ((1 + course.how.momentum) * course.how.rate))
    rounded = c.unit * sqrt(how.columns) / (2 * course.strength)
    assert course.distance > rounded
    assert how.squared >= (2 * (course.distance + rounded) * 2.0**how.grid + 2 * sqrt(how.columns)) ** 2
    assert how.told.squared / how.told.variance < 0.05 * c.squared / c.noise.variance
    assert how.deviation < 0.05 * c.deviation / course.strength


def test_the_noise_is_no_longer_than_the_steps_allow() -> None:
    """But for the chance that is taken off delta."""
    how = settings(300, 6, 1.0, 2)
    c = how.linear
    assert c is not None
    longest = _pull(6, how.norm, _rho(1.0, DELTA, c.excess), c.excess) - 1.01 * how.norm
    assert chi2.sf((longest / c.deviation) ** 2, 6) < c.excess.delta / 2
    assert chi2.sf((0.6 * longest / c.deviation) ** 2, 6) > c.excess.delta / 2


def test_scores_are_bounded_with_the_noise_in_the_way() -> None:
    how = settings(300, 6, 1.0, 2)
    course, c = how.course, how.linear
    assert c is not None
    fit, b, beta = course.how.fit, course.how.momentum, how.rows / course.how.rate
    pull, losses = _pull(6, how.norm, _rho(1.0, DELTA, c.excess), c.excess), how.rows * (log(2) + fit.error * fit.reach)
    furthest = (pull + sqrt(pull**2 + 4 * course.strength * losses)) / (2 * course.strength)
    from_start = sqrt(2 * (losses + pull * furthest) / beta) * (1 + b) / (1 - b)
    assert how.norm * (furthest + from_start) < course.largest_score < fit.reach


def test_plans_agree_between_machines_whose_logarithms_differ() -> None:
    how = settings(300, 6, 1.0, 2)
    assert how.linear is not None
    course = replace(how.course, distance=nextafter(how.course.distance, 1))
    excess = replace(how.linear.excess, epsilon=nextafter(how.linear.excess.epsilon, 1))
    other = replace(how, course=course, linear=replace(how.linear, excess=excess))
    assert other != how and repr(other) == repr(how)


def test_a_run_costs_more_beside_others_but_less_than_alone() -> None:
    how = settings(300, 6, 1.0, 2)
    many = epsilon_of(how.mechanisms * 6, 1e-5)
    assert 2.2 < many < 3.5
    vectors = [one for one in how.mechanisms if isinstance(one, VectorMechanism)]
    (excess,) = (one for one in how.mechanisms if isinstance(one, Excess))
    halved = (1e-5 - 6 * excess.delta) / 2**6
    assert many == epsilon_of([*vectors * 6, replace(excess, times=6)], 1e-5)
    assert many == pytest.approx(6 * excess.epsilon + epsilon_of(vectors * 6, halved), rel=1e-6)
    assert epsilon_of([*vectors, replace(excess, times=2000)], 1e-5) == float("inf")  # whose factor no double holds


def test_a_penalty_that_epsilon_cannot_pay_is_refused() -> None:
    with pytest.raises(UsageError, match=r"needs more of a penalty for epsilon = 0\.1"):
        perturbed_objective(50, 3, 2.0, 1.0, 0.1, DELTA, 2)
    with pytest.raises(UsageError, match="needs more of a penalty than l2"):
        perturbed_objective(100_000, 3, 2.0, 20.0, 3.0, DELTA, 2)


# -- the training


@steady(8)
@given(
    st.integers(2, 4),
    st.integers(1, 20),
    st.integers(2, 6),
    st.sampled_from([0.1, 1.0, 5.0, 20.0]),
    st.floats(1.0, 4.0),
    st.integers(0, 1000),
)
def test_what_is_told_is_near_the_minimum_of_the_noisy(
    owners: int, each: int, columns: int, epsilon: float, norm: float, seed: int
) -> None:
    """What is opened, less its own noise, is as near to the minimum with all parties' noise as the plan says."""
    how = settings(owners * each, columns, epsilon, owners, norm)
    linear = how.linear
    assert linear is not None
    x, y = example(owners * each, columns, how, seed)
    outcome = train(x, y, how, owners, seed)
    of_owners = np.array([[signed(one) for one in own_noise(how, name, seed)] for name in owner_names(owners)])
    told, c = of_owners.sum(axis=0) + np.array([DEALT.pop(), DEALT.pop()])
    found = (signed(outcome.results["owner0"].value) - told).astype(float) / 2.0**how.grid
    term = c.astype(float) * linear.unit
    best = minimum(real(x, how), y.astype(float), how.course.strength, how.course.how.fit, term)
    assert np.linalg.norm(found - best) <= how.course.distance + sqrt(columns) / 2.0**how.grid
    assert np.abs(c).max() > 2.0**20
    assert set(outcome.rounds.values()) == {3 * how.course.steps + 3}
    assert [item.what for item in outcome.reveals] == ["noisy model"]
