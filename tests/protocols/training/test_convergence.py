"""A training that has not converged says so: the bit beside the optimum that it went for, over hard rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.linalg.hessian import series_for
from protocols.plain.accelerated import Path, accelerated_reference
from protocols.plain.maximum_likelihood import sigmoid
from protocols.training.accelerated_budget import dyadic
from protocols.training.form import automatic_rate
from protocols.training.stop_test import Lately, last_quarter, rest_bound
from tests.examples import sample
from tests.helpers import example_tables, job, train

FULL = {"newton": (60, 0.7), "nesterov": (300, 0.9)}
"""What the scenario's defaults are."""

HARD = ("plain", "imbalance", "correlation 0.99", "correlation 0.9999", "lognormal", "outlier", "nearly separable")


def hard(kind: str, rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Standardised features with a last column of ones, and labels with at least five of either class."""
    draw = np.random.default_rng((seed, rows, HARD.index(kind)))
    truth, x, share = draw.normal(size=5) * 0.7, draw.normal(size=(rows, 5)), 0.3
    if kind.startswith("correlation"):
        r = float(kind.split()[1])
        x = np.sqrt(r) * x[:, :1] + np.sqrt(1 - r) * x
    if kind == "imbalance":
        share = max(1e-4, 12 / rows)
    if kind == "lognormal":
        x, truth = np.exp(1.5 * x), truth / 5
    if kind == "nearly separable":
        truth *= 15
    if kind == "outlier":
        x[0, 0] = 1e3
    scores = np.clip((x - np.median(x, axis=0)) @ truth, -40, 40)
    level = np.quantile(scores, 1 - share) if kind == "nearly separable" else -np.log(1 / share - 1)
    y = (draw.uniform(size=rows) < sigmoid(scores - level if kind == "nearly separable" else scores + level)) * 1.0
    y[:5], y[5:10] = 0, 1
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.c_[x, np.ones(rows)], y


def optimum(x: np.ndarray, y: np.ndarray, l2: float) -> tuple[np.ndarray, np.ndarray]:
    """Damped Newton steps in the clear, and the weights' standard errors."""
    ridge, w = np.append(np.full(x.shape[1] - 1, l2), 0.0), np.zeros(x.shape[1])
    fisher = np.eye(len(w))
    for _ in range(100):
        s = sigmoid(x @ w)
        fisher = (x.T * (s * (1 - s))) @ x / len(y)
        move = np.linalg.solve(fisher + np.diag(ridge), x.T @ (s - y) / len(y) + ridge * w)
        w = w - move / max(1.0, float(np.abs(move).max()))
    inverse = np.linalg.inv(fisher + np.diag(ridge))
    return w, np.sqrt(np.diag(inverse @ fisher @ inverse) / len(y))


def trained(solver: str, x: np.ndarray, y: np.ndarray, l2: float, part: float = 1.0) -> Path:
    iterations, momentum = FULL[solver]
    rows, columns = x.shape
    series = series_for(columns, rows, l2) if solver == "newton" else None
    rate = 1 / series.bound if series else automatic_rate(solver, columns - 1, l2)
    return accelerated_reference(x, y, round(part * iterations), rate, dyadic(momentum), l2, series)


@pytest.mark.parametrize("rows", sample((200, 2_000, 20_000), 2_000))
def test_who_is_far_off_is_never_called_converged(rows: int) -> None:
    said = {True: 0, False: 0}
    for kind in HARD:
        x, y = hard(kind, rows, 1)
        for l2 in (0.0, 0.001, 0.01):
            w, errors = optimum(x, y, l2)
            for solver in FULL:
                for part in (0.1, 0.4, 1.0):
                    path = trained(solver, x, y, l2, part)
                    off = float((np.abs(path.weights - w) / errors).max())
                    converged = path.moved <= rest_bound(rows)
                    assert not converged or off < 0.3, (kind, l2, solver, part, off)
                    said[converged] += 1
                    if kind == "plain" and part == 1.0:
                        assert converged and off < 0.05, (l2, solver, off)
    assert min(said.values()) > 30


def test_the_last_quarter() -> None:
    assert [last_quarter(n) for n in (1, 3, 4, 7, 8, 60, 300)] == [1, 1, 1, 1, 2, 15, 75]


def test_of_a_long_training_few_weights_are_kept() -> None:
    """At each step what the check would look back to is there, and what is kept does not grow with the steps."""
    lately, most = Lately(0), 0
    for step in range(1, 100_001):
        lately.add(step)
        assert step - lately.before() == last_quarter(step)
        most = max(most, len(lately._kept))
    assert most <= 260
    for steps in range(512, 100_001, 7):
        assert steps // 4 <= last_quarter(steps) <= steps // 4 + steps // 128

    x, y = hard("plain", 200, 2)
    whole, part = trained("newton", x, y, 0.0, 0.2), trained("newton", x, y, 0.0, 0.15)
    assert (whole.steps, part.steps) == (12, 9)
    assert whole.moved == np.abs(whole.weights - part.weights).max()


@pytest.mark.parametrize("solver", FULL)
@pytest.mark.parametrize("standardise", [True, "private"])
def test_the_bit_of_a_run_is_the_references(solver: str, standardise: Any) -> None:
    tables = example_tables([60, 50], 3, 1, steep=0.4)
    for l2, iterations, converged in ((0.05, 40 if solver == "newton" else 150, True), (0.0, 8, False)):
        own, how = job(
            tables,
            solver=solver,
            iterations=iterations,
            momentum=dyadic(0.7),
            learning_rate=automatic_rate(solver, 3, l2),
            l2=l2,
            standardise=standardise,
            metrics=False,
        )
        outcome = train(own, how)
        assert {outcome.results[name].converged for name in how.owners} == {converged}
        told = [item.what for item in outcome.reveals]
        assert told[told.index("range check") + 1 :] == ["convergence check", "model"]


def test_mini_batches_are_not_tested() -> None:
    own, how = job(example_tables([30, 30], 2, 1, steep=0.4), metrics=False)
    outcome = train(own, how)
    assert outcome.results["owner0"].converged is None
    assert "convergence check" not in {item.what for item in outcome.reveals}
