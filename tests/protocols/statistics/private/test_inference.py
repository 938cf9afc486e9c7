"""t-tests and correlations from noisy sums: the right size, and intervals that hold what is true."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from protocols.statistics.private.inference import (
    Correlation,
    Difference,
    Moments,
    noisy_chi_square,
    noisy_pearson,
    noisy_welch,
)

Values = np.ndarray


def noisy_moments(u: Values, deviation: float, rng: np.random.Generator) -> Moments:
    """Of studies' values (studies, rows)."""
    noise = rng.normal(0, deviation, (3, len(u)))
    return Moments(u.shape[1] + noise[0], u.sum(axis=1) + noise[1], (2 * u**2 - 1).sum(axis=1) + noise[2])


def drawn(law: str, mean: float, spread: float, shape: tuple[int, int], rng: np.random.Generator) -> Values:
    if law == "two values":
        return np.where(rng.random(shape) < (1 + mean) / 2, 1.0, -1.0)
    values = rng.normal(mean, spread, shape) if law == "normal" else -1 + rng.exponential(1 + mean, shape)
    return np.clip(values, -1, 1)


SAMPLES = {
    "little noise": ("normal", 100, 100, 0.0, 0.3, 1.0),
    "much noise": ("normal", 500, 300, 0.4, 0.3, 10.0),
    "narrow": ("normal", 300, 300, -0.8, 0.1, 20.0),
    "few rows": ("normal", 30, 30, 0.2, 0.3, 0.3),
    "shares": ("two values", 1000, 300, 0.5, 0.0, 15.0),
    "skew": ("exponential", 200, 100, -0.8, 0.0, 3.0),
    "at the end": ("normal", 1000, 1000, 0.9, 0.05, 2.0),
}


def differences(name: str, studies: int, seed: int) -> Difference:
    law, one, other, mean, spread, deviation = SAMPLES[name]
    rng = np.random.default_rng(seed)
    samples = [noisy_moments(drawn(law, mean, spread, (studies, n), rng), deviation, rng) for n in (one, other)]
    return noisy_welch(samples[0], samples[1], deviation, 0.0)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_t_test_raises_no_false_alarms(name: str) -> None:
    found = differences(name, 500, 1)
    assert not np.isnan(found.p).any()
    assert np.mean(found.p < 0.05) <= 0.075
    assert np.mean((found.low <= 0) & (found.high >= 0)) == pytest.approx(np.mean(found.p >= 0.05))


@pytest.mark.sweep
@pytest.mark.parametrize("name", SAMPLES)
def test_size_and_coverage_of_t_tests_in_4000_studies(name: str) -> None:
    """At most 5.5 % at 5 %; at least 94.5 of 100."""
    size = float(np.mean(differences(name, 4000, 2).p < 0.05))
    print(f"{name}: {size:.4f}")
    assert size <= 0.055


def test_a_t_test_finds_a_difference() -> None:
    rng = np.random.default_rng(3)
    one, other = (noisy_moments(rng.normal(mean, 0.3, (100, 500)), 5.0, rng) for mean in (0.2, 0.1))
    found = noisy_welch(one, other, 5.0, 0.0)
    assert np.mean(found.p < 0.05) > 0.9
    assert np.mean(found.value) == pytest.approx(0.1, abs=0.01)


def test_without_noise_a_t_test_is_welchs() -> None:
    rng = np.random.default_rng(4)
    u, v = rng.uniform(-1, 0.8, 40), rng.uniform(-0.5, 0.9, 60)
    one, other = (noisy_moments(values[None], 0.0, rng) for values in (u, v))
    found = noisy_welch(one, other, 1e-12, 0.0)
    exact = stats.ttest_ind(u, v, equal_var=False)
    ends = exact.confidence_interval()
    assert [found.t[0], found.df[0], found.p[0]] == pytest.approx([exact.statistic, exact.df, exact.pvalue])
    assert [found.low[0], found.high[0]] == pytest.approx([ends.low, ends.high])


@dataclass(frozen=True)
class Pair:
    rows: int
    rho: float
    means: tuple[float, float]
    spreads: tuple[float, float]
    deviation: float

    def values(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Values, Values]:
        x, other = rng.normal(size=(2, *shape))
        y = self.rho * x + (1 - self.rho**2) ** 0.5 * other
        u, v = (np.clip(m + s * z, -1, 1) for m, s, z in zip(self.means, self.spreads, (x, y), strict=True))
        return u, v


PAIRS = {
    "none": Pair(200, 0.0, (0.0, 0.3), (0.3, 0.3), 1.0),
    "none, much noise": Pair(1500, 0.0, (0.0, 0.0), (0.3, 0.3), 15.0),
    "some": Pair(800, 0.5, (0.0, 0.0), (0.3, 0.3), 8.0),
    "close": Pair(300, 0.9, (0.0, 0.0), (0.3, 0.3), 2.0),
    "closer, much noise": Pair(3000, 0.95, (0.0, 0.2), (0.3, 0.3), 10.0),
    "little noise": Pair(60, 0.4, (0.0, 0.0), (0.3, 0.3), 0.3),
}


def correlations(pair: Pair, studies: int, seed: int) -> Correlation:
    rng = np.random.default_rng(seed)
    u, v = pair.values((studies, pair.rows), rng)
    x, y = (noisy_moments(one, pair.deviation, rng) for one in (u, v))
    product = (u * v).sum(axis=1) + rng.normal(0, pair.deviation, studies)
    return noisy_pearson(x, Moments(x.count, y.first, y.second), product, pair.deviation, 0.0)


def held(name: str, studies: int, seed: int) -> float:
    """The share of intervals that hold the correlation of the population's clipped values."""
    pair = PAIRS[name]
    true = np.corrcoef(*pair.values((400_000,), np.random.default_rng(0)))[0, 1] if pair.rho else 0.0
    found = correlations(pair, studies, seed)
    assert not np.isnan(found.r).any()
    assert ((found.low <= found.r) & (found.r <= found.high)).all()
    return float(np.mean((found.low <= true) & (true <= found.high)))


@pytest.mark.parametrize("name", PAIRS)
def test_intervals_hold_the_correlation(name: str) -> None:
    assert 0.92 <= held(name, 300, 5) <= 0.985


@pytest.mark.sweep
@pytest.mark.parametrize("name", PAIRS)
def test_intervals_hold_the_correlation_in_2000_studies(name: str) -> None:
    """At least 94 of 100; and p below 0.05 in at most 5.5 where there is none."""
    share = held(name, 2000, 6)
    print(f"{name}: {share:.4f}")
    assert share >= 0.94
    if not PAIRS[name].rho:
        assert np.mean(correlations(PAIRS[name], 4000, 7).p < 0.05) <= 0.055


def test_without_noise_a_correlation_is_pearsons() -> None:
    rng = np.random.default_rng(8)
    u = rng.uniform(-1, 1, (1, 50))
    v = np.clip(u / 2 + rng.uniform(-0.4, 0.4, u.shape), -1, 1)
    x, y = (noisy_moments(one, 0.0, rng) for one in (u, v))
    found = noisy_pearson(x, y, (u * v).sum(axis=1), 1e-12, 0.0)
    assert found.r[0] == pytest.approx(stats.pearsonr(u[0], v[0]).statistic)


def test_nothing_is_told_of_fewer_rows_than_noise_hides() -> None:
    few = Pair(90, 0.0, (0.0, 0.0), (0.3, 0.3), 10.0)
    assert np.isnan(correlations(few, 20, 9).r).mean() > 0.9
    rng = np.random.default_rng(10)
    small = noisy_moments(np.zeros((20, 50)), 10.0, rng)
    assert np.isnan(noisy_welch(small, small, 10.0, 0.0).p).all()


def test_rounding_widens_an_interval() -> None:
    rng = np.random.default_rng(11)
    one, other = (noisy_moments(np.tile([0.5, 0.6], (1, 50)), 0.0, rng) for _ in range(2))
    narrow, wide = (noisy_welch(one, other, 1.0, rounding) for rounding in (0.0, 2.0))
    assert wide.high[0] - wide.low[0] > 2 * (narrow.high[0] - narrow.low[0])


def test_no_difference_is_beyond_the_range() -> None:
    """Of constant values, whose variance the noise hides."""
    rng = np.random.default_rng(12)
    same = noisy_moments(np.full((1, 100), 0.5), 0.0, rng)
    found = noisy_welch(same, same, 0.01, 0.0)
    assert (found.low[0], found.high[0]) == (-2.0, 2.0)


TABLES = {
    "two by two": ((0.5, 0.5), (0.5, 0.5), 300, 10.0),
    "small cells": ((0.05, 0.95), (0.1, 0.9), 500, 8.0),
    "large": ((0.1, 0.2, 0.3, 0.4), (0.25, 0.25, 0.25, 0.25), 2000, 20.0),
    "little noise": ((0.5, 0.5), (0.3, 0.7), 200, 0.5),
    "rare levels": ((0.01, 0.04, 0.95), (0.3, 0.3, 0.4), 1500, 15.0),
}


def dependent(name: str, studies: int, seed: int, more: float = 0.0) -> float:
    """The share of tables whose chi-square is significant at 5 %, where the first cell has so much more."""
    p, q, rows, deviation = TABLES[name]
    chances = np.outer(p, q)
    chances[:2, :2] += np.array([[more, -more], [-more, more]])
    rng = np.random.default_rng(seed)
    found = 0
    for table in rng.multinomial(rows, chances.ravel(), studies):
        noisy = table + rng.normal(0, deviation, table.size)
        test = noisy_chi_square(noisy.reshape(chances.shape), deviation)
        assert test is not None and test[1] == (len(p) - 1) * (len(q) - 1)
        found += test[0] > stats.chi2.ppf(0.95, test[1])
    return found / studies


@pytest.mark.parametrize("name", TABLES)
def test_chi_square_raises_no_false_alarms(name: str) -> None:
    assert 0.015 <= dependent(name, 400, 13) <= 0.08


@pytest.mark.sweep
@pytest.mark.parametrize("name", TABLES)
def test_size_of_chi_square_in_4000_studies(name: str) -> None:
    size = dependent(name, 4000, 14)
    print(f"{name}: {size:.4f}")
    assert size <= 0.055


def test_chi_square_finds_what_depends() -> None:
    assert dependent("two by two", 100, 15, 0.12) > 0.9


def test_without_noise_chi_square_is_pearsons() -> None:
    table = np.random.default_rng(16).integers(1, 50, (3, 4))
    test = noisy_chi_square(table.astype(float), 1e-9)
    exact = stats.chi2_contingency(table, correction=False)
    assert test is not None
    assert test[0] == pytest.approx(exact.statistic) and test[1] == exact.dof
    assert noisy_chi_square(table.astype(float), 100.0) is None
