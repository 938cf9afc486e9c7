"""Noise in parts, below secure aggregation: its law, the bound of what is rounded, and the estimate's error."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import UsageError
from mpc.randomness.streams import Stream
from protocols.privacy.concentrated import epsilon_at, rho_at
from protocols.privacy.discrete_gaussian import law
from protocols.privacy.distributed import (
    BIAS,
    LEAST,
    Distributed,
    calibrated_vector,
    decoded,
    divergence,
    encoded,
    padded,
    rotated,
    rotated_back,
    rounded_within,
    squared_bound,
)
from tests.protocols.privacy.laws import delta_of, misfit, sum_law

SIGNS = b"s" * 32
FALSE_ALARM = 1e-4


def stream(number: int) -> Stream:
    return Stream(number.to_bytes(32, "little"))


def summed(vectors: np.ndarray, how: Distributed, first: int = 0) -> np.ndarray:
    """The sum modulo 2^b of what clients release."""
    total = sum(encoded(one, how, SIGNS, stream(first + i)) for i, one in enumerate(vectors))
    return np.asarray(total).astype(np.uint64) & np.uint64((1 << how.bits) - 1)


def unit_vectors(count: int, size: int, seed: int = 1) -> np.ndarray:
    found = np.random.default_rng(seed).normal(size=(count, size))
    return found / np.linalg.norm(found, axis=1)[:, None]


def test_noise_of_a_sum_is_of_the_law() -> None:
    how = Distributed(8192, 1.0, 512, 20, clients=3, fewest=3, bits=32)
    total = sum(encoded(np.zeros(8192), how, SIGNS, stream(i)) for i in range(3))
    assert misfit(np.asarray(total), sum_law(20, 20, 20)) > FALSE_ALARM
    assert misfit(np.asarray(total), sum_law(20, 20)) < FALSE_ALARM


@pytest.mark.parametrize(("clients", "fewest"), [(3, 1), (9, 4), (20, 20)])
def test_the_fewest_honest_clients_noise_carries_the_claim(clients: int, fewest: int) -> None:
    """Exactly, from the law of what is left when all others took off their own; of one number, so that it can be."""
    epsilon, delta = 3.0, 1e-4
    how = calibrated_vector(1, 1.0, rho_at(epsilon, delta), clients=clients, fewest=fewest)
    shift = int(sqrt(how.squared_norm))
    assert delta_of(sum_law(*[how.variance] * fewest), shift, epsilon) <= delta
    assert delta_of(sum_law(how.variance * fewest / 2), shift, epsilon) > delta
    assert epsilon_at(how.rho, delta, how.slack) <= epsilon < epsilon_at(how.rho * 1.01, delta)


@given(
    size=st.integers(1, 70),
    units=st.sampled_from([1, 2, 16, 512]),
    key=st.integers(0, 2**32),
    kind=st.sampled_from(["one", "all", "random", "half"]),
)
def test_a_rounded_vector_is_within_the_bound(size: int, units: int, key: int, kind: str) -> None:
    vector = {
        "one": np.eye(size)[0],
        "all": np.full(size, 1 / sqrt(size)),
        "half": np.full(size, min(1 / sqrt(size), 0.5 / units)),
        "random": unit_vectors(1, size, key)[0],
    }[kind]
    d = padded(size)
    found = rounded_within(rotated(vector, SIGNS, d) * units, squared_bound(units, d), stream(key))
    assert int(np.dot(found, found)) <= squared_bound(units, d) <= (units + sqrt(d)) ** 2


def test_a_rounding_that_is_too_long_is_drawn_again() -> None:
    """Of 16 halves the squares add up to 8 on average: the bound leaves out about half of all roundings."""
    for key in range(50):
        found = rounded_within(np.full(16, 0.5), 8, stream(key))
        assert found.sum() <= 8


def test_a_first_rounding_is_seldom_too_long() -> None:
    x = np.full(1024, sqrt(512**2 / 1024) - 0.5)
    low = np.floor(x)
    up = np.random.default_rng(1).random((4000, 1024)) < x - low
    squares = ((low + up) ** 2).sum(axis=1)
    assert (squares <= squared_bound(512, 1024)).all()
    mean, deviation = squares.mean(), squares.std()
    assert mean + sqrt(2 * log(1 / BIAS)) * deviation <= squared_bound(512, 1024)


def test_rounding_has_the_vector_as_its_mean() -> None:
    x = np.linspace(-3.0, 3.0, 64) + 0.137
    bound = squared_bound(40, 64)
    coins = stream(7)
    found = np.mean([rounded_within(x, bound, coins) for _ in range(4000)], axis=0)
    part = x - np.floor(x)
    off = (found - x) / np.sqrt(part * (1 - part) / 4000)
    assert np.abs(off).max() < 5


@pytest.mark.parametrize("size", [1, 5, 64, 100])
def test_a_rotation_keeps_lengths_and_has_an_inverse(size: int) -> None:
    vector = unit_vectors(1, size, 3)[0]
    d = padded(size)
    wide = rotated(vector, SIGNS, d)
    assert np.linalg.norm(wide) == pytest.approx(1.0, abs=1e-12)
    assert np.allclose(rotated_back(wide, SIGNS)[:size], vector, atol=1e-12)
    assert np.abs(rotated(np.eye(1, size)[0], SIGNS, d)) == pytest.approx(np.full(d, 1 / sqrt(d)))


def test_signs_are_of_the_rounds_seed() -> None:
    vector = unit_vectors(1, 64)[0]
    assert not np.allclose(rotated(vector, SIGNS, 64), rotated(vector, b"t" * 32, 64))


@pytest.mark.parametrize(("size", "clients", "rho"), [(100, 20, 0.5), (1, 30, 0.01), (1000, 5, 20.0)])
def test_the_estimates_error_is_as_planned(size: int, clients: int, rho: float) -> None:
    """n (v + the mean of p (1 - p)) / s^2 a number, p the parts that are rounded: 1/4 at the most, 1/6 on average."""
    how = calibrated_vector(size, 2.0, rho, clients=clients, fewest=clients // 2)
    vectors = 2.0 * unit_vectors(clients, size)
    runs = max(3, 800 // size)
    errors = np.array(
        [decoded(summed(vectors, how, k * clients), how, SIGNS) - vectors.sum(axis=0) for k in range(runs)]
    )
    planned = how.deviation(clients)
    assert errors.std() == pytest.approx(planned, rel=5 / sqrt(2 * errors.size) + 0.005)
    assert np.abs(errors.mean(axis=0)).max() < 5.5 * planned / sqrt(runs)


def test_the_modulus_holds_vectors_that_are_alike() -> None:
    """The longest sum: all clients have one vector. With fewer bits it wraps around, and the estimate is far off."""
    how = calibrated_vector(64, 1.0, 50.0, clients=40, fewest=40, numbers=64_000)
    vectors = np.tile(np.eye(64)[5], (40, 1))

    def largest_error(mechanism: Distributed) -> float:
        return float(np.abs(decoded(summed(vectors, mechanism), mechanism, SIGNS) - vectors.sum(axis=0)).max())

    assert largest_error(how) < 6 * how.deviation(40)
    assert largest_error(replace(how, bits=how.bits - 4)) > 20 * how.deviation(40)
    spread = calibrated_vector(1 << 16, 1.0, 50.0, clients=40, fewest=40)
    most = calibrated_vector(1, 1.0, 50.0 * how.units**2 / spread.units**2, clients=40, fewest=40)
    assert spread.units > most.units and spread.bits < most.bits + 5  # rotation saves bits


@pytest.mark.parametrize(("draws", "variance"), [(2, 0.6), (3, 0.7), (5, 0.8)])
def test_a_sum_of_draws_is_nearly_a_discrete_gaussian(draws: int, variance: float) -> None:
    """The paper's tau, against a convolution, at variances so small that it can be seen."""
    total = sum_law(*[variance] * draws)
    reach = len(total) // 2
    one = law(draws * variance, reach)
    core = slice(reach - 6, reach + 7)
    ratio = np.abs(np.log(total[core] / one[core])).max()
    assert 1e-5 < ratio <= divergence(draws, variance)


def test_of_wide_noise_the_difference_is_nothing() -> None:
    assert divergence(10_000, LEAST) < 1e-60
    assert divergence(1, 0.5) == 0.0
    wide = calibrated_vector(1000, 1.0, 100.0, clients=1000, fewest=900)
    assert wide.variance >= LEAST and wide.rho <= 100.0


@pytest.mark.parametrize("vector", [np.full(4, 0.6), np.full(4, np.nan), np.zeros(3)], ids=["long", "nan", "short"])
def test_a_vector_that_is_none_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(ValueError, match="norm"):
        encoded(vector, Distributed(4, 1.0, 512, 20, 3, 3, 32), SIGNS, stream(1))


def test_sums_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="62"):
        calibrated_vector(4, 1.0, 1e-24, clients=10**6, fewest=2)


def test_a_power_of_two_is_its_own_length() -> None:
    assert [padded(size) for size in (1, 2, 3, 64, 65)] == [1, 2, 4, 64, 128]
