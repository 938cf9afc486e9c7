"""Federated Newton beside statsmodels' fit to the pooled rows: the sums are quantised, and clients may be missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError, UsageError
from mpc.ring.array import Array
from protocols.federated.coding import Layout
from protocols.federated.models import Rows
from protocols.federated.newton.fit import GlmFit, coefficients_table, glm_fit
from protocols.federated.newton.steps import Newton, Pooled, newton_step, pooled, start
from protocols.federated.newton.sums import Family, fitting, glm_layout, glm_sums, small_cells
from protocols.federated.newton.units import Units, units_of

FAMILIES: dict[Family, object] = {
    "linear": sm.families.Gaussian(),
    "logistic": sm.families.Binomial(),
    "poisson": sm.families.Poisson(),
}
COUNTS = 3000.0  # the largest count of the poisson data's range


def made_up(family: Family, rows: int, seed: int) -> tuple[Array, Array]:
    """Features of unlike units, one of them a flag, and a target."""
    draw = np.random.default_rng(seed)
    x = np.column_stack(
        [draw.normal(60, 12, rows), draw.normal(0, 1, rows), draw.random(rows) < 0.3, draw.lognormal(0, 0.5, rows)]
    )
    eta = -0.4 + 0.03 * (x[:, 0] - 60) - 0.5 * x[:, 1] + 0.7 * x[:, 2] + 0.1 * x[:, 3]
    if family == "linear":
        return x, 120 + 10 * eta + draw.normal(0, 8, rows)
    if family == "logistic":
        return x, (draw.random(rows) < 1 / (1 + np.exp(-eta))).astype(np.float64)
    return x, draw.poisson(np.exp(eta)).astype(np.float64)


def dealt(rows: int, clients: int, seed: int) -> list[Array]:
    """Unequal stretches of rows, none empty."""
    shares = np.random.default_rng(seed).dirichlet(np.full(clients, 0.6))
    return np.split(np.arange(rows), np.unique(np.clip(np.cumsum(shares[:-1]) * rows, 1, rows - 1).astype(int)))


def summed(fit: Newton, own: list[Rows], who: list[int], most_target: float, bits: int) -> tuple[Layout, Array]:
    """The layout, and the sum of these clients' vectors as a secure aggregation gives it."""
    layout = glm_layout(fit.family, fit.at, clients=len(own), most_rows=5000, most_target=most_target, bits=bits)
    total = np.zeros(layout.length, dtype=np.uint64)
    for k in who:
        words, clipped = layout.encode(fitting(glm_sums(fit.family, fit.at, own[k]), layout))
        assert clipped == 0
        total += words.astype(np.uint64)
    return layout, total & np.uint64((1 << layout.bits) - 1)


def fitted(
    family: Family, parts: list[tuple[Array, Array]], here: list[list[int]], slack: float = 1.2, bits: int = 63
) -> GlmFit:
    """The fit where in round t the clients here[t] take part, those of the last list for good."""
    x, y = np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    spread = x.max(axis=0) - x.min(axis=0)
    units = units_of(x.min(axis=0) - slack * spread, x.max(axis=0) + slack * spread)
    target: Units | None = None
    if family == "linear":
        target = units_of(np.array([y.min() - 50]), np.array([y.max() + 50]))
    own = [Rows(units.apply(x)[0], y if target is None else target.apply(y[:, None])[0][:, 0]) for x, y in parts]
    most_target = COUNTS if family == "poisson" else 1.0
    fit, t, before = start(family, x.shape[1]), 0, None
    while not fit.reached:
        assert t < 60
        who = here[min(t, len(here) - 1)]
        layout, total = summed(fit, own, who, most_target, bits)
        sums = pooled(fit.at, layout.decode(total, len(who)), layout, len(who))
        fit = newton_step(fit, sums, same=who == before)
        t, before = t + 1, who
    return glm_fit(fit, units, target)


def check(fit: GlmFit, x: Array, y: Array) -> None:
    ones = np.column_stack([x, np.ones(len(y))])
    model = sm.GLM(y, ones, family=FAMILIES[fit.family]).fit(tol=1e-13, maxiter=100)
    table = coefficients_table(fit, [f"x{k}" for k in range(x.shape[1])])
    ours = np.array([one.coefficient for one in table])
    assert np.max(np.abs(ours - model.params) / model.bse) < 1e-5
    assert np.max(np.abs(np.array([one.se for one in table]) / model.bse - 1)) < 1e-4
    assert np.allclose(fit.covariance, model.cov_params(), rtol=2e-4, atol=1e-4 * model.bse.min() ** 2)
    assert fit.deviance == pytest.approx(model.deviance, rel=1e-9)
    assert fit.rows == len(y)
    if fit.null_deviance is not None:
        assert fit.null_deviance == pytest.approx(model.null_deviance, rel=1e-9)
    if fit.family == "linear":
        model = sm.OLS(y, ones).fit()  # t, where GLM has z
    assert np.allclose([one.statistic for one in table], model.tvalues, rtol=1e-3, atol=1e-4)
    assert np.allclose([one.p for one in table], model.pvalues, rtol=1e-2, atol=1e-5)
    assert np.allclose([(one.low, one.high) for one in table], model.conf_int(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("clients", [2, 5, 20])
@pytest.mark.parametrize("family", ["linear", "logistic", "poisson"])
def test_fit_equals_that_of_the_pooled_rows(family: Family, clients: int) -> None:
    x, y = made_up(family, 1200, clients)
    parts = [(x[rows], y[rows]) for rows in dealt(1200, clients, clients)]
    fit = fitted(family, parts, [list(range(len(parts)))])
    check(fit, x, y)
    assert fit.error < 1e-6 and fit.left <= 1e-6 and fit.se_left <= 1e-4
    assert (fit.null_deviance is None) == (family == "poisson")


@pytest.mark.parametrize("family", ["linear", "logistic", "poisson"])
def test_without_clients_the_fit_is_that_of_the_others(family: Family) -> None:
    x, y = made_up(family, 900, 7)
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(900), 6)]
    left = [0, 2, 3, 5]
    fit = fitted(family, parts, [left] if family == "linear" else [list(range(6)), [0, 1, 2, 3], left])
    check(fit, np.concatenate([parts[k][0] for k in left]), np.concatenate([parts[k][1] for k in left]))


@pytest.mark.parametrize("family", ["logistic", "poisson"])
def test_with_others_missing_in_each_step_the_distance_is_told(family: Family) -> None:
    x, y = made_up(family, 4000, 6)
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(4000), 20)]
    draw = np.random.default_rng(2)
    here = [sorted(draw.permutation(20)[:18].tolist()) for _ in range(20)]
    fit = fitted(family, parts, here)
    last = here[fit.steps - 1]
    x, y = np.concatenate([parts[k][0] for k in last]), np.concatenate([parts[k][1] for k in last])
    model = sm.GLM(y, np.column_stack([x, np.ones(len(y))]), family=FAMILIES[family]).fit(tol=1e-13)
    assert fit.rows == len(y) and 3 < fit.steps < 10
    assert 1e-6 < np.max(np.abs(fit.coefficients - model.params) / model.bse) <= fit.left <= 0.05
    assert np.max(np.abs(np.sqrt(np.diag(fit.covariance)) / model.bse - 1)) <= fit.se_left


def one_feature(fit: Newton, gradient: float, slope: float, deviance: float) -> Pooled:
    """Sums at `fit.at` as they may come from any clients."""
    return Pooled(fit.at, np.array([gradient, 0.0]), slope * np.eye(2), deviance, 100.0, 0, (1e-12, 1e-12, 1e-12))


def test_half_the_step_is_tried_where_the_deviance_rose() -> None:
    first = newton_step(start("logistic", 1), one_feature(start("logistic", 1), 8.0, 4.0, 100.0), same=True)
    assert first.at.tolist() == [2.0, 0.0]
    worse = one_feature(first, -30.0, 4.0, 101.0)
    half = newton_step(first, worse, same=True)
    assert half.at.tolist() == [1.0, 0.0] and half.steps == 1
    assert newton_step(half, one_feature(half, 0.0, 4.0, 200.0), same=True).at.tolist() == [0.5, 0.0]
    other = newton_step(first, worse, same=False)  # of other clients: deviances cannot be compared
    assert other.at.tolist() == [2.0 - 7.5, 0.0] and other.null_deviance is None


def test_a_step_that_moves_scores_is_not_the_last() -> None:
    """Where classes are separated, g and F fall alike: the step stays, though it is far below a standard error."""
    fit = newton_step(start("logistic", 1), one_feature(start("logistic", 1), 8.0, 4.0, 100.0), same=True)
    found = replace(one_feature(fit, 1e-15, 1e-15, 1e-9), errors=(0.0, 0.0, 0.0))
    assert not newton_step(fit, found, same=True).reached
    found = replace(one_feature(fit, 1e-6, 1e-6, 1e-4), errors=(0.0, 0.0, 0.0))
    assert not newton_step(replace(fit, unlike=5), found, same=False).reached
    assert newton_step(fit, one_feature(fit, 1e-9, 4.0, 99.0), same=True).reached


def test_values_out_of_range_are_clipped_and_counted() -> None:
    units = units_of(np.array([0.0, 10.0]), np.array([4.0, 20.0]), np.array([1.0, 15.0]))
    x, clipped = units.apply(np.array([[5.0, 15.0], [-1.0, 20.0]]))
    assert x.tolist() == [[1.0, 0.0], [-1 / 3, 1.0]] and clipped == 2
    with pytest.raises(UsageError, match="empty, or its mean is outside"):
        units_of(np.array([0.0]), np.array([4.0]), np.array([5.0]))


def test_a_range_far_too_wide_still_gives_the_fit() -> None:
    x, y = made_up("logistic", 800, 3)
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(800), 4)]
    fit = fitted("logistic", parts, [[0, 1, 2, 3]], slack=1000.0)
    check(fit, x, y)


@pytest.mark.parametrize(("family", "bits"), [("linear", 42), ("logistic", 42), ("poisson", 52)])
def test_rounding_moves_no_more_than_its_bound(family: Family, bits: int) -> None:
    x, y = made_up(family, 600, 9)
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(600), 5)]
    everybody = [list(range(5))]
    fine, coarse = fitted(family, parts, everybody), fitted(family, parts, everybody, bits=bits)
    errors = np.sqrt(np.diag(fine.covariance))
    moved = np.max(np.abs(coarse.coefficients - fine.coefficients) / errors)
    assert 1e-11 < moved <= coarse.error < 1e-5
    assert 1e-11 < np.max(np.abs(np.sqrt(np.diag(coarse.covariance)) / errors - 1)) <= coarse.se_error < 1e-4
    with pytest.raises(DataError, match="so coarse"):
        fitted(family, parts, everybody, bits=28)


def test_a_linear_fit_is_one_sum_alone() -> None:
    """A second over fewer clients would tell the others' own products of columns, to the last digit."""
    x, y = made_up("linear", 300, 2)
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(300), 3)]
    assert fitted("linear", parts, [[0, 1, 2], []]).steps == 1


@pytest.mark.parametrize("others", [True, False])
@pytest.mark.parametrize("exact", [True, False])
def test_separated_classes_are_an_error(exact: bool, others: bool) -> None:
    """Whether or not other clients take part in each step."""
    x, _ = made_up("logistic", 300, 1)
    y = (x[:, 1] > 0.2).astype(np.float64)
    if not exact:  # separated by the flag alone: whoever has it is of class 1
        y = np.where(x[:, 2] == 1, 1.0, (np.arange(300) % 2).astype(np.float64))
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(300), 3)]
    here = [[0, 1], [1, 2], [0, 2]] * 10 if others else [[0, 1, 2]]
    with pytest.raises(DataError, match="separate the two classes"):
        fitted("logistic", parts, here)


def test_features_that_give_the_target_are_an_error() -> None:
    x, _ = made_up("linear", 300, 1)
    parts = [(x[rows], 3 + 0.1 * x[rows] @ np.arange(4)) for rows in np.array_split(np.arange(300), 3)]
    with pytest.raises(DataError, match="determine the target"):
        fitted("linear", parts, [[0, 1, 2]])


def test_fewer_rows_than_coefficients_are_an_error() -> None:
    x, y = made_up("linear", 4, 1)
    with pytest.raises(DataError, match="4 rows of all clients are too few for 5"):
        fitted("linear", [(x[:2], y[:2]), (x[2:], y[2:])], [[0, 1]])


def test_poisson_steps_too_far_are_halved() -> None:
    x, y = made_up("poisson", 600, 5)
    y = y * 50  # from scores of 0, the first step is to means of e^100
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(600), 3)]
    fit = fitted("poisson", parts, [[0, 1, 2]])
    check(fit, x, y)


@given(
    st.sampled_from(["linear", "logistic", "poisson"]),
    st.integers(1, 40),
    st.lists(st.floats(-50, 50), min_size=1, max_size=4),
    st.integers(1, 1000),
    st.integers(0, 2**32),
)
def test_no_rows_within_the_range_are_clipped(
    family: Family, rows: int, w: list[float], clients: int, seed: int
) -> None:
    """The rows at the corners of the range, where scores are largest, and others; as many as a client may have."""
    draw = np.random.default_rng(seed)
    signs = np.sign(np.array(w[:-1])) * np.where(w[-1] < 0, -1.0, 1.0)
    x = np.vstack([np.tile(signs, (rows, 1)), draw.uniform(-1, 1, (rows, len(signs)))])
    y = draw.choice([-1.0, 1.0], 2 * rows) if family == "linear" else draw.choice([0.0, 1.0], 2 * rows)
    layout = glm_layout(family, np.array(w), clients=clients, most_rows=2 * rows)
    sums = fitting(glm_sums(family, np.array(w), Rows(x, y)), layout)
    assert layout.bits == 63  # at every w, as planned
    assert sums["unfit"][0] == 0 or family == "poisson"
    words, clipped = layout.encode(sums)
    assert clipped == 0
    for name, total in layout.decode(words, 1).items():
        assert np.allclose(total, sums[name], rtol=1e-12, atol=layout.bound(name, 1))


def test_means_out_of_range_are_told_and_not_clipped() -> None:
    rows = Rows(np.ones((3, 1)), np.array([0.0, 1.0, 2.0]))
    w = np.array([20.0, 0.0])
    layout = glm_layout("poisson", w, clients=2, most_rows=5, most_target=2.0)
    sums = fitting(glm_sums("poisson", w, rows), layout)
    assert sums["unfit"].tolist() == [1.0]
    assert not any(one.any() for name, one in sums.items() if name != "unfit")


def test_more_rows_than_agreed_are_refused() -> None:
    rows = Rows(np.ones((3, 1)), np.zeros(3))
    layout = glm_layout("logistic", np.zeros(2), clients=2, most_rows=2)
    with pytest.raises(DataError, match="3 rows, and most_rows = 2"):
        fitting(glm_sums("logistic", np.zeros(2), rows), layout)


def test_small_cells_of_a_flag_are_found() -> None:
    x = np.zeros((100, 3))
    x[:, 0] = np.arange(100)
    x[:40, 1] = 1
    x[:50, 2] = 1
    y = (np.arange(100) % 2).astype(np.float64)
    assert small_cells("logistic", x[:, :2], y, 20) == ()
    assert 1 in small_cells("logistic", x[:, :2], y, 21)
    assert small_cells("logistic", x, y, 6) == (4,)  # ten rows have the last flag and not the one before, five a class


@pytest.mark.parametrize("family", ["linear", "logistic", "poisson"])
def test_collinear_features_are_an_error(family: Family) -> None:
    x, y = made_up(family, 300, 1)
    x = np.column_stack([x, x[:, 0] - 2 * x[:, 1]])
    parts = [(x[rows], y[rows]) for rows in np.array_split(np.arange(300), 3)]
    with pytest.raises(DataError, match="multiples of the others"):
        fitted(family, parts, [[0, 1, 2]])


def test_few_rows_are_a_small_cell_whatever_their_columns() -> None:
    draw = np.random.default_rng(4)
    x, y = draw.normal(size=(30, 12)), draw.normal(size=30)
    assert small_cells("linear", x, y, 20) == ()
    assert small_cells("linear", x[:19], y[:19], 20) == (14,)
    assert small_cells("linear", x[:14], y[:14], 5) == ()
    assert small_cells("linear", x[:13], y[:13], 5) == (14,)  # as many as coefficients
    assert small_cells("linear", x[:0], y[:0], 5) == ()


def test_counts_are_small_cells_where_few_are_not_0() -> None:
    x = np.arange(100.0)[:, None]
    y = np.zeros(100)
    y[:20] = np.arange(20) % 7 + 1  # two or three rows of each count
    assert small_cells("poisson", x, y, 20) == ()
    assert small_cells("poisson", x, y, 21) == (1,)
    assert small_cells("linear", x, y, 20) == (1,)
