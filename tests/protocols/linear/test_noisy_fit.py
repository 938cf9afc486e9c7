"""Coefficients and intervals from noisy sums of products: exact without noise, and right as often as they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from protocols.linear.noisy_fit import CLEAR, NoisyFit, fit_moments
from protocols.linear.noisy_moments import Levels, Number, Scaling, enough_variance

UNIT = 2.0**-22


def names_of(scaling: Scaling) -> tuple[str, ...]:
    return tuple(f"x{k}" for k in range(scaling.columns))


def fitted(x: np.ndarray, y: np.ndarray, scaling: Scaling, deviation: float = 1e-9) -> NoisyFit:
    z = scaling.rows(x, y)
    return fit_moments(z.T @ z, names_of(scaling), scaling, deviation)


def mixed(rows: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A number, a category of three levels, a number; the target."""
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, rows)
    x = np.column_stack((rng.normal(60, spread * 20, rows), level == 1, level == 2, rng.normal(-1, spread, rows)))
    return x, 3 + 0.05 * x[:, 0] - x[:, 1] + 2 * x[:, 2] - 0.7 * x[:, 3] + rng.normal(0, 1, rows)


MIXED = Scaling((Number(0.0, 120.0), Levels(2), Number(-4.0, 2.0)), Number(-30.0, 40.0))


def test_without_noise_it_is_least_squares() -> None:
    """Of rows that all count whole; in the columns' own units, a category's levels against its first."""
    x, y = mixed(400, 0.3)
    fit, design = fitted(x, y, MIXED), np.column_stack((x, np.ones(400)))
    exact, left, *_ = np.linalg.lstsq(design, y, rcond=None)
    se = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * left[0] / 395)
    assert fit.coefficients == pytest.approx(exact, abs=1e-8)
    assert fit.errors == pytest.approx(se, rel=1e-6)
    assert fit.weight == pytest.approx(400)
    assert fit.residual_se == pytest.approx((left[0] / 395) ** 0.5, rel=1e-6)
    assert fit.explained is not None
    assert fit.explained.value == pytest.approx(1 - left[0] / ((y - y.mean()) ** 2).sum(), abs=1e-8)
    assert fit.low is not None and fit.high is not None
    reach = (np.array(fit.high) - np.array(fit.low)) / 2 / np.array(fit.errors)
    assert reach == pytest.approx(np.full(5, 1.04 * 1.966), rel=1e-3)


def test_long_rows_count_less_and_bias_nothing() -> None:
    """The fit is that with weights 3 / |u|^2 of the rows that are longer, which depend on features alone."""
    x, y = mixed(400, 1.2)
    z = MIXED.rows(x, y)
    weight = z[:, 0] ** 2
    assert 0.2 < weight.min() < 0.9 and weight.max() == 1
    clipped = np.clip(x, [0, 0, 0, -4], [120, 1, 1, 2])
    design = np.column_stack((clipped, np.ones(400))) * np.sqrt(weight)[:, None]
    exact = np.linalg.lstsq(design, y * np.sqrt(weight), rcond=None)[0]
    assert fitted(x, y, MIXED).coefficients == pytest.approx(exact, abs=1e-8)


def test_an_intercept_alone_is_a_mean() -> None:
    y = np.arange(40.0)
    assert fitted(np.zeros((40, 0)), y, Scaling((), Number(0.0, 39.0))).coefficients == pytest.approx([19.5])


def test_errors_grow_with_the_noise_until_there_are_none() -> None:
    x, y = mixed(400, 0.4)
    little, more, most = (fitted(x, y, MIXED, deviation) for deviation in (1e-9, 3.0, 40.0))
    assert little.errors is not None and more.errors is not None and more.noise_errors is not None
    assert all(a < b for a, b in zip(little.errors, more.errors, strict=True))
    assert all(a < b for a, b in zip(more.noise_errors, more.errors, strict=True))
    assert more.clear >= CLEAR > most.clear
    assert (most.errors, most.low, most.high, most.residual_se) == (None, None, None, None)
    assert most.ridge > 0 and np.isfinite(most.coefficients).all()


def test_sums_that_are_all_noise_give_small_coefficients() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 20, (6, 6))
    fit = fit_moments(noise + noise.T, names_of(MIXED), MIXED, 20 * 2**0.5)
    assert fit.errors is None and fit.explained is None
    assert abs(np.array(fit.coefficients[:-1]) * [60, 1, 1, 3]).max() < 100


# -- how often intervals hold


@dataclass(frozen=True)
class Design:
    """Simulated studies: of so many rows and features, with noise for an epsilon."""

    kind: str
    rows: int
    features: int
    epsilon: float

    def __str__(self) -> str:
        return f"{self.kind}, {self.rows} rows, {self.features} features, epsilon {self.epsilon:g}"

    @property
    def scaling(self) -> Scaling:
        term = Levels(1) if self.kind == "levels" else Number(-1.0, 1.0)
        return Scaling((term,) * self.features, Number(-3.0, 3.0))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        shape = (self.rows, self.features)
        if self.kind == "levels":
            return (rng.random(shape) < 0.3).astype(float)
        if self.kind == "even":
            return rng.uniform(-1, 1, shape)
        together = 0.21 * rng.normal(size=(self.rows, 1)) if self.kind == "together" else 0.0
        return np.clip(rng.normal(0, 0.33, shape) + together, -1, 1)


@dataclass(frozen=True)
class Held:
    """Of so many studies: how many had intervals, how often each coefficient was in its own, and R2 in its."""

    given: float
    least: float
    mean: float
    r2_wrong: float


def simulated(design: Design, studies: int, seed: int = 1) -> Held:
    rng, scaling, k = np.random.default_rng(seed), design.scaling, design.features + 1
    deviation = (2 * enough_variance(design.epsilon, 1e-6, 2)) ** 0.5 * UNIT
    truth = np.append(np.where(np.arange(k - 1) % 2 == 0, 1.0, -0.5) / max(1, (k - 1) / 3), 0.3)
    held, given, r2_wrong = np.zeros(k), 0, 0
    for _ in range(studies):
        x = design.draw(rng)
        y = x @ truth[:-1] + truth[-1] + rng.normal(0, 0.5, design.rows)
        z = scaling.rows(x, y)
        exact = z.T @ z
        noise = np.triu(rng.normal(0, deviation / 2**0.5, exact.shape), 1)
        noise += noise.T + np.diag(rng.normal(0, deviation, k + 1))
        fit = fit_moments(exact + noise, names_of(scaling), scaling, deviation)
        if fit.low is None or fit.high is None:
            continue
        given += 1
        held += (np.array(fit.low) <= truth) & (truth <= np.array(fit.high))
        if fit.explained is not None:
            b = np.linalg.solve(exact[:k, :k], exact[:k, k])
            spread = exact[k, k] - exact[0, k] ** 2 / exact[0, 0]
            r2 = 1 - (exact[k, k] - b @ exact[:k, k]) / spread
            r2_wrong += not fit.explained.low <= r2 <= fit.explained.high
    share = held / max(1, given)
    return Held(given / studies, float(share.min()), float(share.mean()), r2_wrong / studies)


FEW = [Design("numbers", 300, 1, 1.0), Design("levels", 500, 3, 2.0)]


@pytest.mark.parametrize("design", FEW, ids=str)
def test_intervals_hold_the_true_coefficients(design: Design) -> None:
    held = simulated(design, 300)
    assert held.given > 0.9
    assert held.least >= 0.93 and held.mean >= 0.94, held
    assert held.r2_wrong <= 0.06


def test_half_of_the_noise_unsaid_would_be_seen() -> None:
    """Intervals for less noise than there is hold far less often: so that the test above can fail."""
    x, truth, rng = Design("even", 400, 2, 1.0).draw(np.random.default_rng(2)), [1.0, -0.5], np.random.default_rng(3)
    scaling, missed = Scaling((Number(-1.0, 1.0),) * 2, Number(-3.0, 3.0)), 0
    z = scaling.rows(x, x @ truth + rng.normal(0, 0.5, 400))
    for _ in range(200):
        noise = np.triu(rng.normal(0, 20 / 2**0.5, (4, 4)), 1)
        noise += noise.T + np.diag(rng.normal(0, 20, 4))
        fit = fit_moments(z.T @ z + noise, names_of(scaling), scaling, 10.0)
        assert fit.low is not None and fit.high is not None
        missed += not fit.low[0] <= 1.0 <= fit.high[0]
    assert missed > 20


MANY = [
    Design(kind, rows, features, epsilon)
    for kind in ("even", "numbers", "together", "levels")
    for rows, features, epsilon in (
        (200, 1, 1.0),
        (1000, 1, 0.3),
        (300, 2, 1.0),
        (2000, 2, 1.0),
        (400, 5, 3.0),
        (2000, 5, 1.0),
        (20000, 5, 0.3),
        (4000, 10, 1.0),
        (1000, 10, 10.0),
    )
]


@pytest.mark.sweep
@pytest.mark.parametrize("design", MANY, ids=str)
def test_intervals_hold_in_1000_studies(design: Design) -> None:
    """In at least 94 of 100 of the studies that have intervals, each coefficient; where hardly any has, of all."""
    held = simulated(design, 1000)
    print(design, held)
    if held.given >= 0.05:
        assert held.least >= 0.94, held
    assert held.given * (1 - held.least) <= 0.06
    assert held.r2_wrong <= 0.06
