"""Rows weighted by class: the reference's model by every solver, at no round a step more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from protocols.plain.logistic import pooled, weight_difference
from protocols.training.accelerated_budget import dyadic
from protocols.training.class_weights import balanced, most_unequal, scaled
from protocols.training.form import automatic_rate, choose_form
from tests.examples import steady
from tests.helpers import example_tables, job, train


@steady(100)
@given(st.integers(1, 200), st.integers(1, 200))
def test_balanced_weights_are_scikit_learns(positives: int, negatives: int) -> None:
    total = positives + negatives
    found = balanced(positives, total)
    if max(positives, negatives) > 64 * min(positives, negatives):
        assert found is None
        return
    assert found is not None
    expected = np.array([total / (2 * negatives), total / (2 * positives)])
    np.testing.assert_allclose(np.array([found.of_0, found.of_1]) / 2.0**14 * found.heavier, expected, rtol=2e-3)
    mean = (found.of_0 * negatives + found.of_1 * positives) / 2.0**14 / total
    assert mean >= 0.999 / most_unequal("balanced")


SOLVERS: dict[str, dict[str, Any]] = {
    "sgd": {"epochs": 4, "batch_size": 20, "learning_rate": 0.5},
    "nesterov": {"iterations": 12, "momentum": dyadic(0.8)},
    "newton": {"iterations": 12, "momentum": dyadic(0.7)},
}


@pytest.mark.parametrize("l2", [0.0, 0.05])
@pytest.mark.parametrize("asked", ["balanced", (1.0, 5.0), (2.0, 2.0)])
@pytest.mark.parametrize("solver", SOLVERS)
def test_as_the_reference(solver: str, asked: Any, l2: float) -> None:
    tables = example_tables([40, 31, 22], 4, 3, steep=0.5)
    for _, y in tables.values():
        y[:] = np.where(np.arange(len(y)) % 3 == 0, y, 0.0)  # the rarer class is rare
    rate = {"learning_rate": automatic_rate(solver, 4, l2)} | SOLVERS[solver]
    own, how = job(tables, solver=solver, class_weights=asked, l2=l2, **rate)
    outcome = train(own, how)
    reference = pooled(list(own.values()), how)
    assert weight_difference(outcome.results["owner0"], reference) < 1e-4
    revealed = [item for item in outcome.reveals if item.what == "class count"]
    assert len(revealed) == (asked == "balanced")
    steps = [one for one in outcome.plan.rounds if one.stage == "training"]
    assert len(steps) == 3 * how.step_count


def test_the_optimum_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    own, how = job(example_tables([90, 70], 4, 6, steep=0.4), solver="newton", iterations=150, momentum=dyadic(0.7),
                   learning_rate=1.0, l2=0.03, class_weights="balanced")  # fmt: skip
    rows = list(own.values())
    x, y = np.concatenate([one.x_train for one in rows]), np.concatenate([one.y_train for one in rows])
    ready = (x - x.mean(axis=0)) / x.std(axis=0)
    reference = LogisticRegression(C=1 / (0.03 * len(y)), class_weight="balanced", tol=1e-10).fit(ready, y)
    ours = train(own, how).results["owner0"].standardised
    np.testing.assert_allclose(ours, [*reference.coef_[0], reference.intercept_[0]], atol=1e-3)


def test_a_class_that_is_missing_is_named() -> None:
    tables = example_tables([30, 30], 2, 1)
    for _, y in tables.values():
        y[:] = 0.0
    own, how = job(tables, class_weights="balanced")
    with pytest.raises(DataError, match="class_weights: of all training rows, one class has fewer than one in 65"):
        train(own, how)


def test_weights_are_for_the_primal_form() -> None:
    _, how = job(example_tables([20, 20], 300, 1), class_weights=(1.0, 2.0), epochs=200)
    _, plain = job(example_tables([20, 20], 300, 1), epochs=200)
    assert (choose_form(plain), choose_form(how)) == ("dual", "primal")


def test_pairs_are_scaled_by_the_heavier() -> None:
    found = scaled(1.0, 4.0)
    assert (found.of_0, found.of_1, found.heavier) == (1 << 12, 1 << 14, 4.0)
    assert (most_unequal((1.0, 4.0)), most_unequal(None)) == (4.0, 1.0)
