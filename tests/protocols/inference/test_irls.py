"""Newton's method under sharing, beside the same in the clear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.ring.fixed_point import encode
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Share
from protocols.inference.irls import (
    FIT_SCALE,
    ROW_SCALE,
    Design,
    fit,
    newton_for,
)
from protocols.linalg.held import hold
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE
from protocols.linalg.symmetric import pairs
from tests.fit_reference import fit_ml
from tests.helpers import on_shares, signed


def standardised(x: np.ndarray) -> np.ndarray:
    ready = np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))]
    return np.ldexp(np.rint(np.ldexp(ready, ROW_SCALE)), -ROW_SCALE)


def fitted(x: np.ndarray, y: np.ndarray, n: int = 2, steps: int = 10) -> tuple[np.ndarray, np.ndarray, Any]:
    """The weights and the covariance of standardised columns, from rows that are shared."""
    ready, m = standardised(x), len(x)
    d = ready.shape[1]
    how = newton_for(d, m, steps)
    j, k = pairs(d)
    inputs = [
        (encode(ready, ROW_SCALE), ROW_SCALE, Z64),
        (encode(ready[:, j] * ready[:, k], how.squares), how.squares, Z64),
        (y.astype(np.uint64), 0, Z64),
    ]

    async def body(p: Party, shares: list[Share]) -> tuple[Share, Share]:
        rows, squares = await together(hold(p, shares[0]), hold(p, shares[1]))
        design = Design(rows, rows, squares)
        found = await fit(p, design, shares[2], how)
        return found.w, found.covariance

    (w, covariance), outcome = on_shares(body, inputs, n)
    scale = MATRIX_SCALE + how.trace_bits - 2
    return real(w, FIT_SCALE), real(covariance, scale), outcome


def real(words: np.ndarray, scale: int) -> np.ndarray:
    return np.array([int(v) / 2**scale for v in signed(words, MATRIX_RING).ravel()]).reshape(words.shape)


def draw(m: int, d: int, seed: int, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(m, d))
    z = x @ np.asarray(weights[:-1]) + weights[-1]
    return x, (generator.random(m) < 1 / (1 + np.exp(-z))).astype(float)


def assert_fits(x: np.ndarray, y: np.ndarray, n: int = 2, close: float = 2e-4) -> None:
    """Coefficients within a part of their standard errors, and the standard errors themselves."""
    w, covariance, _ = fitted(x, y, n)
    reference = fit_ml(standardised(x)[:, :-1], y)
    assert reference.converged
    errors = np.sqrt(np.diag(reference.covariance))
    assert np.abs((w - reference.coefficients) / errors).max() < close
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), errors, rtol=close)


@pytest.mark.parametrize("n", [2, pytest.param(3, marks=pytest.mark.soak)])
def test_it_is_the_maximum_likelihood_fit(n: int) -> None:
    assert_fits(*draw(200, 3, 1, [1.0, -0.5, 0.0, 0.3]), n)


def test_features_that_nearly_repeat_each_other() -> None:
    x, y = draw(300, 3, 2, [1.0, -1.0, 0.5, -1.0])
    x[:, 1] = x[:, 0] + 0.01 * x[:, 1]
    assert_fits(x, y)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_many_fits(seed: int) -> None:
    generator = np.random.default_rng(seed)
    d = int(generator.integers(1, 8))
    x, y = draw(int(generator.integers(40, 3000)), d, seed, generator.normal(size=d + 1))
    x = x @ generator.normal(size=(d, d))
    if fit_ml(x, y).converged:
        assert_fits(x, y, int(generator.integers(2, 6)), close=1e-3)


def test_a_level_that_only_one_class_has_is_said() -> None:
    x, y = draw(150, 2, 6, [0.5, 0.0, -0.3])
    x[:, 1] = np.arange(150) % 10 == 0
    y[x[:, 1] == 1] = 1
    with pytest.raises(DataError, match="separate the two classes"):
        fitted(x, y)


def test_few_steps_are_too_few() -> None:
    x, y = draw(200, 2, 9, [4.0, -3.0, 1.0])
    with pytest.raises(DataError, match="not reached in 3 Newton steps"):
        fitted(x, y, steps=3)
