"""What vectors cost, in whole and of secret samples: against exact arithmetic, dp-accounting, and the law itself."""

from __future__ import annotations

from fractions import Fraction
from math import comb, exp, expm1, log, log1p, sqrt

import numpy as np
import pytest

from mpc.errors import UsageError
from protocols.privacy.accounting import Mechanism, VectorMechanism, epsilon_of, gaussian_delta, least_variance
from protocols.privacy.concentrated import epsilon_at
from protocols.privacy.sampled import _ORDERS, Releases, divergences, epsilon_of_vectors
from tests.protocols.privacy.laws import Law, sum_law


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.9])
@pytest.mark.parametrize("rho", [0.001, 0.3, 4.0])
def test_divergences_are_the_binomial_sums(rho: float, rate: float) -> None:
    """In exact fractions, but for e^((k^2 - k) rho): e^(4 * 156) is still a double."""
    q = Fraction(rate)
    for a in (2, 3, 7, 13):
        total = sum(comb(a, k) * (1 - q) ** (a - k) * q**k * Fraction(exp((k * k - k) * rho)) for k in range(a + 1))
        assert divergences(rho, rate)[_ORDERS.index(a)] == pytest.approx(log(total) / (a - 1), rel=1e-10)


@pytest.mark.parametrize(("spread", "rate", "times"), [(1.0, 0.01, 1000), (2.0, 0.1, 30), (5.0, 0.5, 10)])
def test_samples_cost_what_dp_accounting_says(spread: float, rate: float, times: int) -> None:
    from dp_accounting.dp_event import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
    from dp_accounting.rdp import RdpAccountant

    other = RdpAccountant(orders=list(range(2, 200)))
    other.compose(SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(spread)), times))
    found = epsilon_of_vectors([Releases(1 / (2 * spread**2), times, rate)], 1e-6)
    assert found == pytest.approx(other.get_epsilon(1e-6), rel=0.01)
    assert found >= other.get_epsilon(1e-6) * (1 - 1e-9)


@pytest.mark.parametrize("rate", [0.02, 0.2, 0.7])
@pytest.mark.parametrize("mu", [0.3, 1.0, 3.0])
def test_one_sample_costs_at_least_the_closed_form(mu: float, rate: float) -> None:
    """delta(epsilon) = q delta_1(log(1 + (e^epsilon - 1) / q)), delta_1 of a Gaussian. Renyi is loose for one alone."""
    found = epsilon_of_vectors([Releases(mu**2 / 2, 1, rate)], 1e-6)

    def exact(epsilon: float) -> float:
        return rate * gaussian_delta(mu, log1p(expm1(epsilon) / rate))

    assert exact(found) <= 1e-6 < exact(0.3 * found)


def sampled_deltas(noise: Law, shift: int, rate: float, times: int, epsilon: float) -> tuple[float, float]:
    """The exact deltas of `times` sampled releases of one number: with a unit against without it, and the reverse."""
    without = np.concatenate([noise, np.zeros(shift)])
    one = (1 - rate) * without + rate * np.concatenate([np.zeros(shift), noise])
    p, q = one, without
    for _ in range(times - 1):
        p, q = np.outer(p, one).reshape(-1), np.outer(q, without).reshape(-1)
    return float(np.maximum(p - exp(epsilon) * q, 0).sum()), float(np.maximum(q - exp(epsilon) * p, 0).sum())


@pytest.mark.parametrize(("variance", "shift", "rate"), [(1, 1, 0.1), (9, 4, 0.3), (4, 2, 0.7), (2, 6, 0.05)])
@pytest.mark.parametrize("times", [1, 2])
def test_samples_never_cost_too_little(variance: int, shift: int, rate: float, times: int) -> None:
    """Against sums over all that can be opened, of narrow noise, in both directions."""
    found = epsilon_of([VectorMechanism(variance, shift**2, times, rate)], 1e-4)
    assert max(sampled_deltas(sum_law(variance), shift, rate, times, found)) <= 1e-4
    assert max(sampled_deltas(sum_law(variance), shift, rate, times, found / 3)) > 1e-4


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.8])
@pytest.mark.parametrize(("variance", "shift"), [(1, 1), (2, 3), (16, 5)])
def test_the_reverse_direction_is_no_larger(variance: int, shift: int, rate: float) -> None:
    """The proof's second step, of the discrete law and of every order."""
    noise = sum_law(variance)
    p = np.concatenate([noise, np.zeros(shift)])
    mixed = (1 - rate) * p + rate * np.concatenate([np.zeros(shift), noise])
    seen = p > 1e-280
    p, mixed = p[seen], mixed[seen]
    for i, a in enumerate(_ORDERS[:20]):
        ahead, back = (log(float((x * (x / y) ** (a - 1)).sum())) / (a - 1) for x, y in ((mixed, p), (p, mixed)))
        assert back <= ahead * (1 + 1e-9)
        assert ahead <= divergences(shift**2 / (2 * variance), rate)[i] * (1 + 1e-9)


def test_a_vector_costs_more_than_its_largest_number() -> None:
    """Two numbers changed by 7 each: no number alone may stand for it."""
    both = epsilon_of([VectorMechanism(100, 98, 1)], 1e-6)
    assert both == epsilon_at(0.49, 1e-6)
    assert both > epsilon_of([Mechanism(100, 7, 1)], 1e-6) * 1.3


def test_numbers_and_vectors_add_up_together() -> None:
    together = epsilon_of([Mechanism(100, 10, 2), VectorMechanism(200, 100, 4)], 1e-6)
    assert together == pytest.approx(epsilon_at(2.0, 1e-6))
    mixed = epsilon_of([Mechanism(100, 10, 2), VectorMechanism(200, 100, 4, 0.5)], 1e-6)
    assert epsilon_at(1.0, 1e-6) < mixed < together


def test_numbers_alone_cost_no_more_than_as_vectors() -> None:
    for variance, times in ((400, 1), (10_000, 30)):
        as_numbers = epsilon_of([Mechanism(variance, 16, times)], 1e-6)
        as_vectors = epsilon_of([VectorMechanism(variance, 256, times)], 1e-6)
        assert as_numbers < as_vectors < as_numbers * 1.2


def test_noise_that_is_far_too_narrow_has_a_cost_too() -> None:
    assert epsilon_of([Mechanism(16, 256, 1)], 1e-6) > 1000


@pytest.mark.parametrize("rate", [1.0, 0.05])
@pytest.mark.parametrize("epsilon", [0.05, 1.0, 15.0])
@pytest.mark.parametrize("squared", [3, 1 << 40])
def test_least_variance_meets_epsilon(epsilon: float, rate: float, squared: int) -> None:
    def cost(variance: int) -> list[VectorMechanism]:
        return [VectorMechanism(variance, squared, 50, rate), VectorMechanism(2 * variance, squared, 1)]

    found = least_variance(epsilon, 1e-6, 3, cost)
    spent = epsilon_of(cost(found), 1e-6)
    assert spent <= epsilon and found % 3 == 0 and found >= 48
    assert spent > 0.99 * epsilon or found == 48


def test_least_variance_of_numbers_is_that_of_their_losses() -> None:
    found = least_variance(1.0, 1e-6, 2, lambda variance: [Mechanism(variance, 64, 5)])
    assert 0.99 < epsilon_of([Mechanism(found, 64, 5)], 1e-6) <= 1.0
    as_vectors = least_variance(1.0, 1e-6, 2, lambda variance: [VectorMechanism(variance, 64**2, 5)])
    assert as_vectors > found * 1.05
    assert sqrt(as_vectors / found) < 1.2


def test_noise_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="too wide"):
        least_variance(0.01, 1e-6, 2, lambda variance: [VectorMechanism(variance, 1 << 70, 5)])
    with pytest.raises(UsageError, match="too wide"):
        least_variance(0.01, 1e-6, 2, lambda variance: [VectorMechanism(2000, 100, 5)])
