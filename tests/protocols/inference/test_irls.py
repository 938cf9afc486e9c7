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
from mpc.testing import check_correct, check_cost, check_faults, check_view, integers, reals
from protocols.core.beaver import multiply
from protocols.core.selection import clamp
from protocols.core.truncation import truncate
from protocols.core.wide import lift, wide_truncate
from protocols.inference.irls import (
    FIT_SCALE,
    ROW_SCALE,
    WEIGHT_SCALE,
    Design,
    Newton,
    fit,
    gram,
    newton_for,
    newton_step,
)
from protocols.linalg.held import hold
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE, inverse
from protocols.linalg.symmetric import pairs
from protocols.plain.maximum_likelihood import fit_ml
from tests.helpers import on_shares, signed

SCORES = [reals(("m",), scale=38, largest=500.0)]


def standardised(x: np.ndarray) -> np.ndarray:
    ready = np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))]
    return np.ldexp(np.rint(np.ldexp(ready, ROW_SCALE)), -ROW_SCALE)


def fitted(
    x: np.ndarray, y: np.ndarray, n: int = 2, steps: int = 10, offset: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, Any]:
    """The weights and the covariance of standardised columns, from rows that are shared."""
    ready, m = standardised(x), len(x)
    d = ready.shape[1]
    how = newton_for(d, m, steps)
    j, k = pairs(d)
    inputs = [
        (encode(ready, ROW_SCALE), ROW_SCALE, Z64),
        (encode(ready[:, j] * ready[:, k], how.squares), how.squares, Z64),
        (y.astype(np.uint64), 0, Z64),
        (encode(np.zeros(m) if offset is None else offset, ROW_SCALE + WEIGHT_SCALE), ROW_SCALE + WEIGHT_SCALE, Z64),
    ]

    async def body(p: Party, shares: list[Share]) -> tuple[Share, Share]:
        rows, squares = await together(hold(p, shares[0]), hold(p, shares[1]))
        design = Design(rows, rows, squares, None if offset is None else shares[3])
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


def assert_fits(
    x: np.ndarray, y: np.ndarray, n: int = 2, offset: np.ndarray | None = None, close: float = 2e-4
) -> None:
    """Coefficients within a part of their standard errors, and the standard errors themselves."""
    w, covariance, _ = fitted(x, y, n, offset=offset)
    reference = fit_ml(standardised(x)[:, :-1], y, offset=offset)
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


def test_offsets() -> None:
    x, y = draw(200, 2, 3, [0.7, -0.4, 0.0])
    assert_fits(x, y, offset=np.random.default_rng(4).normal(size=200))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(12))
def test_many_fits(seed: int) -> None:
    generator = np.random.default_rng(seed)
    d = int(generator.integers(1, 8))
    x, y = draw(int(generator.integers(40, 3000)), d, seed, generator.normal(size=d + 1))
    x = x @ generator.normal(size=(d, d))
    if fit_ml(x, y).converged:
        assert_fits(x, y, int(generator.integers(2, 6)), close=1e-3)


def test_separation_is_said() -> None:
    x, y = draw(60, 2, 5, [1.0, 0.0, 0.0])
    y = (x[:, 0] > 0).astype(float)
    with pytest.raises(DataError, match="no maximum-likelihood fit") as problem:
        fitted(x, y)
    assert "separate the two classes" in problem.value.message


def test_a_level_that_only_one_class_has_is_said() -> None:
    x, y = draw(150, 2, 6, [0.5, 0.0, -0.3])
    x[:, 1] = np.arange(150) % 10 == 0
    y[x[:, 1] == 1] = 1
    with pytest.raises(DataError, match="separate the two classes"):
        fitted(x, y)


@pytest.mark.soak
def test_one_class_only_is_said() -> None:
    x, _ = draw(50, 2, 7, [0.0, 0.0, 0.0])
    with pytest.raises(DataError, match="separate the two classes"):
        fitted(x, np.ones(50))


def test_collinear_features_are_said() -> None:
    x, y = draw(100, 3, 8, [1.0, 0.5, 0.0, 0.0])
    x[:, 2] = x[:, 0] - 2 * x[:, 1]
    with pytest.raises(DataError, match="sum of multiples of the others"):
        fitted(x, y)


def test_few_steps_are_too_few() -> None:
    x, y = draw(200, 2, 9, [4.0, -3.0, 1.0])
    with pytest.raises(DataError, match="not reached in 3 Newton steps"):
        fitted(x, y, steps=3)


async def cut(p: Party, x: Share) -> Share:
    return await clamp(p, x, 4)


def test_clamping() -> None:
    check_correct(cut, lambda x: np.clip(x, -16, 16), SCORES, error=2.0**-37, examples=8)
    check_cost(
        cut,
        SCORES,
        rounds=8,
        bytes=8 * (8 + 12 + 6 + 3 + 3 + 3 + 2) + (1 + 64),
        dealt=8 * (8 + 19 + 16),
        sizes={"m": 4},
    )


@pytest.mark.soak
def test_clamping_shows_nothing() -> None:
    check_view(cut, SCORES, owners=2, sizes={"m": 4})


ROWS, TERMS = 3, 2  # of one step: few rows, and the first factors of each series
ONE_STEP = [
    reals((ROWS, 2), scale=ROW_SCALE, largest=2.0),
    integers((ROWS,), 0, 1),
    reals((2,), scale=WEIGHT_SCALE, largest=3.0),
]
HOW = Newton(columns=2, steps=2, trace_bits=5, squares=26, slopes=26, errors=26)


async def stepped(p: Party, x: Share, y: Share, w: Share) -> Share:
    j, k = pairs(2)
    products = await multiply(p, x[:, j], x[:, k])
    squares = await truncate(p, products, products.scale - HOW.squares)
    rows, held = await together(hold(p, x), hold(p, squares))
    design = Design(rows, rows, held)
    gram_inverse, _ = await inverse(p, await gram(p, design, HOW), TERMS)
    step = await newton_step(p, design, y, await lift(p, w, MATRIX_RING), gram_inverse, TERMS, HOW)
    return await wide_truncate(p, step.move, step.move.scale - 30)


def stepped_reference(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    def series(r: np.ndarray) -> np.ndarray:
        return np.sum([np.linalg.matrix_power(r, k) for k in range(2**TERMS)], axis=0)

    s = 1 / (1 + np.exp(-x @ w))
    start = series(np.eye(2) - x.T @ x / 2**HOW.trace_bits)
    information = 4 * x.T @ (x * (s * (1 - s))[:, np.newaxis]) / 2**HOW.trace_bits
    return start @ series(np.eye(2) - information @ start) @ (4 * x.T @ (y - s) / 2**HOW.trace_bits)


def test_a_step_is_its_references() -> None:
    check_correct(stepped, stepped_reference, ONE_STEP, error=1e-4, examples=5, owners=(2, 3))


def test_a_steps_cost() -> None:
    check_cost(stepped, ONE_STEP, rounds=6 + 2 * TERMS + 16 + 2 * TERMS, bytes=4023, dealt=6074)


@pytest.mark.soak
def test_a_step_shows_nothing_and_survives_faults() -> None:
    check_view(stepped, ONE_STEP, owners=2, words=200)
    check_faults(stepped, ONE_STEP, owners=2, every=40)
