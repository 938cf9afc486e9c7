"""Clipped gradients in whole numbers: what they are, and how far a row can change their sum."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.randomness.streams import Stream, derive
from protocols.training.private.clipped_gradients import (
    FINE,
    Clipping,
    Ranges,
    WholeRows,
    clipped,
    coins,
    own_sum,
    whole_weights,
)
from tests.examples import steady

RANGES = Ranges(((0.0, 100.0), None, (-5.0, 3.0)))


def rows_of(x: list[list[float]], y: list[int]) -> WholeRows:
    whole = RANGES.whole_rows(np.array(x, dtype=float).reshape(-1, 3))
    return WholeRows(whole, np.array(y, dtype=np.int64))


def in_floating_point(x: np.ndarray, y: np.ndarray, w: np.ndarray, norm: float) -> np.ndarray:
    """The same by another way: u by its definition, the exact sigmoid, and the clipping of Abadi et al."""
    u = np.clip(np.stack([x[:, 0] / 50 - 1, x[:, 1], (x[:, 2] + 1) / 4], axis=1), [-1, 0, -1], 1)
    a = np.column_stack([u, np.ones(len(x))])
    g = (1 / (1 + np.exp(-(a @ w))) - y)[:, np.newaxis] * a
    return g / np.maximum(1.0, np.linalg.norm(g, axis=1) / norm)[:, np.newaxis]


@pytest.mark.parametrize("norm", [0.3, 1.0, 9.0])
def test_gradients_are_those_of_floating_point(norm: float) -> None:
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.uniform(-20, 120, 300), rng.integers(0, 2, 300), rng.uniform(-6, 4, 300)])
    y, w = rng.integers(0, 2, 300), rng.normal(size=4)
    found = clipped(rows_of(x.tolist(), y.tolist()), whole_weights(w), Clipping(norm))
    assert np.abs(found / 2.0**FINE - in_floating_point(x, y, w, norm)).max() < 5e-4


number = st.one_of(st.floats(-1e12, 1e12), st.sampled_from([0.0, 100.0, -0.0, 1e300, -1e300, 50.0]))
row = st.tuples(number, number, number, st.integers(0, 1))
weights = st.lists(st.one_of(st.floats(-20, 20), st.sampled_from([1e9, -1e9, 0.0])), min_size=4, max_size=4)
norms = st.one_of(st.floats(2.0**-6, 64.0), st.sampled_from([2.0**-6, 0.5, 1.0, 64.0]))
classes = st.sampled_from([(1.0, 1.0), (0.25, 1.0), (1.0, 1.0 / 64)])


@steady(300)
@given(st.lists(row, max_size=6), row, weights, norms, classes)
def test_a_row_changes_a_sum_by_its_norm_at_most(
    rows: list[tuple[float, float, float, int]],
    more: tuple[float, float, float, int],
    w: list[float],
    norm: float,
    each: tuple[float, float],
) -> None:
    """The claim rests on this: in whole numbers, whatever the rows, the weights and the order of the rows."""
    how, at = Clipping(norm, each), whole_weights(np.array(w))

    def total(of: list[tuple[float, float, float, int]]) -> np.ndarray:
        return own_sum(rows_of([list(one[:3]) for one in of], [one[3] for one in of]), at, how)

    change = [int(one) for one in total([more, *rows]) - total(rows)]
    assert sum(one * one for one in change) <= how.squared
    assert change == [int(one) for one in total([more])]


def test_sensitivity_is_reached() -> None:
    how = Clipping(0.5)
    worst = own_sum(rows_of([[100.0, 1.0, 3.0]], [0]), whole_weights(np.full(4, 9.0)), how)
    assert how.squared * 0.999 < sum(int(one) ** 2 for one in worst) <= how.squared


def test_class_weights_weigh_the_rows() -> None:
    x, w = [[60.0, 1.0, 0.0]] * 2, whole_weights(np.zeros(4))
    found = clipped(rows_of(x, [0, 1]), w, Clipping(64.0, (0.25, 1.0)))
    assert np.abs(found[0] * 4 + found[1]).max() <= 4  # at 0 the two classes' gradients are opposite


def test_scores_beyond_the_table_saturate() -> None:
    x = rows_of([[100.0, 1.0, 3.0]] * 2, [0, 1])
    found = clipped(x, whole_weights(np.full(4, 1e6)), Clipping(64.0))
    assert found[0].tolist() == x.a[0].tolist()
    assert found[1].tolist() == [0, 0, 0, 0]


def test_blocks_of_many_rows_add_up() -> None:
    rng = np.random.default_rng(1)
    many = rows_of(rng.uniform(0, 100, (20_000, 3)).tolist(), rng.integers(0, 2, 20_000).tolist())
    w, how = whole_weights(rng.normal(size=4)), Clipping(1.0)
    found = own_sum(many, w, how)
    assert found[:-1].tolist() == clipped(many, w, how).sum(axis=0).tolist()
    assert found[-1] == 20_000 * how.counted


@pytest.mark.parametrize("chance", [0.0, 0.03, 0.5, 1.0])
def test_coins_have_their_chance(chance: float) -> None:
    found = coins(Stream(derive(bytes(32), "coins")), chance, 100_000)
    assert found.dtype == np.bool_
    assert abs(found.mean() - chance) <= 5 * (chance * (1 - chance) / 100_000) ** 0.5
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 0.02 if 0 < chance < 1 else found.min() == found.max()


def test_the_sigmoid_is_right() -> None:
    for z in (-20.0, -3.3, 0.0, 0.7, 15.0):
        w = whole_weights(np.array([0.0, 0.0, 0.0, z]))
        found = clipped(rows_of([[50.0, 0.0, -1.0]], [0]), w, Clipping(64.0))[0, -1] / 2.0**FINE
        assert found == pytest.approx(1 / (1 + exp(-z)), abs=2e-4)
