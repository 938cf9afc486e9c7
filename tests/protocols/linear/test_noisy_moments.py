"""Noisy sums of products: how far a patient changes them, whether they are the pooled ones, how much noise is in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.randomness.streams import Stream, derive
from mpc.runtime.lockstep import Outcome
from mpc.runtime.party import Party
from protocols.linear.noisy_moments import (
    REACH,
    Levels,
    NoisyLinear,
    Number,
    Scaling,
    enough_variance,
    noisy_linear_job,
    own_products,
)
from protocols.privacy.accounting import epsilon_of
from tests.examples import steady
from tests.helpers import lockstep, owner_names

SCALING = Scaling((Number(0.0, 100.0), Levels(2), Number(-3.0, 1.0)), Number(-10.0, 10.0))


def settings_of(owners: int = 3, epsilon: float = 1.0, scaling: Scaling = SCALING) -> NoisyLinear:
    names = tuple(f"x{k}" for k in range(scaling.columns))
    variance = enough_variance(epsilon, 1e-6, owners)
    return NoisyLinear(owner_names(owners), "helper", names, "y", scaling, epsilon, 1e-6, variance)


def rows_of(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    level = rng.integers(0, 3, count)
    x = np.column_stack((rng.normal(50, 25, count), level == 1, level == 2, rng.normal(-1, 1, count)))
    return x, rng.normal(0, 5, count)


def run(settings: NoisyLinear, parts: list[tuple[np.ndarray, np.ndarray]], seed: int = 0) -> Outcome:
    def factory(x: np.ndarray, y: np.ndarray) -> Any:
        def program(p: Party) -> Any:
            if p.dry:
                return noisy_linear_job(p, None, None, settings)
            return noisy_linear_job(p, (x, y), Stream(derive(bytes(32), f"{seed}/{p.name}")), settings)

        return program

    return lockstep({name: factory(*own) for name, own in zip(settings.owners, parts, strict=True)}, seed)


def scaled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """z of each row by another way: a row at a time, and an equilateral triangle for the three levels."""
    corners = {(0.0, 0.0): (1.0, 0.0), (1.0, 0.0): (-0.5, 0.75**0.5), (0.0, 1.0): (-0.5, -(0.75**0.5))}
    part, rows = (2 / 3) ** 0.5, []
    for (first, *levels, second), target in zip(x.tolist(), y.tolist(), strict=True):
        u = [1.0, 2 * part * (min(100, max(0, first)) - 50) / 50]
        u += [part * one for one in corners[tuple(levels)]]
        u += [2 * part * (min(1, max(-3, second)) + 1) / 2]
        short = min(1.0, (3 / sum(one * one for one in u)) ** 0.5)
        rows.append([short * one for one in (*u, min(10, max(-10, target)) / 10)])
    return np.array(rows)


def test_opened_sums_are_the_pooled_ones_and_noise() -> None:
    settings, parts = settings_of(), [rows_of(100 + 30 * k, k) for k in range(3)]
    outcome = run(settings, parts)
    first, *others = outcome.results.values()
    assert all((one == first).all() for one in others)
    z = scaled(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    gap = (first - z.T @ z)[np.triu_indices(6)] / settings.deviation
    gap *= np.where(np.equal(*np.triu_indices(6)), 1.0, 2**0.5)
    assert abs(gap).max() < 5
    assert 0.6 < gap.std() < 1.4
    assert (len(outcome.plan.rounds), len(outcome.plan.reveals)) == (1, 1)


def test_owners_add_up_their_products_but_for_cuts() -> None:
    settings, (x, y) = settings_of(), rows_of(500, 3)
    z = scaled(x, y)
    first, second = np.triu_indices(6)
    exact = (z.T @ z)[first, second] * np.where(first == second, 1.0, 2**0.5)
    assert np.abs(own_products(x, y, settings) * settings.unit - exact).max() < 500 * 2.0**-21


anything = st.one_of(
    st.floats(-1e9, 1e9), st.sampled_from([0.0, 100.0, 1.0, -3.0, 10.0, 1e300, -1e300, 5e-324, 2.0**40])
)


NARROW = Scaling((Number(0.0, 5e-324), Levels(2), Number(2.0**40, 2.0**40 + 2.0**-12)), Number(-5e-324, 0.0))


@steady(200)
@given(st.lists(anything, min_size=10, max_size=10), st.sampled_from([SCALING, NARROW]))
def test_a_patient_changes_the_vector_by_at_most_the_reach(cells: list[float], scaling: Scaling) -> None:
    """Whatever is in its row, indicators that are none too, and whatever the ranges: the claim rests on this."""
    settings = settings_of(scaling=scaling)
    (x, more), (y, another) = np.array(cells).reshape(2, 5)[:, :4], np.array(cells).reshape(2, 5)[:, 4]
    one = own_products(x[None], np.array([y]), settings)
    both = own_products(np.array([x, more]), np.array([y, another]), settings)
    for change in (one, both - one):
        assert sum(int(k) ** 2 for k in change) <= REACH**2


def test_the_reach_is_reached() -> None:
    """By a row at its ranges' quarters and the target at the end: so it is no larger than it has to be."""
    scaling = Scaling((Number(0.0, 100.0), Number(0.0, 100.0)), Number(-10.0, 10.0))
    change = own_products(np.array([[75.0, 25.0]]), np.array([10.0]), settings_of(scaling=scaling))
    assert 0.999 < np.sqrt((change.astype(float) ** 2).sum()) / REACH <= 1


@pytest.mark.parametrize("columns", [1, 2, 3, 9])
def test_levels_are_at_one_distance_from_each_other(columns: int) -> None:
    slope, constant = Scaling((Levels(columns),), Number(0, 1)).parts
    corners = np.vstack((constant, constant + slope))
    apart = np.linalg.norm(corners[:, None] - corners[None], axis=2)
    assert np.linalg.norm(corners, axis=1) == pytest.approx(np.full(columns + 1, 2**0.5))
    assert apart == pytest.approx(apart[0, 1] * (1 - np.eye(columns + 1)))


@pytest.mark.parametrize("epsilon", [0.01, 0.7, 20.0])
def test_what_is_charged_is_epsilon(epsilon: float) -> None:
    settings = settings_of(epsilon=epsilon)
    assert 0.98 * epsilon < epsilon_of([settings.mechanism], 1e-6, near=epsilon) <= epsilon
    assert (settings.mechanism.squared, settings.mechanism.times) == (REACH**2, 1)
    assert settings.noise.opened_variance == 2 * settings.mechanism.variance
