"""Accuracy and AUC from noisy counts by class and score: exact without noise, and intervals that hold them."""

from __future__ import annotations

import numpy as np
import pytest

from parties.tasks.logistic.private.gradients.record import metrics_facts
from protocols.evaluation.noisy_metrics import BINS, EDGES, auc_of, cells, right_and_wrong


def held_out(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.4).astype(np.int64)
    return rng.normal(labels * 2.0 - 1.0, 1.5), labels


def exact_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    ones, zeros = scores[labels == 1][:, np.newaxis], scores[labels == 0]
    return float(((ones > zeros) + (ones == zeros) / 2).mean())


def test_counts_without_noise_give_exact_metrics() -> None:
    scores, labels = held_out(700, 1)
    counts = cells(scores, labels).astype(float)
    assert counts.sum() == 700 and counts[1].sum() == labels.sum()
    right, wrong = right_and_wrong(counts)
    assert right == ((scores >= 0) == labels).sum() and right + wrong == 700
    binned = np.searchsorted(EDGES, scores, side="right").astype(float)
    assert auc_of(counts, 0.0).value == pytest.approx(exact_auc(binned, labels), abs=1e-12)
    assert auc_of(counts, 0.0).value == pytest.approx(exact_auc(scores, labels), abs=0.01)


def test_a_score_on_an_edge_says_class_1() -> None:
    counts = cells(np.array([0.0, -1e-300]), np.array([1, 0]))
    assert right_and_wrong(counts.astype(float)) == (2.0, 0.0)


def coverage(rows: int, deviation: float, studies: int) -> tuple[float, float, float]:
    """How often the intervals hold the exact metrics, and how often there are any of the AUC."""
    rng, hits, told = np.random.default_rng(rows), {"accuracy": 0, "auc": 0}, 0
    for study in range(studies):
        scores, labels = held_out(rows, study)
        exact = cells(scores, labels).astype(float)
        right, wrong = right_and_wrong(exact)
        truth = {"accuracy": right / (right + wrong), "auc": auc_of(exact, 0.0).value}
        facts = metrics_facts(exact + deviation * rng.normal(size=(2, BINS)), deviation)
        told += facts["auc"] is not None
        for key, value in truth.items():
            low, high = facts["intervals"][key]
            hits[key] += low is None or low <= value <= high
    return hits["accuracy"] / studies, hits["auc"] / studies, told / studies


def test_intervals_hold_the_exact_metrics() -> None:
    accuracy, auc, told = coverage(2000, 8.0, 400)
    assert 0.92 <= accuracy <= 0.985 and 0.92 <= auc <= 0.985 and told == 1


@pytest.mark.sweep
@pytest.mark.parametrize(("rows", "deviation"), [(114, 1.0), (300, 5.0), (1000, 5.0), (1000, 17.0), (4000, 60.0)])
def test_intervals_hold_in_94_of_100_studies(rows: int, deviation: float) -> None:
    accuracy, auc, told = coverage(rows, deviation, 5000)
    assert min(accuracy, auc) >= 0.94, (accuracy, auc)
    assert told > 0.9


def test_too_few_rows_for_the_noise_give_no_metrics() -> None:
    counts = cells(*held_out(60, 2)).astype(float)
    facts = metrics_facts(counts, 20.0)
    assert facts["auc"] is None and facts["accuracy"] is None
    assert facts["intervals"] == {"accuracy": [None, None], "auc": [None, None]}
