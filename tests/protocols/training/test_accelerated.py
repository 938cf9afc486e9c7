"""Full-batch training with momentum, plain and preconditioned: the reference's numbers at three rounds a step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError, UsageError
from protocols.plain.accelerated import accelerated_reference
from protocols.plain.logistic import pooled, weight_difference
from protocols.plain.maximum_likelihood import sigmoid
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import accelerated_for, automatic_rate, choose_fit
from protocols.training.stop_test import EVERY, steps_taken
from tests.examples import steady
from tests.helpers import demo_tables, example_tables, job, train

# -- the whole training


def check(own: Any, how: Any, limit: float, seed: int = 0) -> Any:
    """The model is the reference's; rounds, bytes and reveals are the plan's (helpers.check_cost)."""
    outcome = train(own, how, seed)
    models = [outcome.results[name] for name in how.owners]
    assert all(model.standardised == models[0].standardised for model in models)
    assert weight_difference(models[0], pooled(list(own.values()), how)) < limit
    return outcome


@steady(12)
@given(
    st.sampled_from(["nesterov", "newton"]),
    st.integers(2, 5),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.001, 0.03, 1.0]),
    st.sampled_from([0.0, 0.5, 0.8, 0.9]),
    st.sampled_from([0.2, 0.6, 1.0]),
    st.integers(0, 1000),
)
def test_as_the_reference(
    solver: str, n: int, features: int, l2: float, momentum: float, part: float, seed: int
) -> None:
    tables = example_tables([25 + 7 * k for k in range(n)], features, seed, steep=0.5)
    rate = part * automatic_rate(solver, features, l2)
    own, how = job(tables, solver=solver, iterations=12, momentum=dyadic(momentum), learning_rate=rate, l2=l2)
    outcome = check(own, how, 1e-3, seed)  # 4e-4 was seen, with next to no penalty and weights of 6
    training = [one for one in outcome.plan.rounds if one.stage == "training"]
    assert len(training) == 3 * 12
    assert [item.what for item in outcome.reveals if item.what == "range check"] == ["range check"]


@pytest.mark.parametrize(("solver", "momentum"), [("nesterov", 0.9), ("newton", 0.7)])
def test_the_demo_reaches_its_optimum(solver: str, momentum: float) -> None:
    rate = automatic_rate(solver, 30, 0.01)
    steps = {"nesterov": 300, "newton": 60}[solver]
    own, how = job(
        demo_tables(), solver=solver, iterations=steps, momentum=dyadic(momentum), learning_rate=rate, l2=0.01
    )
    model = check(own, how, 1e-4).results["hospital_a"]
    x = np.concatenate([one.x_train for one in own.values()])
    y = np.concatenate([one.y_train for one in own.values()])
    ready = np.c_[(x - x.mean(axis=0)) / x.std(axis=0), np.ones(len(x))]
    w = np.array(model.standardised)
    gradient = ready.T @ (sigmoid(ready @ w) - y) / len(y) + 0.01 * np.append(w[:-1], 0.0)
    assert np.abs(gradient).max() < 1e-3
    assert np.abs(w - optimum(ready, y, 0.01)).max() < 2e-3


def optimum(x: np.ndarray, y: np.ndarray, l2: float) -> np.ndarray:
    """Newton's method in the clear."""
    ridge, w = np.append(np.full(x.shape[1] - 1, l2), 0.0), np.zeros(x.shape[1])
    for _ in range(30):
        s = sigmoid(x @ w)
        hessian = (x.T * (s * (1 - s))) @ x / len(y) + np.diag(ridge)
        w = w - np.linalg.solve(hessian, x.T @ (s - y) / len(y) + ridge * w)
    return w


def test_collinear_columns_stay_within_the_ring() -> None:
    """Two columns that hardly differ: the Hessian has no inverse that fixed point could hold, its series has one."""
    tables = example_tables([40, 35], 3, 5, steep=0.3)
    for x, _ in tables.values():
        x[:, 2] = x[:, 1] * (1 + 1e-7)
    for l2 in (0.0, 1e-6):
        own, how = job(tables, solver="newton", iterations=30, momentum=dyadic(0.7), learning_rate=1.0, l2=l2)
        check(own, how, 1e-3)


def test_unstandardised_features_by_nesterov() -> None:
    tables = example_tables([40, 30], 2, 8, steep=0.4)
    own, how = job(tables, solver="nesterov", iterations=40, momentum=0.5, learning_rate=0.02, standardise=False)
    check(own, how, 1e-3)


# -- what is refused


def test_a_score_out_of_range_hides_the_model() -> None:
    x = np.linspace(-1, 1, 40).reshape(-1, 1)
    tables = {name: (x, (x[:, 0] > 0).astype(float)) for name in ("owner0", "owner1")}
    own, how = job(tables, solver="newton", iterations=60, momentum=dyadic(0.9), learning_rate=1.0, sigmoid_range=10.0)
    assert pooled(list(own.values()), how).largest_score > choose_fit(how).reach
    with pytest.raises(ProtocolError, match="a score left the range") as caught:
        train(own, how)
    assert "lower learning_rate or iterations" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"solver": "nesterov", "learning_rate": 1e6}, "learning_rate"),
        ({"solver": "nesterov", "learning_rate": 1.0, "l2": 1e6}, "l2"),
        ({"solver": "newton", "learning_rate": 1.0, "standardise": False}, "standardise = true"),
        ({"solver": "newton", "learning_rate": 1.0, "features": 600}, 'solver = "nesterov"'),
        ({"solver": "newton", "learning_rate": 1.0, "train_rows": (2**30, 2**30)}, 'solver = "nesterov"'),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], words: str) -> None:
    _, how = job(example_tables([20, 20], 2, 1), **{"iterations": 5, "momentum": 0.5, **changes})
    with pytest.raises(UsageError) as caught:
        accelerated_for(how)
    assert words in f"{caught.value} {caught.value.hint}"


@steady(60)
@given(
    st.sampled_from(["nesterov", "newton"]),
    st.integers(1, 500),
    st.integers(2, 10**5),
    st.sampled_from([0.0, 1e-5, 0.01, 1.0]),
    st.floats(0, 0.95),
)
def test_automatic_rates_fit(solver: str, features: int, rows: int, l2: float, momentum: float) -> None:
    """Whatever the shape, a rate of "auto" leaves room for a step from any weight that the range check lets pass."""
    rate = automatic_rate(solver, features, l2)
    public: dict[str, Any] = {"features": features, "train_rows": (rows, rows), "learning_rate": rate, "l2": l2}
    _, how = job(example_tables([20, 20], 2, 1), solver=solver, iterations=5, momentum=dyadic(momentum), **public)
    bits = accelerated_for(how).bits
    assert bits.limit >= 256 and 1 <= bits.e_shift <= 32 and bits.coefficients >= 20


def test_the_reference_is_the_textbooks() -> None:
    """w' = v - rate g, v' = w' + b (w' - w), but for the 15 bits of the two momentum factors."""
    draw = np.random.default_rng(1)
    x, y = np.c_[draw.normal(size=(50, 3)), np.ones(50)], draw.integers(0, 2, 50).astype(float)
    momentum, rate, l2 = dyadic(0.85), 0.4, 0.02
    w = v = np.zeros(4)
    for _ in range(40):
        g = x.T @ (sigmoid(x @ v) - y) / 50 + l2 * np.append(v[:-1], 0.0)
        before, w = w, v - rate * g
        v = w + momentum * (w - before)
    np.testing.assert_allclose(accelerated_reference(x, y, 40, rate, momentum, l2, None).weights, v, atol=1e-4)


# -- the stop test


@pytest.mark.parametrize("solver", ["nesterov", "newton"])
@pytest.mark.parametrize("n", [2, 3])
def test_a_training_at_rest_ends(solver: str, n: int) -> None:
    tables = example_tables([40 + 7 * k for k in range(n)], 3, 1, steep=0.5)
    rate = automatic_rate(solver, 3, 0.1)
    own, how = job(
        tables, solver=solver, iterations=80, momentum=dyadic(0.7), learning_rate=rate, l2=0.1, tolerance=1e-3
    )
    outcome = check(own, how, 1e-3)
    taken = steps_taken(80, outcome.plan.ways)
    assert 10 < taken < 80 and taken % EVERY == 0
    training = [one.label for one in outcome.plan.rounds if one.stage == "training"]
    assert len(training) == 3 * taken + 9 * (taken // EVERY)
    tests = [item for item in outcome.reveals if item.what == "stop test"]
    assert len(tests) == taken // EVERY == len(outcome.plan.forks)
    assert pooled(list(own.values()), how).steps == taken
