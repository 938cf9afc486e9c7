"""Pooled metrics equal scikit-learn's and the reference's; the AUC's histogram costs less than 0.005.

The kit's four checks of it are in tests/testing; here is what they cannot express: scikit-learn, thousands of rows,
and the bins.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from mpc.ring.abstract_array import abstract
from mpc.ring.rings import Z64
from mpc.runtime.lockstep import Outcome
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.sharing.share import Share
from protocols.evaluation.auc_pairs import BUCKETS, buckets_of, count_pairs
from protocols.evaluation.metrics import BINS, MOST_DOUBT, Bins, Scored, bins_for, evaluate, local_sums
from protocols.plain.logistic import ReferenceModel, reference_metrics
from tests.examples import steady
from tests.helpers import lockstep, on_shares, owner_names, signed, words

Rows = tuple[np.ndarray, np.ndarray]


def split(x: np.ndarray, y: np.ndarray, n: int) -> list[Rows]:
    """Rows dealt out to owners in parts of different sizes."""
    cuts = [len(y) * (k + 1) * (k + 2) // (n * (n + 1)) for k in range(n - 1)]
    return list(zip(np.split(x, cuts), np.split(y, cuts), strict=True))


def joint(sets: dict[str, list[Rows]], weights: np.ndarray, seed: int = 0) -> tuple[dict[str, Any], Outcome]:
    n = len(next(iter(sets.values())))

    def factory(k: int) -> ProgramFactory:
        def program(p: Party) -> Any:
            own = {
                name: Scored(abstract((len(parts[k][1]),)), parts[k][1])
                if p.dry
                else Scored(parts[k][0] @ weights[:-1] + weights[-1], parts[k][1])
                for name, parts in sets.items()
            }
            return evaluate(p, own, bins_for(weights))

        return program

    outcome = lockstep({name: factory(k) for k, name in enumerate(owner_names(n))}, seed)
    assert set(outcome.rounds.values()) == {2}
    results = list(outcome.results.values())
    assert all(result == results[0] for result in results)
    return results[0], outcome


def plain(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    return reference_metrics(ReferenceModel.in_own_units(weights), x, y)


def close(got: dict[str, Any], wanted: dict[str, Any], auc: float = 0.005) -> None:
    assert got.keys() == wanted.keys()
    for key in ("rows", "positives", "accuracy", "confusion"):
        assert got[key] == wanted[key]
    withheld = got["auc"] is None and wanted["auc"] is not None
    assert not withheld or auc > MOST_DOUBT < got["auc_error"]
    for key, slack in (("auc", auc), ("log_loss", 1e-6), ("brier", 1e-6))[withheld:]:
        assert (got[key] is None) == (wanted[key] is None)
        assert wanted[key] is None or abs(got[key] - wanted[key]) < slack, key


@steady(40)
@given(st.integers(2, 5), st.integers(1, 150), st.integers(1, 6), st.floats(-3, 3), st.integers(0, 2**32))
def test_as_the_reference(n: int, rows: int, d: int, size: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, weights = draw.normal(size=(rows, d)), draw.normal(size=d + 1) * 10**size
    y = (draw.uniform(size=rows) < 1 / (1 + np.exp(-np.clip(x @ weights[:-1] + weights[-1], -99, 99)))).astype(float)
    got, _ = joint({"train": split(x, y, n)}, weights, seed % 1000)
    # Of few rows, one pair that shares a bin is more than 0.005: it counts half, whichever is the higher.
    bins = bins_for(weights).number(x @ weights[:-1] + weights[-1])
    shared = np.equal.outer(bins[y == 1], bins[y == 0])
    close(got["train"], plain(x, y, weights), auc=(shared.mean() / 2 if shared.size else 0.0) + 1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn(seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, weights = draw.normal(size=(400, 5)), draw.normal(size=6)
    p = 1 / (1 + np.exp(-(x @ weights[:-1] + weights[-1])))
    y = (draw.uniform(size=400) < p).astype(float)
    got, outcome = joint({"train": split(x, y, 3), "test": split(x[:50], y[:50], 3)}, weights)
    for name, (some_p, some_y) in {"train": (p, y), "test": (p[:50], y[:50])}.items():
        result = got[name]
        assert result["accuracy"] == sk.accuracy_score(some_y, some_p >= 0.5)
        assert result["log_loss"] == pytest.approx(sk.log_loss(some_y, some_p), abs=1e-6)
        assert result["brier"] == pytest.approx(sk.brier_score_loss(some_y, some_p), abs=1e-6)
        assert abs(result["auc"] - sk.roc_auc_score(some_y, some_p)) < 0.005
        tn, fp, fn, tp = sk.confusion_matrix(some_y, some_p >= 0.5).ravel()
        assert list(result["confusion"].values()) == [tp, fp, tn, fn]
        assert plain(x[: len(some_y)], some_y, weights)["auc"] == pytest.approx(
            sk.roc_auc_score(some_y, some_p), abs=1e-12
        )
    assert [r.what for r in outcome.reveals] == [
        "metric sums (train)",
        "metric sums (test)",
        "AUC pairs (train)",
        "AUC pairs (test)",
    ]


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_only(label: float) -> None:
    x, weights = np.random.default_rng(5).normal(size=(20, 2)), np.array([1.0, -1.0, 0.1])
    y = np.full(20, label)
    got, _ = joint({"test": split(x, y, 2)}, weights)
    assert got["test"]["auc"] is None
    close(got["test"], plain(x, y, weights))


def test_no_rows_at_all() -> None:
    empty = (np.zeros((0, 2)), np.zeros(0))
    got, _ = joint({"test": [empty, empty]}, np.array([1.0, 2.0, 3.0]))
    assert got["test"] == {
        **dict.fromkeys(("rows", "positives"), 0),
        **dict.fromkeys(("accuracy", "auc", "auc_error", "auc_se", "auc_low", "auc_high", "log_loss", "brier")),
        "confusion": {"true_positives": 0, "false_positives": 0, "true_negatives": 0, "false_negatives": 0},
    }
    assert got["test"] == plain(*empty, np.array([1.0, 2.0, 3.0]))


def test_weights_of_zero_are_a_coin() -> None:
    x, y = np.random.default_rng(7).normal(size=(30, 2)), (np.arange(30) % 2).astype(float)
    got, _ = joint({"test": split(x, y, 2)}, np.zeros(3))
    assert got["test"]["auc"] == 0.5
    assert got["test"]["log_loss"] == pytest.approx(np.log(2), abs=1e-6)


@steady(40)
@given(st.integers(2, 4), st.integers(0, 2**32), st.integers(1, 400))
def test_the_numerator_counts_pairs(n: int, seed: int, rows: int) -> None:
    draw = np.random.default_rng(seed)
    places = draw.choice([0, 1, BINS - 1, 7, 8, *draw.integers(0, BINS, 5)], size=rows)
    sick, scores = draw.random(rows) < 0.4, places + draw.integers(0, 2, rows) / 4
    found = [
        np.append(np.bincount(places[m], minlength=BINS), np.bincount(buckets_of(scores[m]), minlength=BUCKETS))
        for m in (sick, ~sick)
    ]

    async def body(p: Party, s: list[Share]) -> Any:
        return await count_pairs(p, s[0], s[1], BINS)

    (value,), _ = on_shares(body, [(words(one), 0, Z64) for one in found], n)
    above, apart = (v[sick][:, np.newaxis] - v[~sick] for v in (places, buckets_of(scores)))
    right, doubt = (int(v) for v in signed(value))
    assert right == 2 * np.sum(above > 0) + np.sum(above == 0)
    assert doubt == np.sum(above == 0) - np.sum(apart == 0)


def test_equal_scores_share_a_bucket_others_seldom() -> None:
    """Of 2,000 scores in one bin about one pair in 4,096 does; sums of one row's terms in another order are equal."""
    scores = 1.0 + np.arange(2000) * 2.0**-20
    _, counts = np.unique(buckets_of(scores), return_counts=True)
    assert (counts * (counts - 1)).sum() / (2000 * 1999) < 2 / BUCKETS
    assert len({*buckets_of(np.array([0.0, -0.0])).tolist()}) == 1
    assert np.array_equal(buckets_of(scores), buckets_of(scores * (1 + 2.0**-52)))


@steady(40)
@given(st.lists(st.floats(-1e200, 1e200), min_size=2), st.floats(-1e3, 1e3), st.floats(1e-9, 1e3))
def test_bins_rise_with_the_score(scores: list[float], middle: float, unit: float) -> None:
    numbers = Bins(middle, unit).number(np.array(sorted(scores)))
    assert all(a <= b for a, b in pairwise(numbers))
    assert numbers.min() >= 0 and numbers.max() < BINS


def test_sums_of_extreme_scores_stay_finite() -> None:
    sums = local_sums(Scored(np.array([-1e5, 1e5, 0.0]), np.array([1.0, 0.0, 1.0])))
    np.testing.assert_allclose(sums, [1, 1, 0, 1, 2e5 + np.log(2), 2.25])


SKEWED = {
    "lognormal": lambda draw, n: np.exp(2 * draw.normal(size=n)),
    "heavy tails": lambda draw, n: draw.standard_t(1, size=n),
    "offset": lambda draw, n: 1e4 + draw.normal(size=n),
    "nearly separable": lambda draw, n: np.where(draw.random(n) < 0.5, -30, 30) + draw.normal(size=n),
    "ties": lambda draw, n: draw.integers(0, 3, size=n) / 7,
    "an outlier of 1e6": lambda draw, n: np.append(draw.normal(size=n - 1), 1e6),
    "bulk in one bin": lambda draw, n: np.append(draw.normal(size=n - 3), [1e12, 1e12, -3e12]),
}


@pytest.mark.parametrize("case", SKEWED)
@pytest.mark.parametrize("n", [2, 3])
def test_an_auc_is_right_or_withheld(case: str, n: int) -> None:
    draw = np.random.default_rng(len(case))
    x = SKEWED[case](draw, 3000)
    order = np.argsort(np.argsort(x, kind="stable")) / len(x)
    y = (draw.uniform(size=3000) < 1 / (1 + np.exp(-3 * (order - 0.5)))).astype(float)
    z = (x - x.mean()) / x.std()
    got, _ = joint({"test": split(z[:, np.newaxis], y, n)}, np.array([1.0, 0.2]))
    found, exact = got["test"], sk.roc_auc_score(y, z)
    if case in ("bulk in one bin", "an outlier of 1e6"):  # all others are close together, far from the mean
        assert found["auc"] is found["auc_low"] is None and found["auc_error"] > 0.01
    else:
        # Of other scores in one bucket there is one pair in 4096.
        assert found["auc_error"] <= MOST_DOUBT and abs(found["auc"] - exact) <= found["auc_error"] + 0.5 / BUCKETS
        assert case != "ties" or found["auc_error"] == 0.0
