"""From rho to epsilon: against dp-accounting, and never below what a Gaussian really gives away."""

from __future__ import annotations

from math import sqrt

import pytest

from protocols.privacy.accounting import gaussian_delta
from protocols.privacy.concentrated import epsilon_at, rho_at

RHOS = [1e-5, 1e-3, 0.02, 0.5, 4.0]


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("delta", [1e-9, 1e-5])
def test_epsilon_is_dp_accountings(rho: float, delta: float) -> None:
    from dp_accounting.dp_event import GaussianDpEvent
    from dp_accounting.rdp import RdpAccountant

    fine = RdpAccountant(orders=[1 + 2 ** (k / 50) for k in range(-300, 900)])
    fine.compose(GaussianDpEvent(sqrt(1 / (2 * rho))))
    assert epsilon_at(rho, delta) == pytest.approx(fine.get_epsilon(delta), rel=1e-3)


@pytest.mark.parametrize("rho", RHOS)
def test_epsilon_is_not_below_a_gaussians_own(rho: float) -> None:
    """A Gaussian of mean shift mu has rho = mu^2 / 2, and its delta is known exactly."""
    epsilon = epsilon_at(rho, 1e-6)
    assert gaussian_delta(sqrt(2 * rho), epsilon) <= 1e-6
    assert gaussian_delta(sqrt(2 * rho), epsilon * 0.8) > 1e-6


@pytest.mark.parametrize("epsilon", [0.01, 0.3, 1.0, 20.0])
def test_rho_is_the_largest_that_epsilon_allows(epsilon: float) -> None:
    rho = rho_at(epsilon, 1e-6)
    assert epsilon_at(rho, 1e-6) <= epsilon < epsilon_at(rho * 1.000001, 1e-6)


def test_slack_costs_twice_itself_and_delta() -> None:
    assert epsilon_at(0.1, 1e-6, 0.01) == pytest.approx(epsilon_at(0.1, 1e-6 * 0.990049834) + 0.02)
    assert epsilon_at(0.0, 1e-6) == 0.0
