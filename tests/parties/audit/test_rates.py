"""Intervals and ranks against other ways to compute them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from parties.audit.membership import gains
from parties.audit.rates import auc, auc_interval, clopper_pearson, threshold


@pytest.mark.parametrize(("count", "of"), [(0, 20), (1, 20), (7, 20), (20, 20), (4980, 10_000)])
def test_clopper_pearson_has_the_exact_tails(count: int, of: int) -> None:
    low, high = clopper_pearson(count, of, 0.05)
    assert (low == 0.0) if count == 0 else binom.sf(count - 1, of, low) == pytest.approx(0.025)
    assert (high == 1.0) if count == of else binom.cdf(count, of, high) == pytest.approx(0.025)


def test_auc_counts_pairs_and_ties_half() -> None:
    rng = np.random.default_rng(1)
    ours, others = rng.integers(0, 6, 40).astype(float), rng.integers(0, 5, 30).astype(float)
    pairs = [(a > b) + (a == b) / 2 for a in ours for b in others]
    assert auc(ours, others) == pytest.approx(np.mean(pairs))


def test_auc_interval_holds_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(2), 0
    for _ in range(400):
        low, high = auc_interval(rng.normal(0.5, 1, 60), rng.normal(0, 1, 40))
        held += low <= 0.6382 <= high  # Phi(0.5 / sqrt 2)
    assert 0.92 <= held / 400 <= 0.98


def test_threshold_is_exceeded_by_the_rate() -> None:
    others = np.random.default_rng(3).permutation(1000).astype(float)
    assert np.count_nonzero(others > threshold(others, 0.01)) == 10
    assert np.count_nonzero(others[:50] > threshold(others[:50], 0.001)) == 0


def test_gains_are_the_rates_of_the_ratios() -> None:
    rng = np.random.default_rng(4)
    ratios, members = rng.normal(size=(60, 50)), rng.random((60, 50)) < 0.5
    found = gains(members, ratios + members)
    ours, others = (ratios + members)[members], ratios[~members]
    assert found[0] == pytest.approx(auc(ours, others), abs=1e-12)
    for rate, value in zip((0.01, 0.001), found[1:], strict=True):
        assert value == pytest.approx(np.mean(ours > threshold(others, rate)), abs=2e-3)
