"""The whole job of linear regression beside statsmodels on the pooled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.runtime.lockstep import Outcome
from mpc.runtime.plan import ProgramFactory
from protocols.linear.rows_job import linear_job
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.linear.table import adjusted_r2, f_value, is_exact, r2, residual_df, residual_se, t_values
from protocols.plain.linear import fit_plain
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import OwnRows
from tests.examples import steady
from tests.helpers import demo_tables, lockstep, owner_names

HOW = ["shared", "open-gram"]


def outcome(
    x: np.ndarray,
    y: np.ndarray,
    parts: list[np.ndarray],
    held_out: list[np.ndarray] | None = None,
    offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS,
    **changes: Any,
) -> Outcome:
    """A run on these rows, of which each owner has a part."""
    none = [np.zeros(0, dtype=int)] * len(parts)
    rest = held_out or none
    names = tuple(f"x{k}" for k in range(x.shape[1]))
    how = LinearSettings(
        owner_names(len(parts)),
        "helper",
        tuple(len(part) for part in parts),
        tuple(len(part) for part in rest),
        x.shape[1],
        "y",
        weighted=offset_weights.counts is not None,
        offset=offset_weights.offset is not None,
        **changes,
    )

    def factory(own: OwnRows) -> ProgramFactory:
        return lambda p: linear_job(p, None if p.dry else own, how)

    missing = np.arange(x.shape[1] + 1, dtype=np.uint64)
    own = [
        OwnRows(names, x[a], y[a], x[b], y[b], missing, offset_weights.of(a), offset_weights.of(b))
        for a, b in zip(parts, rest, strict=True)
    ]
    return lockstep({name: factory(one) for name, one in zip(how.owners, own, strict=True)})


def run(x: np.ndarray, y: np.ndarray, n: int = 2, **changes: Any) -> LinearFit:
    """What all owners learn from these rows, cut into n parts."""
    first, *others = outcome(x, y, np.array_split(np.arange(len(x)), n), **changes).results.values()
    assert all(other == first for other in others)
    assert isinstance(first, LinearFit)
    return first


def assert_is_statsmodels(
    fit: LinearFit, x: np.ndarray, y: np.ndarray, close: float = 1e-6, offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS
) -> None:
    import statsmodels.api as sm

    counts = 1.0 if offset_weights.counts is None else offset_weights.counts
    model = sm.WLS(offset_weights.subtract_offset(y), np.c_[x, np.ones(len(x))], weights=counts).fit()
    assert np.abs(np.array(fit.coefficients) - model.params).max() < np.inf
    assert (np.abs(np.array(fit.coefficients) - model.params) < close * model.bse).all()
    np.testing.assert_allclose(np.sqrt(fit.variances), model.bse, rtol=close)
    np.testing.assert_allclose(np.array(t_values(fit), dtype=float), model.tvalues, rtol=close, atol=close)
    assert r2(fit) == pytest.approx(model.rsquared, abs=close)
    assert adjusted_r2(fit) == pytest.approx(model.rsquared_adj, abs=close)
    assert residual_se(fit) == pytest.approx(np.sqrt(model.mse_resid), rel=close)
    assert residual_df(fit) == model.df_resid
    assert f_value(fit) == pytest.approx(model.fvalue, rel=close, abs=close)


def drawn_rows(
    draw: np.random.Generator, columns: list[tuple[float, float]], z: np.ndarray, noise: float = 0.0, most: float = 1e5
) -> tuple[np.ndarray, np.ndarray, float]:
    """Features and a target of them, each column times one power of ten and beside another; the target's size.

    A mean is at most `most` times the size: as far from 0 as float64 tells the spread well.
    """
    size, middle = (np.array([10.0 ** one[k] for one in columns]) for k in range(2))
    y = z @ draw.normal(size=z.shape[1]) + 10.0**noise * draw.normal(size=len(z))
    rows = np.c_[z, y] * size + np.minimum(middle, size * most)
    return rows[:, :-1], rows[:, -1], float(size[-1])


def assert_is_plain(
    fit: LinearFit,
    x: np.ndarray,
    y: np.ndarray,
    close: float,
    offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS,
    sums: float = 1e-3,
) -> None:
    """Coefficients and errors to within so many standard errors; sums of squares to within `sums`."""
    reference = fit_plain(x, y, fit.features, offset_weights)
    error = np.sqrt(reference.variances)
    assert (np.abs(np.subtract(fit.coefficients, reference.coefficients)) < close * error).all()
    np.testing.assert_allclose(np.sqrt(fit.variances), error, rtol=close)
    assert (fit.residual, fit.total) == pytest.approx((reference.residual, reference.total), rel=sums)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("n", [2, 3])
def test_breast_cancer_is_statsmodels(n: int, how: str) -> None:
    """The smoothness of a cell by four other measurements, two of which go together to 0.998."""
    x = np.concatenate([table[0] for table in demo_tables().values()])
    assert_is_statsmodels(run(x[:, :4], x[:, 4], n, inference=how), x[:, :4], x[:, 4])


@pytest.mark.parametrize("how", HOW)
def test_longley_is_what_nist_certifies(how: str) -> None:
    """Sixteen years of an economy, whose features go together: a common test of regression programs."""
    import statsmodels.api as sm

    data = sm.datasets.longley.load()
    x, y = np.array(data.exog, dtype=float), np.array(data.endog, dtype=float)
    fit = run(x, y, inference=how)
    b = [15.0618722713733, -0.0358191792925910, -2.02022980381683, -1.03322686717359, -0.0511041056535807,
         1829.15146461355, -3482258.63459582]  # fmt: skip
    se = [84.9149257747669, 0.0334910077722432, 0.488399681651699, 0.214274163161675, 0.226073200069370,
          455.478499142212, 890420.383607373]  # fmt: skip
    np.testing.assert_allclose(fit.coefficients, b, rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(fit.variances), se, rtol=1e-8)
    assert residual_se(fit) == pytest.approx(304.854073561965, rel=1e-8)
    assert r2(fit) == pytest.approx(0.995479004577296, rel=1e-8)
    assert f_value(fit) == pytest.approx(330.285339234588, rel=1e-8)


@steady(8)
@given(
    st.integers(2, 3),
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=5),
    st.integers(0, 40),
    st.floats(-5, 2),
    st.sampled_from(HOW),
    st.integers(0, 9999),
)
def test_any_shape_unit_and_mean(
    n: int, columns: list[tuple[float, float]], more: int, noise: float, how: str, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    d = len(columns) - 1
    x, y, _ = drawn_rows(draw, columns, draw.standard_t(3, size=(d + 3 + more, d)), noise, 1e6)
    cuts = np.sort(draw.integers(0, len(x) + 1, n - 1))
    fit = next(iter(outcome(x, y, np.split(np.arange(len(x)), cuts), inference=how).results.values()))
    assert_is_plain(fit, x, y, 1e-4, sums=1e-4)
    assert fit.total == pytest.approx(fit_plain(x, y, fit.features).total, rel=1e-6)


def test_the_reference_is_statsmodels() -> None:
    x = np.concatenate([table[0] for table in demo_tables().values()])
    assert_is_statsmodels(fit_plain(x[:, :4], x[:, 4], tuple("abcd")), x[:, :4], x[:, 4], close=1e-8)


@pytest.mark.parametrize("how", HOW)
def test_one_far_value_is_no_limit(how: str) -> None:
    """A standardised value of 30,000: no cell is shared, so none has to fit."""
    draw = np.random.default_rng(2)
    x, y = draw.normal(size=(60, 2)), draw.normal(size=60)
    x[7, 0], y[9] = 1e9, -1e11
    assert_is_statsmodels(run(x, y, inference=how), x, y, close=1e-5)


@pytest.mark.parametrize("how", HOW)
def test_collinearity_is_said(how: str) -> None:
    x = np.random.default_rng(5).normal(size=(80, 2))
    x = np.c_[x, x.sum(axis=1)]
    with pytest.raises(DataError, match="sum of multiples of the others"):
        run(x, x[:, 0] ** 2, inference=how)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("column", ["x1", "y (the target)"])
def test_a_constant_column_is_named(how: str, column: str) -> None:
    draw = np.random.default_rng(6)
    x, y = draw.normal(size=(30, 2)), draw.normal(size=30)
    if column == "x1":
        x[:, 1] = 0.1
    else:
        y[:] = 0.1
    with pytest.raises(DataError, match="has the same value in all training rows of all owners") as problem:
        run(x, y, inference=how)
    assert f"column {column} has" in problem.value.message


@pytest.mark.parametrize("how", HOW)
def test_an_exact_fit_has_no_tests(how: str) -> None:
    x = np.random.default_rng(7).normal(size=(40, 2))
    fit = run(x, 3 + x @ [2.0, -1.0], inference=how)
    assert is_exact(fit) and f_value(fit) is None and t_values(fit) == [None] * 3
    np.testing.assert_allclose(fit.coefficients, [2, -1, 3], rtol=1e-9)


@pytest.mark.parametrize("how", HOW)
def test_held_out_rows_and_missing_values(how: str) -> None:
    draw = np.random.default_rng(8)
    x = draw.normal(size=(90, 3)) * 10
    y = 1e6 + x @ [1.0, 2.0, 3.0] + draw.normal(size=90)
    parts, rest = [np.arange(30), np.arange(30, 60)], [np.arange(60, 70), np.arange(70, 90)]
    ran = outcome(x, y, parts, rest, inference=how, metrics=True, missing=True)
    fit = next(iter(ran.results.values()))
    b = np.array(fit.coefficients)
    e = y[60:] - x[60:] @ b[:-1] - b[-1]
    told = fit.metrics["test"]
    assert told["rows"] == 30
    assert told["rmse"] == pytest.approx(np.sqrt((e**2).mean()), rel=1e-9)
    assert told["mae"] == pytest.approx(np.abs(e).mean(), rel=1e-9)
    assert told["r2"] == pytest.approx(1 - (e**2).sum() / ((y[60:] - y[60:].mean()) ** 2).sum(), rel=1e-6)
    assert fit.missing == (0, 2, 4, 6)
    assert fit.rows == 60


def test_what_is_opened() -> None:
    draw = np.random.default_rng(9)
    x, y = draw.normal(size=(30, 2)), draw.normal(size=30)
    parts = np.array_split(np.arange(30), 2)
    shared = [item.what for item in outcome(x, y, parts).reveals]
    assert shared == [
        "feature scales", "feature scales", "collinearity check", "model", "standard errors", "standard errors", "fit"
    ]  # fmt: skip
    opened = outcome(x, y, parts, inference="open-gram").reveals
    assert [item.what for item in opened] == ["sums of columns", "sums of products of columns"]
    assert all("learns the other's" in item.why for item in opened)
