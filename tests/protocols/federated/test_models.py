"""Gradients are the losses' slopes, extreme scores overflow nothing, and the fits are those of the usual packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize
from scipy.special import logsumexp

from mpc.errors import InternalError, UsageError
from mpc.randomness.streams import Stream, derive
from protocols.federated.models import Model, Network, Rows, model_of
from tests.examples import steady

MODELS: dict[str, dict[str, Any]] = {
    "linear": {"name": "linear", "features": 3, "classes": 1},
    "logistic": {"name": "logistic", "features": 3, "classes": 2},
    "multinomial": {"name": "multinomial", "features": 3, "classes": 4},
    "regression mlp": {"name": "mlp", "features": 3, "classes": 1, "hidden": (4,)},
    "binary mlp": {"name": "mlp", "features": 3, "classes": 2, "hidden": (4, 3)},
    "multiclass mlp": {"name": "mlp", "features": 3, "classes": 3, "hidden": (4, 3)},
}
every_model = pytest.mark.parametrize("kind", MODELS)


def stream(label: str = "start") -> Stream:
    return Stream(derive(bytes(32), label))


def rows_for(model: Network, n: int, seed: int) -> Rows:
    draw = np.random.default_rng(seed)
    classes = {"squared": None, "logistic": 2}.get(model.loss, model.widths[-1])
    y = draw.normal(size=n) if classes is None else draw.integers(0, classes, n).astype(np.float64)
    return Rows(draw.normal(size=(n, model.widths[0])), y)


def mean_loss(model: Model, w: np.ndarray, rows: Rows) -> float:
    return float(np.mean(model.losses(w, rows)))


@given(
    st.sampled_from(["squared", "logistic", "softmax"]),
    st.lists(st.integers(1, 5), max_size=2),
    st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32)),
)
@steady(120)
def test_a_gradient_is_the_losses_slope(loss: Any, hidden: list[int], shape: tuple[int, int, int]) -> None:
    n, features, seed = shape
    model = Network((features, *hidden, 3 if loss == "softmax" else 1), loss)
    rows = rows_for(model, n, seed)
    w = np.random.default_rng(seed + 1).normal(size=model.size)
    error = check_grad(lambda v: mean_loss(model, v, rows), lambda v: model.gradient(v, rows), w, epsilon=1e-6)
    assert error < 1e-4 * max(1.0, float(np.linalg.norm(model.gradient(w, rows))))


@every_model
def test_losses_are_those_of_their_definition(kind: str) -> None:
    model = model_of(**MODELS[kind])
    rows = rows_for(model, 20, 1)
    w = np.random.default_rng(2).normal(size=model.size)
    s = model.scores(w, rows.x)
    expected = {
        "squared": lambda: (s - rows.y) ** 2 / 2,
        "logistic": lambda: -np.log(np.where(rows.y == 1, 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(s)))),
        "softmax": lambda: logsumexp(s, axis=1) - s[np.arange(20), rows.y.astype(int)],
    }[model.loss]()
    assert np.allclose(model.losses(w, rows), expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1e3, -1e3, 1e300, -1e300])
@pytest.mark.parametrize("kind", ["logistic", "multinomial", "binary mlp", "multiclass mlp"])
def test_extreme_scores_overflow_nothing(kind: str, size: float) -> None:
    """Warnings are errors here. A score that is wrong by `size` costs as much, a right one nothing."""
    model = model_of(**MODELS[kind])
    w = np.zeros(model.size)
    (_, intercepts) = model.layers(w)[-1]
    intercepts[0] = size
    labels = np.arange(max(2, intercepts.size), dtype=np.float64)
    rows = Rows(np.zeros((labels.size, 3)), labels)
    wrong = (labels == (size < 0)) if intercepts.size == 1 else (labels == 0) == (size < 0)
    least = np.log(intercepts.size - 1) if intercepts.size > 1 and size < 0 else 0.0  # the other classes are alike
    assert np.allclose(model.losses(w, rows), np.where(wrong, abs(size), least), rtol=0.01, atol=1e-300)
    assert np.isfinite(model.gradient(w, rows)).all()


def fitted(model: Network, rows: Rows, l2: float = 0.0) -> np.ndarray:
    decay = l2 * model.penalised
    found = minimize(
        lambda w: mean_loss(model, w, rows) + np.sum(decay * w**2) / 2,
        model.start(stream()),
        jac=lambda w: model.gradient(w, rows) + decay * w,
        method="BFGS",
        options={"gtol": 1e-9},
    )
    return found.x


def test_the_linear_fit_is_least_squares() -> None:
    model = model_of("linear", 3, 1)
    rows = rows_for(model, 50, 3)
    exact = np.linalg.lstsq(np.column_stack((rows.x, np.ones(50))), rows.y)[0]
    assert np.allclose(fitted(model, rows), exact, atol=1e-6)


def test_the_logistic_fit_is_that_of_statsmodels() -> None:
    import statsmodels.api as sm

    model = model_of("logistic", 3, 2)
    rows = rows_for(model, 80, 4)
    exact = sm.Logit(rows.y, np.column_stack((rows.x, np.ones(80)))).fit(disp=0, tol=1e-12).params
    assert np.allclose(fitted(model, rows), exact, atol=1e-5)


def test_the_multinomial_fit_is_that_of_sklearn() -> None:
    """With a penalty, which leaves the intercepts out; these are told apart up to a constant only."""
    from sklearn.linear_model import LogisticRegression

    model = model_of("multinomial", 3, 4)
    rows = rows_for(model, 120, 5)
    l2 = 0.05
    exact = LogisticRegression(C=1 / (l2 * 120), tol=1e-10, max_iter=1000).fit(rows.x, rows.y)
    weights, intercepts = model.layers(fitted(model, rows, l2))[0]
    assert np.allclose(weights.T, exact.coef_, atol=1e-5)
    assert np.allclose(intercepts - intercepts.mean(), exact.intercept_ - exact.intercept_.mean(), atol=1e-5)


def test_an_mlp_learns_what_no_line_divides() -> None:
    model = model_of("mlp", 2, 2, (6,))
    x = np.random.default_rng(6).uniform(-1, 1, (300, 2))
    rows = Rows(x, (x[:, 0] * x[:, 1] > 0).astype(np.float64))
    assert np.mean((model.scores(fitted(model, rows, 1e-4), x) > 0) == rows.y) > 0.97
    line = model_of("logistic", 2, 2)
    assert np.mean((line.scores(fitted(line, rows), x) > 0) == rows.y) < 0.7


@every_model
def test_scores_have_the_stated_shape(kind: str) -> None:
    model = model_of(**MODELS[kind])
    scores = model.scores(model.start(stream()), np.ones((5, 3)))
    assert scores.shape == ((5, MODELS[kind]["classes"]) if model.loss == "softmax" else (5,))


def test_the_start_is_glorots_and_reproducible() -> None:
    model = model_of("mlp", 50, 3, (40,))
    w = model.start(stream())
    assert w.tolist() == model.start(stream()).tolist() != model.start(stream("other")).tolist()
    for weights, intercepts in model.layers(w):
        r = np.sqrt(6 / sum(weights.shape))
        assert np.max(np.abs(weights)) <= r and not intercepts.any()
        assert np.std(weights) == pytest.approx(r / np.sqrt(3), rel=0.1)
    assert not model_of("multinomial", 50, 3).start(stream()).any()


def test_only_intercepts_are_not_penalised() -> None:
    model = model_of("mlp", 2, 3, (4,))
    assert model.penalised.tolist() == [1] * 8 + [0] * 4 + [1] * 12 + [0] * 3


@pytest.mark.parametrize(
    "name, classes, hidden",
    [("linear", 2, ()), ("logistic", 3, ()), ("multinomial", 1, ()), ("mlp", 2, ()), ("logistic", 2, (3,))],
)
def test_a_model_that_does_not_fit_its_target_is_refused(name: Any, classes: int, hidden: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        model_of(name, 3, classes, hidden)


def test_weights_of_another_model_are_refused() -> None:
    with pytest.raises(InternalError, match="has 4 weights, and 5 were given"):
        model_of("logistic", 3, 2).scores(np.zeros(5), np.zeros((1, 3)))
