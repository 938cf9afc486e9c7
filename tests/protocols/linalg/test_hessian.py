"""The Hessian's inverse under sharing, against the same series in the clear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import check_correct, check_cost, reals
from protocols.linalg.held import hold
from protocols.linalg.hessian import MOST_DOUBLINGS, held_gram, precondition, series_for, steepest
from protocols.plain.accelerated import inverse_series_reference
from tests.examples import steady

SCALE = 14
ROWS = reals(("m", "d"), scale=SCALE, largest=0.7)
WORD = 8


async def gram(p: Party, x: Share, y: Share) -> Share:
    return held_gram(p, await hold(p, x), await hold(p, y))


async def unpenalised(p: Party, x: Share) -> Share:
    m, d = x.shape
    held = await hold(p, x)
    rows, penalty = await precondition(p, held, held, series_for(d, m, 0.0), 1.0, SCALE)
    assert penalty is None
    return rows.share


def unpenalised_reference(x: np.ndarray) -> np.ndarray:
    return np.asarray(x @ inverse_series_reference(x.T @ x, series_for(x.shape[1], len(x), 0.0)))


def test_a_gram_matrix_of_held_rows_takes_no_round() -> None:
    inputs = [reals(("m", "d"), scale=SCALE, largest=100.0), reals(("m", "k"), scale=SCALE, largest=100.0)]
    check_correct(gram, lambda x, y: x.T @ y, inputs, error=1e-6)
    sizes = {"m": 4, "d": 3, "k": 2}
    check_cost(gram, inputs, rounds=2, bytes=(4 * 3 + 4 * 2) * WORD, dealt=3 * 2 * WORD, sizes=sizes)


def test_the_series_is_the_references() -> None:
    check_correct(unpenalised, unpenalised_reference, [ROWS], error=2e-2, examples=25)


@steady(100)
@given(st.integers(1, 40), st.integers(1, 300), st.sampled_from([0.0, 1e-3, 0.1, 3.0]), st.integers(0, 10**6))
def test_its_bounds_hold_for_standardised_features(d: int, m: int, l2: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(m + 1, d)) @ draw.normal(size=(d, d))
    x = np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(m + 1)]
    series = series_for(d + 1, m + 1, l2)
    hessian = x.T @ x / (4 * (m + 1)) + np.diag(np.append(np.full(d, l2), 0.0))
    assert np.linalg.eigvalsh(hessian).max() <= steepest(d + 1, l2) == series.bound
    assert series.doublings <= MOST_DOUBLINGS
    inverse = inverse_series_reference(x.T @ x, series)
    assert np.linalg.eigvalsh(inverse).max() <= 2.0**series.doublings * (1 + 1e-9)
    # P is at most the inverse, so that a step of rate 1 never goes too far: P H <= 1 (but for the factor's rounding).
    assert np.linalg.eigvals(inverse @ hessian / series.bound).real.max() <= 1 + 1e-3


@pytest.mark.parametrize("l2", [0.3, 0.01, 1e-3])
def test_enough_terms_for_the_penalty(l2: float) -> None:
    """Where the penalty bounds the Hessian from below, the series is close to the inverse, as far as terms may go."""
    series = series_for(11, 1000, l2)
    assert series.doublings == MOST_DOUBLINGS or 2.0**series.doublings >= 2 * series.bound / min(l2, 0.25)
