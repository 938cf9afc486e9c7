"""A model's figures from sums over clients, beside scikit-learn's on the pooled rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from mpc.ring.array import Array
from protocols.federated.coding import Layout
from protocols.federated.evaluate import (
    Evaluation,
    auc_of,
    clipped,
    evaluation_parts,
    evaluation_sums,
    figures,
    within,
)
from protocols.federated.models import Rows, model_of

CUTS = (0, 13, 13, 200, 500)  # four clients, the second without rows


def summed(own: list[dict[str, Array]], how: Evaluation) -> dict[str, Array]:
    """The decoded sum of the clients' coded addends."""
    layout = Layout(evaluation_parts(how), len(own))
    total = np.zeros(layout.length, dtype=np.uint64)
    for sums in own:
        words, outside = layout.encode(sums)
        assert outside == 0
        total += words.astype(np.uint64)
    return layout.decode(total & np.uint64((1 << layout.bits) - 1), len(own))


def evaluated(name: str, classes: int, how: Evaluation) -> tuple[Array, Array, dict[str, Array]]:
    """Labels and scores of all rows, and the sums over four clients."""
    draw = np.random.default_rng(classes)
    x, w = draw.normal(size=(500, 3)), draw.normal(size=4 * (classes if classes > 2 else 1))
    model = model_of(name, 3, classes)  # type: ignore[arg-type]
    scores = model.scores(w, x)
    if classes == 1:
        y = scores + draw.normal(size=500)
    elif classes == 2:
        y = (scores + draw.logistic(size=500) > 0).astype(np.float64)
    else:
        y = np.argmax(scores + draw.gumbel(size=scores.shape), axis=1).astype(np.float64)
    own = [evaluation_sums(model, w, Rows(x[a:b], y[a:b]), how) for a, b in pairwise(CUTS)]
    return y, scores, summed(own, how)


def test_figures_of_two_classes_are_those_of_all_rows() -> None:
    how = Evaluation(classes=2, most_rows=400)
    y, z, sums = evaluated("logistic", 2, how)
    found = figures(sums, how)
    assert found.rows == 500 and found.root_mean_square is None
    assert found.accuracy == accuracy_score(y, z >= 0)
    assert found.loss == pytest.approx(log_loss(y, 1 / (1 + np.exp(-z))), abs=4 / (2 * 2**20 * 500) + 1e-12)
    auc, exact = found.auc[1], roc_auc_score(y, z)
    assert auc is not None and auc.own == y.sum() and auc.own + auc.others == 500
    assert auc.least <= exact <= auc.most and auc.most - auc.least < 0.05
    assert abs(auc.auc - exact) < 1e-3


def test_each_class_of_more_has_its_auc_against_the_others() -> None:
    how = Evaluation(classes=4, most_rows=400, bins=512)
    y, scores, sums = evaluated("multinomial", 4, how)
    found = figures(sums, how)
    assert found.accuracy == accuracy_score(y, np.argmax(scores, axis=1))
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(log_loss(y, probabilities), abs=1e-6)
    for c in range(4):
        auc, exact = found.auc[c], roc_auc_score(y == c, probabilities[:, c])
        assert auc is not None and auc.least <= exact <= auc.most and abs(auc.auc - exact) < 1e-3


def test_squared_errors_of_numbers_are_summed() -> None:
    how = Evaluation(classes=1, most_rows=400)
    y, z, sums = evaluated("linear", 1, how)
    found = figures(sums, how)
    assert found.root_mean_square == pytest.approx(np.sqrt(np.mean((y - z) ** 2)), abs=1e-6)
    assert found.loss == pytest.approx(np.mean((y - z) ** 2) / 2, abs=1e-6)
    assert found.accuracy is None and found.auc == {}


def test_a_model_out_of_bounds_costs_no_more_than_the_bound() -> None:
    how = Evaluation(classes=2, most_rows=10, most_loss=5.0)
    model = model_of("logistic", 1, 2)
    rows = Rows(np.array([[1.0], [-1.0]]), np.array([0.0, 0.0]))
    sums = evaluation_sums(model, np.array([1e300, 0.0]), rows, how)
    assert sums["loss"].tolist() == [5.0]
    assert sums["scores of class 1"][how.bins :].nonzero()[0].tolist() == [0, how.bins - 1]
    assert clipped(np.array([np.nan, np.inf, 1.0]), 5.0).tolist() == [5.0, 5.0, 1.0]


def test_without_rows_there_are_no_figures() -> None:
    how = Evaluation(classes=2, most_rows=10)
    model = model_of("logistic", 1, 2)
    none = Rows(np.zeros((0, 1)), np.zeros(0))
    found = figures(evaluation_sums(model, np.zeros(2), none, how), how)
    assert (found.rows, found.loss, found.accuracy, found.auc) == (0, None, None, {1: None})


def test_rows_of_one_class_have_no_auc() -> None:
    assert auc_of(np.array([0.0, 3.0, 0.0, 0.0])) is None


def test_auc_bounds_are_those_of_every_order_within_bins() -> None:
    found = auc_of(np.array([1.0, 2.0, 2.0, 1.0]))  # of 9 pairs 4 are right, 1 wrong, 4 in one bin
    assert found is not None
    assert (found.least, found.auc, found.most) == pytest.approx((4 / 9, 6 / 9, 8 / 9))


def test_losses_can_be_coded_in_few_bits() -> None:
    how = within(Evaluation(classes=2, most_rows=400), 4, 24)
    assert within(how, 4, 63).loss_scale == 2.0**20
    assert Layout(evaluation_parts(within(Evaluation(1, 400), 4, 24)), 4).bits == 24
    assert Layout(evaluation_parts(how), 4).bits == 24
    y, z, sums = evaluated("logistic", 2, how)
    found = figures(sums, how).loss
    assert found == pytest.approx(log_loss(y, 1 / (1 + np.exp(-z))), abs=4 / (2 * how.loss_scale * 500))
