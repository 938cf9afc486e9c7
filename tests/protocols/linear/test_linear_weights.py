"""Linear regression with weights and an offset beside statsmodels' WLS on the pooled rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from protocols.linear.table import is_exact
from protocols.plain.linear import fit_plain
from protocols.rows.offset_weights import OffsetWeights
from tests.examples import steady
from tests.protocols.linear.test_columns_job import outcome as outcome_on_columns
from tests.protocols.linear.test_columns_job import run as run_on_columns
from tests.protocols.linear.test_rows_job import HOW, assert_is_plain, assert_is_statsmodels, drawn_rows, outcome, run


def drawn(m: int = 120, d: int = 3, seed: int = 1) -> tuple[np.ndarray, np.ndarray, OffsetWeights]:
    """Rows, targets whose variance is one over their weight, offsets far off 0; some weights are 0."""
    draw = np.random.default_rng(seed)
    x = np.c_[draw.normal(60, 10, m), draw.normal(size=(m, d - 1))]
    counts = draw.gamma(1.5, 2.0, m)
    offset = draw.normal(-40, 5, m)
    y = x @ np.linspace(0.5, -1, d) + offset + draw.normal(size=m) / np.sqrt(counts)
    return x, y, OffsetWeights(offset, np.where(np.arange(m) % 9, counts, 0.0))


def counted(offset_weights: OffsetWeights) -> np.ndarray:
    assert offset_weights.counts is not None
    return offset_weights.counts


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("n", "case"), [(2, "both"), (2, "weights"), (2, "offset"), (3, "both"), pytest.param(5, "both")]
)
def test_it_is_statsmodels_wls(n: int, case: str, how: str) -> None:
    x, y, both = drawn()
    offset_weights = {"both": both, "weights": replace(both, offset=None), "offset": replace(both, counts=None)}[case]
    fit = run(x, y, n, offset_weights=offset_weights, inference=how)
    assert_is_statsmodels(fit, x, y, offset_weights=offset_weights)
    assert fit.rows == 120
    assert fit.weight == (None if case == "offset" else pytest.approx(counted(offset_weights).sum(), rel=1e-12))


def test_the_reference_is_statsmodels_wls() -> None:
    x, y, offset_weights = drawn()
    fit = fit_plain(x, y, ("a", "b", "c"), offset_weights)
    assert_is_statsmodels(fit, x, y, close=1e-9, offset_weights=offset_weights)
    assert fit.weight == pytest.approx(counted(offset_weights).sum())


@steady(6)
@given(
    st.integers(2, 5),
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=4),
    st.floats(-6, 5),
    st.floats(0, 6),
    st.sampled_from(HOW),
    st.integers(0, 9999),
)
def test_any_shape_unit_and_mean(
    n: int, columns: list[tuple[float, float]], size: float, spread: float, how: str, seed: int
) -> None:
    """Weights over up to six powers of ten, in owners that may have no row, or none that counts."""
    draw = np.random.default_rng(seed)
    d = len(columns) - 1
    x, y, scale = drawn_rows(draw, columns, draw.normal(size=(4 * d + 20, d)))
    counts = 10.0 ** (size - spread * draw.random(len(x))) * (draw.random(len(x)) < 0.9)
    cuts = np.sort(draw.integers(0, len(x) + 1, n - 1))
    counts[: cuts[0]] = 0.0 if seed % 2 and cuts[0] < 10 else counts[: cuts[0]]
    offset_weights = OffsetWeights(draw.normal(size=len(x)) * scale, counts)
    ran = outcome(x, y, np.split(np.arange(len(x)), cuts), offset_weights=offset_weights, inference=how)
    assert_is_plain(next(iter(ran.results.values())), x, y, 1e-4, offset_weights, sums=1e-5)


@pytest.mark.parametrize("how", HOW)
def test_weights_that_are_all_0_are_said(how: str) -> None:
    x, y, _ = drawn(30)
    with pytest.raises(DataError, match="the weights of all training rows are 0"):
        run(x, y, 2, offset_weights=OffsetWeights(None, np.zeros(30)), inference=how)


@pytest.mark.parametrize("how", HOW)
def test_what_varies_where_weights_are_0_is_constant(how: str) -> None:
    x, y, _ = drawn(30)
    counts = np.where(np.arange(30) < 20, 0.1, 0.0)
    x[:20, 1] = 0.1
    with pytest.raises(DataError, match="column x1 has the same value in all training rows of all owners"):
        run(x, y, 3, offset_weights=OffsetWeights(None, counts), inference=how)
    exact = run(
        x[:, [0, 2]], y, 2, offset_weights=OffsetWeights(None, np.where(np.arange(30) % 10, 0.0, 1.0)), inference=how
    )
    assert is_exact(exact)


@pytest.mark.parametrize("how", HOW)
def test_held_out_rows_count_once_each_less_their_offset(how: str) -> None:
    x, y, offset_weights = drawn(90)
    parts, rest = [np.arange(30), np.arange(30, 60)], [np.arange(60, 70), np.arange(70, 90)]
    ran = outcome(x, y, parts, rest, offset_weights, inference=how, metrics=True)
    fit = next(iter(ran.results.values()))
    b, y = np.array(fit.coefficients), offset_weights.subtract_offset(y)
    e = y[60:] - x[60:] @ b[:-1] - b[-1]
    told = fit.metrics["test"]
    assert told["rmse"] == pytest.approx(np.sqrt((e**2).mean()), rel=1e-9)
    assert told["r2"] == pytest.approx(1 - (e**2).sum() / ((y[60:] - y[60:].mean()) ** 2).sum(), rel=1e-6)


def test_what_is_opened() -> None:
    x, y, offset_weights = drawn(30)
    parts = np.array_split(np.arange(30), 2)
    shared = [item.what for item in outcome(x, y, parts, offset_weights=offset_weights).reveals]
    assert shared == [
        "sum of weights", "feature scales", "feature scales", "collinearity check", "model", "standard errors",
        "standard errors", "fit",
    ]  # fmt: skip
    opened = outcome(x, y, parts, offset_weights=offset_weights, inference="open-gram").reveals
    assert [item.what for item in opened] == ["sum of weights", "sums of columns", "sums of products of columns"]
    assert opened[1].shape == (5,)


@pytest.mark.parametrize("case", ["both", "weights", "offset"])
@pytest.mark.parametrize(
    ("widths", "holder"),
    [
        ([2, 1], 0),
        ([3, 0], 1),
        pytest.param([1, 1, 1], 2, marks=pytest.mark.soak),
        pytest.param([1, 0, 1, 0, 1], 3, marks=pytest.mark.soak),
    ],
)
def test_columns_that_are_split(widths: list[int], holder: int, case: str) -> None:
    x, y, both = drawn()
    offset_weights = {"both": both, "weights": replace(both, offset=None), "offset": replace(both, counts=None)}[case]
    fit = run_on_columns(x, y, widths, holder, offset_weights=offset_weights)
    assert_is_statsmodels(fit, x, y, close=1e-4, offset_weights=offset_weights)
    assert fit.weight == (None if case == "offset" else pytest.approx(counted(offset_weights).sum(), rel=1e-12))


@steady(4)
@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=4),
    st.floats(-6, 3),
    st.floats(0, 3),
    st.integers(0, 9999),
)
def test_columns_of_any_shape_unit_and_mean(
    columns: list[tuple[float, float]], size: float, spread: float, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    d = len(columns) - 1
    x, y, scale = drawn_rows(draw, columns, draw.normal(size=(60, d)))
    offset_weights = OffsetWeights(draw.normal(size=60) * scale, 10.0 ** (size - spread * draw.random(60)))
    assert_is_plain(
        run_on_columns(x, y, [1, d - 1], seed % 2, offset_weights=offset_weights), x, y, 1e-3, offset_weights
    )


def test_one_row_may_weigh_as_much_as_most_others_together() -> None:
    """The root of 200 times the mean, beside which other rows lose four bits; and one far off that counts nothing."""
    x, y, _ = drawn(400)
    counts = np.r_[1.0, np.full(398, 0.002), 0.0]
    assert 200 < counts.max() / counts.mean() < 256
    x[-1, 0], y[-1] = 1e3, -1e9
    offset_weights = OffsetWeights(None, counts)
    assert_is_statsmodels(
        run_on_columns(x, y, [2, 1], offset_weights=offset_weights), x, y, close=1e-3, offset_weights=offset_weights
    )


@pytest.mark.soak
def test_many_rows_are_rounded_up_and_down() -> None:
    """Rounded one way alone, the intercept would be off by more than 1e-4 of its standard error."""
    x, y, offset_weights = drawn(100_000)
    fit, reference = (
        run_on_columns(x, y, [2, 1], offset_weights=offset_weights),
        fit_plain(x, y, ("x0", "x1", "x2"), offset_weights),
    )
    off = np.subtract(fit.coefficients, reference.coefficients) / np.sqrt(reference.variances)
    assert np.abs(off).max() < 4e-5


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (np.zeros(60), "the weights of all training rows are 0"),
        (np.r_[np.ones(299) * 1e-3, 500.0], "owner0: the largest weight is more than 256 times"),
    ],
)
def test_weights_that_cannot_be_used_with_split_columns(counts: np.ndarray, words: str) -> None:
    x, y, _ = drawn(len(counts))
    with pytest.raises(DataError, match=words):
        run_on_columns(x, y, [2, 1], offset_weights=OffsetWeights(None, counts))


def test_a_target_constant_but_at_weight_0_is_told() -> None:
    x, y, _ = drawn(30)
    counts = np.where(np.arange(30) < 20, 0.1, 0.0)
    with pytest.raises(DataError, match=r"owner1: column y \(the target\) has the same value"):
        run_on_columns(x, np.where(counts > 0, 0.1, y), [2, 1], 1, offset_weights=OffsetWeights(None, counts))
    x[:20, 0] = 0.1  # of another owner, who does not know which rows count
    with pytest.raises(DataError, match="sum of multiples of the others"):
        run_on_columns(x, y, [2, 1], 1, offset_weights=OffsetWeights(None, counts))


def test_what_is_opened_of_split_columns() -> None:
    x, y, offset_weights = drawn(30)
    ran = outcome_on_columns(x, y, [2, 1], offset_weights=offset_weights)
    assert [item.what for item in ran.reveals] == [
        "row alignment", "largest weight", "collinearity check", "target's deviation", "sum of weights", "model",
        "standard errors", "standard errors", "fit",
    ]  # fmt: skip
