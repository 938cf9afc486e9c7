"""The exact sampler: samples against the law, and samplers that are nearly right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mpc.randomness.streams import Stream
from protocols.privacy.discrete_gaussian import MOST_VARIANCE, law, samples
from tests.protocols.privacy.laws import misfit, reach_of, sum_law

COUNT = 20_000
FALSE_ALARM = 1e-4


def drawn(variance: int, count: int, key: int = 1) -> np.ndarray:
    return samples(Stream(bytes([key]) * 32), variance, count)


@pytest.mark.parametrize("variance", [1, 2, 7, 300, 1_000_000])
def test_samples_are_of_the_law(variance: int) -> None:
    assert misfit(drawn(variance, COUNT), sum_law(variance)) > FALSE_ALARM


@pytest.mark.soak
@pytest.mark.parametrize("variance", [1, 16, 5_000, 1_000_000])
def test_a_million_samples_are_of_the_law(variance: int) -> None:
    found = drawn(variance, 1_000_000, 2)
    assert misfit(found, sum_law(variance), 1000) > FALSE_ALARM
    assert abs(found.mean()) < 5 * (variance / len(found)) ** 0.5


def normal(variance: int, count: int) -> np.ndarray:
    return np.random.default_rng(3).normal(0.0, variance**0.5, count)


WRONG: dict[str, Callable[[int], np.ndarray]] = {
    "a normal number cut down": lambda v: np.floor(normal(v, COUNT)).astype(np.int64),
    "twice the variance": lambda v: drawn(2 * v, COUNT),
    "zero counted twice": lambda v: np.where(np.arange(COUNT) % 40 == 0, 0, drawn(v, COUNT)),
    "the sign left out": lambda v: abs(drawn(v, COUNT)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sampler_is_found(name: str) -> None:
    assert misfit(WRONG[name](20), sum_law(20)) < FALSE_ALARM


def test_a_variance_is_the_laws() -> None:
    """Canonne, Kamath, Steinke, figure 1: of parameter 1 and more it is the normal law's, nearly."""
    x = np.arange(-reach_of(4), reach_of(4) + 1)
    assert law(4, reach_of(4)) @ x**2 == pytest.approx(4, rel=1e-12)


@pytest.mark.parametrize("variance", [0, -1, MOST_VARIANCE + 1])
def test_a_variance_out_of_range_is_refused(variance: int) -> None:
    with pytest.raises(ValueError, match="whole number"):
        drawn(variance, 1)


def test_the_widest_noise_is_drawn() -> None:
    found = drawn(1 << 79, 200)
    assert 0.7 < float((found / 2.0**39.5).std()) < 1.3
    assert np.unique(found).size == 200


def test_a_stream_gives_the_same_samples_again() -> None:
    assert (drawn(50, 100) == drawn(50, 100)).all()
    assert (drawn(50, 100) != drawn(50, 100, 2)).any()
