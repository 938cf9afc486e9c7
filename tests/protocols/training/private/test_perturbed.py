"""Output perturbation: how near the training comes to its minimum, how far a patient moves it, and the noise in it.

The kit's four checks are in tests/testing, of the case "noisy model".
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import UsageError
from mpc.runtime.party import Party
from protocols.plain.perturbed import minimum, rising_sigmoid
from protocols.privacy.accounting import epsilon_of
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.training.accelerated import momentum_words
from protocols.training.accelerated_budget import MOMENTUM_BITS
from protocols.training.private.bounds import Course, Perturbed, automatic_strength, course_of, perturbed
from protocols.training.private.clipped_gradients import FINE, Ranges
from protocols.training.private.filled_columns import parts_of_norm, scaled_rows
from protocols.training.private.perturbed_job import (
    LabelledRows,
    PerturbedSettings,
    perturbed_columns_job,
    perturbed_rows_job,
)
from tests.examples import steady
from tests.helpers import lockstep, owner_names, signed
from tests.protocols.training.private.runs import DEALT, DELTA, dealt, example, real, stream, train

__all__ = ["dealt"]


def settings(rows: int, columns: int, epsilon: float, owners: int, norm: float = 2.0, **given: Any) -> Perturbed:
    strength = given.get("strength") or automatic_strength(epsilon, DELTA, rows, columns, norm)
    return perturbed(rows, columns, norm, strength, epsilon, DELTA, owners)


def optimum(x: np.ndarray, y: np.ndarray, how: Perturbed) -> np.ndarray:
    return minimum(real(x, how), y.astype(float), how.course.strength, how.course.how.fit)


# -- the distance from the minimum


@steady(16)
@given(
    st.integers(2, 4),
    st.integers(1, 30),
    st.integers(2, 6),
    st.sampled_from([0.1, 1.0, 5.0, 20.0]),
    st.floats(1.0, 4.0),
    st.integers(0, 1000),
)
def test_the_training_ends_near_the_minimum(
    owners: int, each: int, columns: int, epsilon: float, norm: float, seed: int
) -> None:
    """What is opened, less the noise, is as near to the minimum as the plan's bound says."""
    how = settings(owners * each, columns, epsilon, owners, norm)
    x, y = example(owners * each, columns, how, seed)
    outcome = train(x, y, how, owners, seed)
    opened = signed(outcome.results["owner0"].value)
    of_owners = sum(signed(how.noise.own(stream(name, seed), columns)) for name in owner_names(owners))
    found = (opened - of_owners - DEALT.pop()).astype(float) / 2.0**how.grid
    grid = sqrt(columns) / 2.0**how.grid
    assert np.linalg.norm(found - optimum(x, y, how)) <= how.course.distance + grid
    assert how.course.distance < 0.04 * how.course.sensitivity
    assert set(outcome.rounds.values()) == {3 * how.course.steps + 3}
    assert [item.what for item in outcome.reveals] == ["noisy model"]


@steady(20)
@given(
    st.integers(1, 60), st.integers(2, 5), st.sampled_from([0.3, 3.0, 20.0]), st.floats(1.0, 4.0), st.integers(0, 99)
)
def test_the_worst_rounding_keeps_to_the_bound(rows: int, columns: int, epsilon: float, norm: float, seed: int) -> None:
    """In floating point, where each step's rounding is as large as it can be and leads away from the minimum."""
    how = settings(rows, columns, epsilon, 2, norm)
    course, fit = how.course, how.course.how.fit
    x, y = example(rows, columns, how, seed)
    x, best = real(x, how), optimum(x, y, how)
    each = 2.0**-course.how.bits.e
    b = course.how.momentum
    carried, ahead = (word / 2.0**MOMENTUM_BITS for word in momentum_words(b))
    weight = (1 + b) * course.how.rate / rows
    v, u = np.zeros(columns), np.zeros(columns)
    for _ in range(4 * course.steps):
        away = np.sign(v - best) + (v == best)
        wrong = x.T @ (each * np.sign(x @ away))  # one unit of each row's error, all in one direction
        gamma = weight * (x.T @ (rising_sigmoid(x @ v, fit)[0] - y) + course.strength * v) - wrong
        v, u = v - gamma + ahead * u, carried * u - gamma
    assert np.linalg.norm(v - best) <= course.distance


@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_jobs_train_on_what_the_owners_have(partition: Any) -> None:
    """Rows of two lengths, filled up; columns of two and one, the labels at the second owner; in their own units."""
    ranges = Ranges(((0.0, 8.0), (-4.0, 4.0), (0.0, 2.0)))
    rng, most = np.random.default_rng(8), 9
    x = np.column_stack((rng.uniform(-1, 9, 12), rng.uniform(-5, 5, 12), rng.uniform(0, 2, 12)))
    y = (rng.random(12) < 0.5).astype(float)
    split = partition == "vertical"
    kept = slice(0, 7) if split else slice(0, 12)
    widths = (2, 1) if split else (3,)
    how = settings(most if split else 2 * most, 4, 5.0, 2, 1.6)
    job = PerturbedSettings(owner_names(2), "helper", partition, ranges, widths, most, how)
    names = {"owner0": ("a", "b"), "owner1": ("c",)}

    def program(p: Party) -> Any:
        mine = None if p.dry else stream(p.name, 4)
        if not split:
            part = slice(0, 5) if p.index == 0 else slice(5, 12)
            return perturbed_rows_job(p, None if p.dry else LabelledRows(("a", "b", "c"), x[part], y[part]), mine, job)
        columns, labels = (x[kept, :2], y[:0]) if p.index == 0 else (x[kept, 2:], y[kept])
        ids = np.zeros(DIGEST_BITS, dtype=np.uint8)
        own = OwnColumns(names, "owner1", columns, labels, columns[:0], labels[:0], ids)
        return perturbed_columns_job(p, None if p.dry else own, mine, job)

    trained = lockstep(dict.fromkeys(owner_names(2), program), 4).results["owner0"]
    noise = DEALT.pop() + sum(signed(how.noise.own(stream(name, 4), 4)) for name in owner_names(2))
    lengths = parts_of_norm(how.squared_norm, how.x_scale, widths)
    u = ranges.whole_rows(x[kept])[:, :-1] / 2.0**FINE
    parts = np.split(u, [2], axis=1) if split else [u]
    words = [scaled_rows(part, length, how.x_scale) for part, length in zip(parts, lengths, strict=True)]
    ready = np.column_stack((*(real(one, how) for one in words), np.ones(len(u))))
    best = minimum(ready, y[kept], how.course.strength, how.course.how.fit)
    found = np.array(trained.standardised) - noise.astype(float) / 2.0**how.grid
    assert np.linalg.norm(found - best) <= how.course.distance + 2 / 2.0**how.grid
    own_units = np.array(trained.weights) @ np.array([1.0, 2.0, 0.5]) + trained.intercept
    assert own_units == pytest.approx(np.array(trained.standardised) @ np.array([-0.75, 0.5, -0.5, 1.0]))


# -- how far a patient moves the minimum


@steady(40)
@given(
    st.integers(0, 40), st.integers(2, 5), st.sampled_from([0.3, 3.0, 20.0]), st.floats(1.0, 4.0), st.integers(0, 999)
)
def test_a_patient_moves_the_minimum_no_further(
    rows: int, columns: int, epsilon: float, norm: float, seed: int
) -> None:
    """Any rows, and one more that is as long as it may be and labelled against the model."""
    how = settings(rows + 1, columns, epsilon, 2, norm)
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(rows + 1, columns)) * 10
    x = scaled_rows(u, how.squared_norm, how.x_scale)
    y = rng.integers(0, 2, rows + 1).astype(np.uint64)
    without = np.vstack([x[:-1], np.zeros_like(x[-1:])])
    best = optimum(without, y, how)
    y[-1] = real(x[-1:], how)[0] @ best < 0
    assert np.linalg.norm(optimum(x, y, how) - best) <= how.course.sensitivity


def test_one_patient_alone_moves_it_half_as_far() -> None:
    """The bound is that of a patient for whom the model is quite wrong: it is no larger than need be."""
    how = settings(1, 2, 0.3, 2)
    x = scaled_rows(np.array([[9.0, 9.0]]), how.squared_norm, how.x_scale)
    assert np.linalg.norm(optimum(x, np.array([1]), how)) > 0.47 * how.course.sensitivity


def test_rows_that_fill_up_change_nothing() -> None:
    how = settings(8, 3, 1.0, 2)
    x, y = example(8, 3, how, 5)
    x[3], x[6] = 0, 0
    y[3], y[6] = 0, 0
    one = signed(train(x, y, how, 2).results["owner0"].value)
    y[3] = 1
    x[[6, 7]], y[[6, 7]] = x[[7, 6]], y[[7, 6]]
    other = signed(train(x, y, how, 2).results["owner0"].value)
    assert np.abs(one - other).max() <= 2  # each is cut to the grid within one unit


# -- the noise


def test_the_noise_is_what_epsilon_takes() -> None:
    how = settings(200, 6, 1.0, 2)
    assert 0.99 < epsilon_of(how.mechanisms, DELTA) <= 1.0
    units = 2.0**how.grid * (how.course.sensitivity + 2 * how.course.distance) + 2 * sqrt(6)
    assert units**2 <= how.squared < 1.01 * units**2
    steepest = 0.5 + how.course.how.fit.bound
    assert how.course.sensitivity == pytest.approx(steepest * how.norm / how.course.strength, rel=2e-3)


def test_opened_weights_have_twice_the_claims_variance() -> None:
    """Of 900 weights with noise: half of the helper's, or one owner's missing, is outside of these limits."""
    how, found = settings(2, 300, 1.0, 2), []
    x = np.zeros((2, 300), dtype=np.uint64)
    for seed in range(3):
        found.append(signed(train(x, np.zeros(2, dtype=np.uint64), how, 2, seed).results["owner0"].value))
    spread = np.square(np.concatenate(found).astype(float)).mean() / how.noise.opened_variance
    assert 0.85 < spread < 1.17
    assert (found[0] != found[1]).mean() > 0.9


# -- rows


@steady(60)
@given(st.integers(1, 6), st.integers(4, 14), st.floats(1.0, 60.0), st.floats(1e-3, 1e6), st.integers(0, 999))
def test_no_row_is_longer_than_agreed(columns: int, scale: int, norm: float, size: float, seed: int) -> None:
    squared = int(norm**2 * 4**scale)
    u = np.random.default_rng(seed).normal(size=(5, columns)) * size
    whole = signed(scaled_rows(u, squared, scale))
    assert ((whole.astype(object) ** 2).sum(axis=1) <= squared).all()
    length = np.sqrt((u**2).sum(axis=1, keepdims=True))
    wanted = u * np.minimum(1, norm / length) * 2.0**scale
    assert np.abs(whole - wanted).max() <= 1 + 1e-3


@pytest.mark.parametrize("squared", [0, 1])
def test_a_row_of_zeros_is_zeros_whatever_is_agreed(squared: int) -> None:
    assert scaled_rows(np.zeros((1, 2)), squared, 10).tolist() == [[0, 0]]


@given(st.lists(st.integers(0, 9), min_size=2, max_size=5).filter(any), st.floats(1.01, 9), st.integers(6, 12))
def test_the_owners_parts_make_the_agreed_length(columns: list[int], norm: float, scale: int) -> None:
    squared = int(norm**2 * 4**scale)
    parts = parts_of_norm(squared, scale, tuple(columns))
    assert squared - len(columns) <= sum(parts) + 4**scale <= squared


# -- what is refused


def test_a_penalty_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="needs more of a penalty than l2 = 1e-06"):
        course_of(1000, 5, 2.0, 1e-3)


def test_many_rows_take_fewer_bits_of_a_feature() -> None:
    def course(rows: int) -> Course:
        return course_of(rows, 31, 2.0, automatic_strength(1.0, DELTA, rows, 31, 2.0))

    assert course(400).how.bits.x > course(100_000).how.bits.x
    assert course(100_000).distance < 0.05 * course(100_000).sensitivity
