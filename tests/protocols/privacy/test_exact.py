"""Never below an independent accountant: against convolutions of the losses' law in whole numbers."""

from __future__ import annotations

import pytest

from protocols.privacy.accounting import VectorMechanism, calibrated, epsilon_of
from tests.protocols.privacy.exact import Change, convolved, delta_of_shift, losses, noise_law, power

DELTAS = (1e-4, 1e-9)
NUMBERS = {
    "narrow": [Change(4, (3,))],
    "narrower than the change": [Change(1, (2,))],
    "of one unit": [Change(20, (1,), 12)],
    "wide": [Change(2500, (60,))],
    "two": [Change(30, (5,), 2)],
    "seven": [Change(90, (8,), 7)],
    "thirty": [Change(400, (10,), 30)],
    "hundred": [Change(900, (9,), 100)],
    "two noises": [Change(64, (8,), 2), Change(16, (2,), 3)],
    "two sensitivities": [Change(100, (4,), 5), Change(100, (10,), 2)],
    "three runs": [Change(50, (5,)), Change(100, (8,), 4), Change(200, (3,), 3)],
    "a large loss": [Change(9, (20,))],
}
VECTORS = {
    "along one number": [Change(50, (7, 0))],
    "two alike": [Change(50, (5, 5))],
    "three": [Change(100, (3, -4, 12))],
    "many small ones": [Change(16, (1,) * 40)],
    "narrow": [Change(1, (1, 1, 1))],
    "skew": [Change(60, (9, 1, 1, 1))],
    "again and again": [Change(400, (6, 8), 20)],
    "two sorts": [Change(100, (6, 8), 3), Change(50, (1, 2, 3), 2)],
    "beside numbers": [Change(100, (6, 8), 2), Change(100, (10,), 3)],
    "a large loss": [Change(4, (6, 8))],
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_cost_what_their_losses_law_gives(name: str) -> None:
    exact = losses(NUMBERS[name])
    for delta in DELTAS:
        found = epsilon_of([one.mechanism for one in NUMBERS[name]], delta)
        sharp = 0.99 * found - 0.001 if found < 20 else 0.9 * found
        assert exact.delta(found) <= delta < exact.delta(sharp)


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_never_cost_too_little(name: str) -> None:
    """Whatever the direction in which a patient changes them; and not much too much."""
    exact = losses(VECTORS[name])
    for delta in DELTAS:
        found = epsilon_of([one.mechanism for one in VECTORS[name]], delta)
        assert exact.delta(found) <= delta < exact.delta(0.75 * found)


@pytest.mark.parametrize(("owners", "epsilon"), [(2, 1.0), (3, 1.0), (3, 8.0), (5, 0.2)])
def test_noise_that_is_left_meets_epsilon(owners: int, epsilon: float) -> None:
    """Of what is opened, one owner takes off its own noise, all but one theirs, the helper its own."""
    found = calibrated(epsilon, 1e-6, 1, owners)
    unit = max(1, found.sensitivity // 16)  # the law itself, of fewer numbers: noise and change in coarser units
    variance = -(-found.noise.variance // unit**2 // owners) * owners
    dealt, own, shift = noise_law(variance), noise_law(variance // owners), found.sensitivity // unit
    left = {"the helper": power(own, owners)}
    for away in range(1, owners):
        left[f"{away} owners"] = convolved(dealt, power(own, owners - away))
    for who, law in left.items():
        assert delta_of_shift(law, shift, epsilon) <= 1e-6, who
    assert delta_of_shift(power(own, owners - 1), shift, epsilon) > 1e-6  # the helper together with an owner


def test_sampled_releases_never_cost_too_little() -> None:
    """Against the losses' distribution, rounded down, of the sampled discrete Gaussian itself."""
    from dp_accounting.pld.privacy_loss_distribution import from_discrete_gaussian_mechanism

    for spread, shift, rate, times in ((2, 1, 0.1, 50), (3, 4, 0.02, 200), (8, 8, 0.3, 12), (40, 20, 0.01, 1000)):
        least = from_discrete_gaussian_mechanism(
            spread, shift, pessimistic_estimate=False, value_discretization_interval=1e-4, sampling_prob=rate
        ).self_compose(times)
        found = epsilon_of([VectorMechanism(spread**2, shift**2, times, rate)], 1e-5)
        below = least.get_epsilon_for_delta(1e-5)
        assert below <= found <= 1.3 * below, (spread, shift, rate, times)
