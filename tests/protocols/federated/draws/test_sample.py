"""Cohorts are uniform, agreed, and drawn anew in every round."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from mpc.errors import UsageError
from mpc.randomness.streams import Stream
from protocols.federated.draws.numbers import below, dirichlet, permutation, uniforms
from protocols.federated.draws.sample import cohort
from tests.examples import steady

SEED = bytes(range(32))


@given(st.integers(1, 60), st.data())
@steady(80)
def test_a_cohort_has_so_many_clients_each_once(clients: int, data: st.DataObject) -> None:
    size, t = data.draw(st.integers(1, clients)), data.draw(st.integers(1, 10**6))
    chosen = cohort(SEED, t, clients, size)
    assert chosen == cohort(SEED, t, clients, size)
    assert list(chosen) == sorted(set(chosen)) and len(chosen) == size
    assert chosen[0] >= 0 and chosen[-1] < clients


def test_every_set_of_clients_is_as_likely() -> None:
    sets = Counter(cohort(SEED, t, 6, 3) for t in range(4000))
    assert chisquare([sets[one] for one in combinations(range(6), 3)]).pvalue > 0.001


def test_rounds_and_seeds_have_cohorts_of_their_own() -> None:
    drawn = {cohort(SEED, t, 1000, 10) for t in range(20)} | {cohort(bytes(32), t, 1000, 10) for t in range(20)}
    assert len(drawn) == 40


@pytest.mark.parametrize("size", [0, 7])
def test_a_cohort_larger_than_the_clients_is_refused(size: int) -> None:
    with pytest.raises(UsageError, match=f"a cohort of {size}"):
        cohort(SEED, 1, 6, size)


def test_a_cohort_of_a_million_clients_is_drawn_at_once() -> None:
    """Draws are as many as the cohort, not as the clients."""
    chosen = cohort(SEED, 1, 10**6, 1000)
    assert len(chosen) == 1000 and 4.5e5 < np.mean(chosen) < 5.5e5


def test_draws_are_uniform() -> None:
    stream = Stream(SEED)
    found = uniforms(stream, 20, 500)
    assert found.shape == (20, 500) and found.min() > 0 and found.max() < 1
    assert chisquare(np.histogram(found, bins=20, range=(0, 1))[0]).pvalue > 0.001
    assert chisquare(np.bincount([below(stream, 7) for _ in range(3000)])).pvalue > 0.001
    firsts = np.array([permutation(stream, 5) for _ in range(3000)])
    assert all(chisquare(np.bincount(place)).pvalue > 0.001 for place in firsts.T)


class Constant(Stream):
    """A stream of one byte alone."""

    def __init__(self, byte: int) -> None:
        super().__init__(bytes(32))
        self.byte = byte

    def take(self, count: int) -> np.ndarray:
        return np.full(count, self.byte, dtype=np.uint8)


def test_draws_are_never_0_or_1() -> None:
    """Their logarithms and quantiles are finite."""
    assert uniforms(Constant(0), 1)[0] == 2.0**-53 and uniforms(Constant(255), 1)[0] == 1 - 2.0**-53


@pytest.mark.parametrize("alpha", [0.05, 0.5, 3.0])
def test_shares_are_dirichlets(alpha: float) -> None:
    """With alphas adding up to a: means m = alpha / a, variances m (1 - m) / (a + 1). At tiny ones one share is all."""
    alphas = alpha * np.array([1, 2, 1, 4])
    shares = dirichlet(Stream(SEED), alphas, 8000)
    mean = alphas / alphas.sum()
    assert np.allclose(shares.sum(axis=1), 1)
    assert np.allclose(shares.mean(axis=0), mean, atol=0.02)
    assert np.allclose(shares.var(axis=0), mean * (1 - mean) / (alphas.sum() + 1), rtol=0.1)
    assert np.all(dirichlet(Stream(SEED), np.full(4, 1e-6), 10).max(axis=1) == 1)
