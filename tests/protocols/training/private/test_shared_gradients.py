"""Noisy gradients of split columns: the sums are right, and a patient changes each by no more than is claimed.

The kit's four checks are in tests/testing, of the case "noisy gradients of columns".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.runtime.party import Party
from mpc.sharing.share import Public
from protocols.functions.sigmoid import TRIG_SCALE, less_half
from protocols.linalg.held import Rows, hold, take_rows
from protocols.plain.perturbed import rising_sigmoid
from protocols.privacy.accounting import epsilon_of
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.training.private import shared_gradients
from protocols.training.private.clipped_gradients import Ranges
from protocols.training.private.filled_columns import filled_columns, in_range, parts_of_norm, scaled_rows
from protocols.training.private.shared_gradients import (
    E_BITS,
    X_BITS,
    SharedGradients,
    largest_error,
    noisy_gradient,
    shared_gradients_job,
    shared_variance,
    squared_norm,
    squared_sensitivity,
    whole_weights,
)
from tests.examples import steady
from tests.helpers import lockstep, owner_names, signed
from tests.protocols.training.private.runs import DEALT, dealt, stream

__all__ = ["dealt"]

UNIT = 2.0 ** -(X_BITS + E_BITS)
NAMES = {"owner0": ("a", "b"), "owner1": ("c",)}
RANGES = Ranges(((0.0, 8.0), (-4.0, 4.0), (0.0, 2.0)))


def settings(rows: int, norm: float = 2.0, steps: int = 3, epsilon: float = 3.0, **changes: Any) -> SharedGradients:
    given: dict[str, Any] = {"step_size": 0.5, "momentum": 0.9, "l2": 0.1, **changes}
    variance = shared_variance(epsilon, 1e-6, 2, norm, rows, steps)
    return SharedGradients(
        owner_names(2),
        "helper",
        RANGES,
        (2, 1),
        rows,
        norm,
        steps,
        epsilon=epsilon,
        delta=1e-6,
        variance=variance,
        **given,
    )


def example(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = np.column_stack((rng.uniform(-1, 9, rows), rng.uniform(-5, 5, rows), rng.uniform(-1, 3, rows)))
    return x, (rng.random(rows) < 0.5).astype(float)


def columns(p: Party, x: np.ndarray, y: np.ndarray) -> OwnColumns:
    """Two columns at the first owner; the third, and the labels, at the second."""
    mine, labels = (x[:, :2], y[:0]) if p.index == 0 else (x[:, 2:], y)
    return OwnColumns(NAMES, "owner1", mine, labels, mine[:0], labels[:0], np.zeros(DIGEST_BITS, dtype=np.uint8))


def opened(x: np.ndarray, y: np.ndarray, w: np.ndarray, how: SharedGradients, seed: int = 0) -> Any:
    """The noisy sum at w, in whole numbers."""

    async def program(p: Party) -> Public:
        own = None if p.dry else columns(p, x, y)
        shared, labels = filled_columns(p, own, how.ranges, how.widths, how.rows, squared_norm(how.norm), X_BITS)
        rows = take_rows(await hold(p, shared), Rows.of(np.arange(how.rows)))
        wanted = less_half(p, labels, 1.0, TRIG_SCALE + shared_gradients._COEFFICIENTS)
        noise = None if p.dry else stream(p.name, seed)
        return await noisy_gradient(p, shared, rows, wanted, w, noise, how)

    return lockstep(dict.fromkeys(owner_names(2), program), seed)


def ready(x: np.ndarray, how: SharedGradients) -> np.ndarray:
    """Rows as the protocol has them, as real numbers."""
    parts = []
    for k, own in enumerate((slice(0, 2), slice(2, 3))):
        length = parts_of_norm(squared_norm(how.norm), X_BITS, how.widths)[k]
        words = scaled_rows(in_range(x[:, own], Ranges(how.ranges.each[own])), length, X_BITS)
        parts.append(signed(words).astype(float) / 2.0**X_BITS)
    return np.column_stack((*parts, np.ones(len(x))))


def noise_of(how: SharedGradients, seed: int) -> np.ndarray:
    """All noise of a run, step by step (T, d + 1)."""
    own = [stream(name, seed) for name in owner_names(2)]
    steps = [sum(signed(how.noise.own(one, how.features + 1)).astype(float) for one in own) for _ in DEALT]
    return np.array(steps) + np.array(DEALT, dtype=float)


@steady(12)
@given(st.integers(1, 20), st.integers(0, 3), st.floats(1.1, 4.0), st.floats(0.0, 6.0), st.integers(0, 99))
def test_the_sum_is_that_of_the_gradients(rows: int, more: int, norm: float, size: float, seed: int) -> None:
    DEALT.clear()
    how = settings(rows + more, norm)
    x, y = example(rows, seed)
    w = np.random.default_rng(seed).normal(size=4) * size
    outcome = opened(x, y, w, how, seed)
    found = (signed(outcome.results["owner0"].value).astype(float) - noise_of(how, seed)[0]) * UNIT
    words = whole_weights(w, how, 64 - 7 - X_BITS)
    at = signed(words).astype(float) / 2.0 ** (64 - 7 - X_BITS)
    z = ready(x, how) @ at
    exact = ready(x, how).T @ (rising_sigmoid(z, how.fit)[0] - y)
    assert np.linalg.norm(found - exact) <= rows * norm * (1.2 * 2.0**-E_BITS)
    assert np.abs(z).max() <= how.fit.reach
    assert set(outcome.rounds.values()) == {4}


def test_the_model_is_that_of_its_noise() -> None:
    """Nesterov's steps in the clear, with the noise that was drawn, give the same model."""
    how, (x, y) = settings(15, steps=4), example(12, 3)

    def program(p: Party) -> Any:
        own = None if p.dry else columns(p, x, y)
        return shared_gradients_job(p, own, None if p.dry else stream(p.name, 6), how)

    outcome = lockstep(dict.fromkeys(owner_names(2), program), 6)
    rows, noise = ready(x, how), noise_of(how, 6) * UNIT
    w, velocity, late = np.zeros(4), np.zeros(4), np.zeros(4)
    for t in range(4):
        ahead = w + 0.9 * velocity
        shorter = signed(whole_weights(ahead, how, 45)).astype(float) / 2.0**45
        g = rows.T @ (rising_sigmoid(rows @ shorter, how.fit)[0] - y) + noise[t]
        velocity = 0.9 * velocity - 0.5 * (g / 15 + 0.1 * np.append(ahead[:-1], 0.0))
        w = w + velocity
        late = late + w * (t >= 2)
    found = outcome.results["owner0"]
    assert np.array(found.standardised) == pytest.approx(late / 2, abs=5e-3)
    assert len({one.weights for one in outcome.results.values() if one is not None}) == 1
    own_units = np.array(found.weights) @ np.array([1.0, 2.0, 0.5]) + found.intercept
    assert own_units == pytest.approx(np.array(found.standardised) @ np.array([-0.75, 0.5, -0.5, 1.0]))
    assert set(outcome.rounds.values()) == {3 * 4 + 3}
    assert [item.what for item in outcome.reveals] == ["row alignment", *["noisy gradients"] * 4]


# -- how far a patient changes a sum


@steady(20)
@given(st.integers(1, 12), st.floats(1.1, 4.0), st.floats(0.0, 30.0), st.integers(0, 99))
def test_a_patient_changes_a_sum_no_further(rows: int, norm: float, size: float, seed: int) -> None:
    """With one more patient and the same masks and noise, the opened sums differ by no more than D, exactly."""
    how = settings(rows + 1, norm)
    x, y = example(rows, seed)
    w = np.random.default_rng(seed).normal(size=4) * size
    first = bool(seed % 2)  # or last: then the others stay under the same masks
    worst = how.ranges.centres + np.sign(w[:3]) * how.ranges.halves
    before = signed(opened(x, y, w, how, seed).results["owner0"].value)
    for label in (0.0, 1.0):
        grown = np.vstack((worst, x) if first else (x, worst)), np.append(label, y) if first else np.append(y, label)
        after = signed(opened(*grown, w, how, seed).results["owner0"].value)
        assert sum(int(one) ** 2 for one in after - before) <= squared_sensitivity(norm, how.rows)


def test_one_patient_reaches_nearly_that_far() -> None:
    how = settings(1, 2.0)
    w = np.full(4, 5.0)
    x = (how.ranges.centres + how.ranges.halves)[np.newaxis]
    opened(x, np.zeros(1), w, how)
    found = signed(opened(x, np.zeros(1), w, how).results["owner0"].value).astype(float) - noise_of(how, 0)[1]
    assert (found**2).sum() > 0.98 * squared_sensitivity(2.0, 1)


def test_no_error_is_larger_at_any_score() -> None:
    fit = settings(1).fit
    s, _ = rising_sigmoid(np.linspace(-fit.period, fit.period, 20_001), fit)
    most = max(s.max(), 1 - s.min()) * 2**E_BITS
    assert most + 1 <= largest_error(fit) <= most + 5


@given(
    st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).filter(lambda w: np.linalg.norm(w) > 0.01),
    st.sampled_from([0.01, 0.99, 1.5, 1e6]),
    st.floats(1.1, 60.0),
)
def test_long_weights_are_shortened(direction: list[float], times: float, norm: float) -> None:
    """Weights so many times as long as they may be; shorter ones stay as they are."""
    how = settings(1, norm, epsilon=20.0)
    w = np.array(direction) / np.linalg.norm(direction) * times * how.fit.reach / norm
    found = signed(whole_weights(w, how, 45)).astype(float) / 2.0**45
    assert np.linalg.norm(found) * norm <= how.fit.reach
    if times < 1:
        assert found == pytest.approx(w, abs=1e-12)


@pytest.mark.parametrize(("epsilon", "steps"), [(0.1, 5), (1.0, 20), (10.0, 40)])
def test_the_noise_is_what_epsilon_takes(epsilon: float, steps: int) -> None:
    how = settings(9, 2.5, steps, epsilon)
    assert 0.99 * epsilon < epsilon_of([how.mechanism], 1e-6) <= epsilon
    assert how.mechanism.squared == squared_norm(2.5) * (largest_error(how.fit) + 8 * 3) ** 2


def test_opened_sums_have_twice_the_claims_variance() -> None:
    """Of 800 sums over no rows: half of the helper's noise, or one owner's missing, is outside of these limits."""
    how, nobody = settings(1), (np.zeros((0, 3)), np.zeros(0))
    found = [signed(opened(*nobody, np.zeros(4), how, seed).results["owner0"].value) for seed in range(200)]
    spread = np.square(np.concatenate(found).astype(float)).mean() / how.noise.opened_variance
    assert 0.84 < spread < 1.18
    assert (found[0] != found[1]).all()
