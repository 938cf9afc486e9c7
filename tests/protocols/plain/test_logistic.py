"""The plaintext reference: the gradient it follows is the right one, and owners alone never make it stumble."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from protocols.linalg.held import Rows
from protocols.plain.logistic import (
    alone,
    comparison,
    fit_reference,
    pooled,
    reference_metrics,
    reference_sets,
    weight_difference,
)
from protocols.plain.maximum_likelihood import sigmoid
from protocols.rows.own_rows import OwnRows
from protocols.rows.results import Trained
from protocols.training.batches import batches
from tests.helpers import demo_tables, example_tables, job

KEYS = {
    "rows",
    "positives",
    "accuracy",
    "auc",
    "auc_se",
    "auc_low",
    "auc_high",
    "auc_error",
    "log_loss",
    "brier",
    "confusion",
}


def test_many_full_steps_reach_scikit_learns_optimum() -> None:
    x, y = example_tables([300], 4, 1)["owner0"]
    l2 = 0.05
    reference = fit_reference(x, y, [Rows.of(np.arange(300))] * 3000, 0.5, l2, standardise=True)
    ready = (x - x.mean(axis=0)) / x.std(axis=0)
    best = LogisticRegression(C=1 / (l2 * 300), tol=1e-10, max_iter=1000).fit(ready, y)
    np.testing.assert_allclose(reference.weights, [*best.coef_[0], *best.intercept_], atol=1e-5)


def test_one_step_by_hand() -> None:
    x, y = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([1.0, 0.0])
    rows = Rows.of(np.array([0, 1]))
    reference = fit_reference(x, y, [rows, Rows.of(np.array([1]))], 0.1, 0.5, standardise=False)
    w = 0.1 / 2 * np.array([0.5 * 1 - 0.5 * 3, 0.5 * 2 + 0.5 * 1, 0.0])
    z = w @ [3.0, -1.0, 1.0]
    wanted = w - 0.1 * (1 / (1 + math.exp(-z))) * np.array([3.0, -1.0, 1.0]) - 0.1 * 0.5 * w * [1, 1, 0]
    np.testing.assert_allclose(reference.weights, wanted, atol=1e-15)
    assert reference.largest_score == pytest.approx(abs(z))
    assert reference.largest_weight == pytest.approx(np.abs(w).max())


def test_the_sigmoid_neither_overflows_nor_loses_its_tails() -> None:
    z = np.array([-1e308, -800.0, -30.0, 0.0, 30.0, 800.0, 1e308])
    np.testing.assert_allclose(
        sigmoid(z), [0, 0, 1 / (1 + math.exp(30)), 0.5, 1 / (1 + math.exp(-30)), 1, 1], atol=1e-16
    )


def test_settings_that_diverge_give_no_warning() -> None:
    x, y = example_tables([30], 2, 3)["owner0"]
    reference = fit_reference(x, y, batches(1, 2000, 30, {"a": 30}), 10.0, 1.0, standardise=True)
    assert not np.isfinite(reference.weights).all()
    assert reference_metrics(reference, x, y).keys() == KEYS


@pytest.mark.parametrize("seed", range(4))
def test_the_auc_is_exact_with_ties(seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = draw.integers(0, 6, size=(80, 1)).astype(float), draw.integers(0, 2, 80).astype(float)
    reference = fit_reference(x, y, [Rows.of(np.arange(80))], 0.5, 0.0, standardise=True)
    assert reference_metrics(reference, x, y)["auc"] == pytest.approx(roc_auc_score(y, reference.scores(x)), abs=1e-12)


def test_alone_is_the_pooled_training_of_one_owner() -> None:
    own, how = job(demo_tables())
    lonely = replace(how, owners=("hospital_a",), train_rows=how.train_rows[:1], test_rows=how.test_rows[:1])
    np.testing.assert_array_equal(
        alone("hospital_a", own["hospital_a"], how).weights, pooled([own["hospital_a"]], lonely).weights
    )


def test_a_column_constant_at_one_owner_counts_for_nothing() -> None:
    tables = example_tables([40, 40], 3, 4)
    tables["owner0"][0][:, 1] = 0.1
    own, how = job(tables)
    model = alone("owner0", own["owner0"], how)
    assert model.weights[1] == 0.0
    assert np.isfinite(model.weights).all()
    assert 0 < reference_metrics(model, own["owner1"].x_test, own["owner1"].y_test)["accuracy"] <= 1


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_an_owner_with_one_class_only(label: float) -> None:
    x, y = example_tables([40], 3, 5)["owner0"]
    own, how = job({"owner0": (x, np.full(40, label)), "owner1": (x, y)})
    model = alone("owner0", own["owner0"], how)
    metrics = reference_metrics(model, own["owner0"].x_train, own["owner0"].y_train)
    assert (metrics["auc"], metrics["accuracy"]) == (None, 1.0)


def test_an_owner_without_rows() -> None:
    tables = example_tables([30, 30], 2, 6)
    tables["owner1"] = (np.zeros((0, 2)), np.zeros(0))
    own, how = job(tables)
    model = alone("owner1", own["owner1"], how)
    assert model.scores(tables["owner0"][0]).tolist() == [0.0] * 30
    assert reference_metrics(model, own["owner1"].x_test, own["owner1"].y_test)["accuracy"] is None


def test_without_test_rows_there_is_no_test_set() -> None:
    own, how = job(example_tables([30, 30], 2, 7), test_fraction=0.0)
    compared = comparison(own, how)
    assert set(reference_sets(pooled(list(own.values()), how), list(own.values()))) == {"train"}
    assert [set(sets) for sets in compared["alone"].values()] == [{"train"}, {"train"}]
    assert set(compared["pooled"]) == {"train"}


def test_the_comparison_is_on_the_same_test_rows() -> None:
    own, how = job(demo_tables())
    reference = pooled(list(own.values()), how)
    trained = Trained((), (), 0.0, tuple(reference.weights + 1e-3), None)
    compared = comparison(own, how, trained)
    assert list(compared["alone"]) == list(how.owners)
    for owner, rows in zip(how.owners, how.train_rows, strict=True):
        assert compared["alone"][owner]["train"]["rows"] == rows
        assert compared["alone"][owner]["test"]["rows"] == sum(how.test_rows)
        assert compared["alone"][owner]["test"].keys() == KEYS
    assert compared["pooled"]["train"]["rows"] == sum(how.train_rows)
    assert compared["pooled"]["max_abs_weight_difference"] == pytest.approx(1e-3)
    assert compared["pooled"]["max_abs_weight_difference"] == weight_difference(trained, reference)
    # Two hospitals with another case mix: together they do better than the referral centre does by itself.
    assert compared["pooled"]["test"]["log_loss"] < compared["alone"]["hospital_a"]["test"]["log_loss"]


def test_rows_stay_out_of_reprs() -> None:
    x, y = example_tables([30], 2, 8)["owner0"]
    reference = fit_reference(x, y, [Rows.of(np.arange(30))], 0.5, 0.0, standardise=True)
    assert "array" not in repr(reference)
    assert "array" not in repr(OwnRows(("a", "b"), x, y, x, y))
