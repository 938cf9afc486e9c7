"""Epsilon and delta: against closed forms, and never below what the law itself gives."""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
import pytest
from dp_accounting import get_sigma_gaussian

from protocols.privacy.accounting import (
    Mechanism,
    VectorMechanism,
    calibrated,
    epsilon_of,
    gaussian_delta,
    mean_shift,
)
from tests.protocols.privacy.laws import delta_of, sum_law

WIDE = 1 << 20  # the variance of a lattice so fine that the law is the normal law


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0, 5.0, 20.0])
@pytest.mark.parametrize("delta", [1e-5, 1e-9])
def test_mean_shift_is_balle_and_wangs(epsilon: float, delta: float) -> None:
    """Against another implementation of theirs."""
    assert 1 / mean_shift(epsilon, delta) == pytest.approx(get_sigma_gaussian(epsilon, delta), rel=1e-6)
    assert gaussian_delta(mean_shift(epsilon, delta), epsilon) == pytest.approx(delta, rel=1e-6)


@pytest.mark.parametrize(("epsilon", "times"), [(0.1, 1), (0.1, 30), (1.0, 4), (3.0, 1), (10.0, 30)])
def test_composed_releases_are_the_closed_form(epsilon: float, times: int) -> None:
    sensitivity = round(sqrt(WIDE / times) * mean_shift(epsilon, 1e-6))
    mu = sensitivity * sqrt(times / WIDE)
    found = epsilon_of([Mechanism(WIDE, sensitivity, times)], 1e-6, near=epsilon)
    exact = epsilon_at(mu, 1e-6)
    assert exact <= found <= exact * 1.004


def epsilon_at(mu: float, delta: float) -> float:
    """The closed form's epsilon, by halving."""
    low, high = 0.0, 100.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if gaussian_delta(mu, middle) > delta else (low, middle)
    return high


def test_different_releases_add_up_as_their_squares() -> None:
    parts = [Mechanism(WIDE, 300, 3), Mechanism(WIDE // 4, 100, 2), Mechanism(4 * WIDE, 1000, 1)]
    mu = sqrt(sum(one.times * one.sensitivity**2 / one.variance for one in parts))
    found = epsilon_of(parts, 1e-5, near=1.0)
    assert epsilon_at(mu, 1e-5) <= found <= epsilon_at(mu, 1e-5) * 1.004
    assert epsilon_of(parts[:2], 1e-5) < found
    assert epsilon_of([], 1e-5) == 0.0


@pytest.mark.parametrize(("variance", "sensitivity"), [(20, 3), (20, 17), (400, 30), (64, 8)])
@pytest.mark.parametrize("times", [1, 2])
def test_narrow_noise_is_never_charged_too_little(variance: int, sensitivity: int, times: int) -> None:
    """Of coarse lattices the closed form is not the law's: against sums over all that can be opened."""
    found = epsilon_of([Mechanism(variance, sensitivity, times)], 1e-5)
    most = 1e-5 * (1 + 1e-12)  # the sum here rounds
    if times == 1:
        assert delta_of(sum_law(variance), sensitivity, found) <= most
        assert delta_of(sum_law(variance), sensitivity, found * 0.99) > 1e-5
    else:
        assert two_deltas(variance, sensitivity, found) <= most
        assert two_deltas(variance, sensitivity, found * 0.98) > 1e-5


def two_deltas(variance: int, shift: int, epsilon: float) -> float:
    """The exact delta of two numbers that a patient changes both."""
    noise = sum_law(variance)
    one, other = np.concatenate([noise, np.zeros(shift)]), np.concatenate([np.zeros(shift), noise])
    p, q = np.outer(one, one), np.outer(other, other)
    return float(np.maximum(p - np.exp(epsilon) * q, 0.0).sum())


@pytest.mark.parametrize(("epsilon", "releases"), [(0.05, 7), (0.05, 90), (1.0, 1), (1.0, 90), (15.0, 1)])
def test_calibrated_noise_meets_epsilon_and_is_no_waste(epsilon: float, releases: int) -> None:
    found = calibrated(epsilon, 1e-6, releases, 3)
    spent = epsilon_of([found.mechanism(releases)], 1e-6, near=epsilon)
    assert 0.99 * epsilon < spent <= epsilon
    ratio = sqrt(found.noise.variance) / found.sensitivity
    assert ratio <= 1.005 * sqrt(releases) / mean_shift(epsilon, 1e-6)
    assert found.noise.variance % 3 == 0


def test_many_owners_have_wide_noise_each() -> None:
    found = calibrated(20.0, 1e-3, 1, 60)
    assert found.noise.own_variance >= 16
    assert epsilon_of([found.mechanism(1)], 1e-3, near=20.0) < inf


def test_a_long_ledger_is_added_up_as_vectors() -> None:
    """The losses of six hundred runs would take gigabytes."""
    one = calibrated(1.0, 1e-6, 21, 3).mechanism(21)
    assert epsilon_of([one] * 600, 1e-5, near=20.0) == epsilon_of(
        [VectorMechanism(one.variance, one.sensitivity**2, 21 * 600)], 1e-5
    )
