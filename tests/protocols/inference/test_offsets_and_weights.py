"""Offsets and frequency weights: the job beside statsmodels' GLM on the pooled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.results import Trained
from tests.fit_reference import fit_ml, null_log_likelihood
from tests.protocols.inference.test_rows_job import run, show

NAMES = ("age", "dose")


def drawn(m: int = 240, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels, offsets far off 0, and whole weights of which some are 0."""
    generator = np.random.default_rng(seed)
    x = np.c_[generator.normal(60, 10, m), generator.normal(size=m)]
    offset = generator.normal(-4, 1, m)
    z = 0.05 * (x[:, 0] - 60) - 0.7 * x[:, 1] + 3.5 + offset
    y = (generator.random(m) < 1 / (1 + np.exp(-z))).astype(float)
    return x, y, offset, generator.integers(0, 6, m).astype(float)


def glm(x: np.ndarray, y: np.ndarray, offset_weights: OffsetWeights) -> Any:
    """statsmodels' fit of the pooled rows."""
    import statsmodels.api as sm

    design = np.c_[x, np.ones(len(x))]
    how = {"offset": offset_weights.offset, "freq_weights": offset_weights.counts}
    return sm.GLM(y, design, family=sm.families.Binomial(), **how).fit(tol=1e-12, maxiter=200)


def null_model(y: np.ndarray, offset_weights: OffsetWeights) -> float:
    """The log-likelihood of statsmodels' fit of the intercept alone; its own `llnull` starts where it may diverge."""
    return float(glm(np.zeros((len(y), 0)), y, offset_weights).llf)


def assert_is_glm(
    found: Trained, x: np.ndarray, y: np.ndarray, offset_weights: OffsetWeights, close: float = 1e-3
) -> None:
    model, table = glm(x, y, offset_weights), found.inference
    assert table is not None
    show(table, model.params, model.bse)
    for row, b, se, p in zip(table.table, model.params, model.bse, model.pvalues, strict=True):
        assert abs(row.coefficient - b) < close * se
        assert row.se == pytest.approx(se, rel=1e-3)
        assert row.p == pytest.approx(p, abs=1e-3)
    assert table.rows == len(x)
    assert table.weight == (
        None if offset_weights.counts is None else pytest.approx(offset_weights.counts.sum(), rel=1e-9)
    )
    if table.log_likelihood is not None:
        assert table.log_likelihood == pytest.approx(model.llf, rel=1e-4)
        null = null_model(y, offset_weights)
        assert table.null_log_likelihood == pytest.approx(null, rel=1e-5)
        assert table.mcfadden_r2 == pytest.approx(1 - model.llf / null, abs=1e-4)
        assert table.likelihood_ratio == pytest.approx(2 * (model.llf - null), rel=1e-3)


CASES = {
    "offset": lambda o, c: OffsetWeights(o, None),
    "weights": lambda o, c: OffsetWeights(None, c),
    "weights that are no whole numbers": lambda o, c: OffsetWeights(None, 0.01 * c + 0.001),
    "both": lambda o, c: OffsetWeights(o, c),
}


@pytest.mark.parametrize(
    ("case", "how"),
    [
        *((case, "open-fisher") for case in CASES),
        *(pytest.param(case, "shared", marks=pytest.mark.soak) for case in CASES if case != "both"),
        ("both", "shared"),
    ],
)
def test_it_is_statsmodels_glm(case: str, how: str) -> None:
    x, y, offset, counts = drawn()
    offset_weights = CASES[case](offset, counts)
    assert_is_glm(run(x, y, 2, NAMES, offset_weights, inference=how), x, y, offset_weights)


@pytest.mark.parametrize(
    ("shift", "how"),
    [(-200.0, "open-fisher"), *(pytest.param(far, "shared", marks=pytest.mark.soak) for far in (-200.0, -20.0, 30.0))],
)
def test_offsets_far_off_0_move_the_intercept_alone(shift: float, how: str) -> None:
    """Newton's method from w = 0 would run away; the start from scores of 0 does not."""
    x, y, offset, _ = drawn(seed=4)
    near = run(x, y, 2, NAMES, OffsetWeights(offset - offset.mean()), inference=how).inference
    far = run(x, y, 2, NAMES, OffsetWeights(offset - offset.mean() + shift), inference=how).inference
    assert near is not None and far is not None
    for a, b in zip(near.table[:-1], far.table[:-1], strict=True):
        assert abs(a.coefficient - b.coefficient) < 1e-3 * a.se
    assert far.table[-1].coefficient == pytest.approx(near.table[-1].coefficient - shift, abs=1e-3)
    assert far.likelihood_ratio == pytest.approx(near.likelihood_ratio, rel=1e-3)


@pytest.mark.soak
@pytest.mark.parametrize("size", [1e-4, 300.0])
def test_very_small_and_very_large_weights(size: float) -> None:
    x, y, _, counts = drawn(seed=5)
    offset_weights = OffsetWeights(None, size * counts)
    assert_is_glm(run(x, y, 2, NAMES, offset_weights), x, y, offset_weights, close=5e-3)


@pytest.mark.parametrize(("size", "words"), [(0.0, "weights of all training rows are 0"), (1e4, "on average")])
def test_weights_that_cannot_be_used_are_said(size: float, words: str) -> None:
    x, y, _, counts = drawn(seed=6)
    with pytest.raises(DataError, match=words):
        run(x, y, 2, NAMES, OffsetWeights(None, size * counts), inference="open-fisher")


def test_the_reference_is_statsmodels_glm() -> None:
    x, y, offset, counts = drawn(seed=8)
    model, reference = glm(x, y, OffsetWeights(offset, counts)), fit_ml(x, y, offset=offset, counts=counts)
    np.testing.assert_allclose(reference.coefficients, model.params, rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(reference.covariance)), model.bse, rtol=1e-6)
    assert reference.log_likelihood == pytest.approx(model.llf, rel=1e-9)
    null = null_log_likelihood(y, offset=offset, counts=counts)
    assert null == pytest.approx(null_model(y, OffsetWeights(offset, counts)), rel=1e-9)
