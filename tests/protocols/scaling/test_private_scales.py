"""Standardisation that tells powers of two only: the right ones, the reference's model, and nothing else to see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.ring.abstract_array import abstract
from mpc.ring.fixed_point import decode
from mpc.ring.rings import B8, wide
from mpc.runtime.lockstep import Outcome
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.sharing.share import Public, Share
from mpc.testing import check_correct, check_cost, check_faults, check_view, own, reals, words
from protocols.core.wide_comparison import below
from protocols.linalg.gram import hold_gram_of_shared
from protocols.linalg.held import hold
from protocols.linalg.original_units import UNITS_RING
from protocols.plain.logistic import pooled, weight_difference
from protocols.rows.limits import X_SCALE
from protocols.scaling.private_scales import check_reach, plain_scales, private_scales
from tests.examples import steady
from tests.helpers import demo_tables, example_tables, job, lockstep, owner_names, total, train
from tests.protocols.training.test_rows_job import compare

T = np.array([[t] * 2 for t in (5, -(2**300))], dtype=object)
WIDE = replace(words((2,), ring=UNITS_RING), low=-(2**400), high=2**400)
EXACT = dict(zip(("words", "count"), (UNITS_RING.bits // 64, T.size), strict=True))


async def is_below(p: Party, x: Share) -> Share:
    bits = await below(p, x, T, label="below")
    return Public(np.full(bits.shape, 1, dtype=np.uint8), 0, B8) * bits


def is_below_reference(x: np.ndarray) -> np.ndarray:
    return (UNITS_RING.centred(x)[None, :] < T).astype(np.uint8)


def test_comparison_in_a_wide_ring() -> None:
    check_correct(is_below, is_below_reference, [WIDE], error=None, examples=20)
    edge = replace(WIDE, low=-2, high=7)
    check_correct(is_below, is_below_reference, [edge], error=None, examples=20)
    lanes = EXACT["words"] * EXACT["count"]
    folds = lanes * 3 * (4 + 2 + 1 + 1 + 1 + 1)
    tree = EXACT["count"] * 3 * (4 + 2 + 1)
    check_cost(is_below, [WIDE], rounds=10, bytes=2 * 64 + folds + tree)
    check_faults(is_below, [WIDE], owners=2, every=15)


@pytest.mark.parametrize(("owners", "count"), [(2, 50), pytest.param(3, 150, marks=pytest.mark.soak)])
def test_comparison_shows_nothing(owners: int, count: int) -> None:
    async def narrow(p: Party, x: Share) -> Share:
        return await below(p, x, np.array([[5]], dtype=object), label="below")

    inputs = [replace(words((1,), ring=wide(128)), low=-(2**100), high=2**100)]
    saw = check_view(narrow, inputs, owners=owners, words=count)
    assert saw.structure is not None


ROWS = [reals(("m", "d"), scale=X_SCALE, largest=8.0)]


async def gram(p: Party, x: Share) -> Share:
    held = await hold_gram_of_shared(p, await hold(p, x), 12)
    return held.share


def gram_reference(x: np.ndarray) -> np.ndarray:
    return np.concatenate((x @ x.T, np.ones((len(x), 1))), axis=1)


def test_the_gram_matrix_of_rows_that_nobody_knows() -> None:
    check_correct(gram, gram_reference, ROWS, error=2.0**-11)
    entries = 3 * 4 // 2
    check_cost(gram, ROWS, rounds=3, bytes=8 * (6 + entries + 12), dealt=8 * 3 * entries, sizes={"m": 3, "d": 2})
    assert check_view(gram, ROWS, sizes={"m": 4, "d": 2}, words=200).structure is not None


def scales_of(tables: dict[str, np.ndarray], seed: int = 0) -> Outcome:
    owners, d = tuple(tables), next(iter(tables.values())).shape[1]
    rows = tuple(len(tables[owner]) for owner in owners)

    def factory(owner: str) -> ProgramFactory:
        names = tuple(f"x{k}" for k in range(d))
        return lambda p: private_scales(p, abstract((rows[0], d)) if p.dry else tables[owner], rows, names)

    return lockstep({owner: factory(owner) for owner in owners}, seed)


def means(outcome: Outcome) -> np.ndarray:
    shares = [result.mean for result in outcome.results.values()]
    return decode(total(shares), X_SCALE, UNITS_RING)


@steady(10)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(-11, 9), st.floats(-9, 9)), min_size=1, max_size=4),
    st.integers(0, 9999),
)
def test_any_unit_and_any_mean(rows: list[int], columns: list[tuple[float, float]], seed: int) -> None:
    draw = np.random.default_rng(seed)
    size, middle = (np.array([10.0 ** one[k] for one in columns]) for k in range(2))
    middle = np.minimum(middle, size * 1e8)  # as far from 0 as float64 tells the spread exactly
    tables = {
        owner: draw.normal(size=(count, len(columns))) * size + middle
        for owner, count in zip(owner_names(len(rows) + 1), [6, *rows], strict=True)
    }
    outcome = scales_of(tables, seed)
    x = np.concatenate(list(tables.values()))
    scale = outcome.results["owner0"].scale
    assert all((result.scale == scale).all() for result in outcome.results.values())
    np.testing.assert_array_equal(scale, plain_scales(list(tables.values())))
    ratio = x.std(axis=0) / scale
    assert (ratio > 0.4999999).all() and (ratio < 1.0000001).all()
    np.testing.assert_allclose(means(outcome), x.mean(axis=0) / scale, rtol=1e-12, atol=2.0**-13)
    assert [r.what for r in outcome.reveals] == ["feature scales"] * 2
    assert len(outcome.plan.rounds) == 24


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (5.0, "column x1 has the same value"),
        (0.1, "column x1 has the same value"),
        (0.0, "column x1 has the same value"),
        (np.array([0, 1e-25, 0, 0]), "column x1 has values too close"),
        (1e12 + np.array([0, 0.001, 0, 0]), "column x1 has the same value"),
    ],
)
def test_a_column_without_a_spread_is_named(column: Any, words: str) -> None:
    draw = np.random.default_rng(1)
    tables = {owner: draw.normal(size=(4, 3)) for owner in owner_names(3)}
    for x in tables.values():
        x[:, 1] = column
    with pytest.raises(DataError, match=words):
        scales_of(tables)


TABLES = [own(reals((4, 5), scale=10, largest=200.0))]


async def scaled(p: Party, mine: np.ndarray) -> Share:
    """The shared means, each in its column's power of two."""
    x = abstract((4, 5)) if p.dry else decode(mine, 10)
    scales = await private_scales(p, x, (4,) * len(p.owners), tuple("abcde"))
    return scales.mean


@pytest.mark.soak
def test_secrets_with_the_same_powers_of_two_look_alike() -> None:
    one, other = (
        [[[v] * 5 for v in row] for row in (first, range(4), range(4))] for first in ([0, 4, 0, 4], [1, 5, 2, 5])
    )
    for tables in (one, other):  # 5 columns alike, as the kit counts words
        assert (plain_scales([np.array(x, dtype=float) for x in tables]) == 2).all()
    saw = check_view(scaled, TABLES, secrets=[([one], [other])], words=100, coalitions=[(1, 2)], structure="by round")
    assert saw.shift < 1


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_model_and_its_metrics_are_the_references(n: int, form: str) -> None:
    rows = example_tables([25 + 13 * k for k in range(n)], 6, 10 * n)
    own_rows, how = job(rows, n, batch_size=32, standardise="private", form=form)
    model, reference, outcome = compare(own_rows, how, n)
    assert weight_difference(model, reference) < 1e-4
    assert model.standardised == ()
    assert [r.what for r in outcome.reveals][:4] == ["feature scales", "feature scales", "range check", "model"]


@pytest.mark.parametrize("solver", ["nesterov", "newton"])
def test_the_full_batch_solvers_too(solver: str) -> None:
    own_rows, how = job(example_tables([60, 50], 4, 2), standardise="private", solver=solver, iterations=20)
    model, reference, _ = compare(own_rows, how)
    assert weight_difference(model, reference) < 1e-4


def test_the_demo_in_own_units() -> None:
    own_rows, how = job(demo_tables(), standardise="private")
    model, reference, _ = compare(own_rows, how)
    assert weight_difference(model, reference) < 1e-4
    x = np.concatenate([o.x_test for o in own_rows.values()])
    np.testing.assert_allclose(x @ np.array(model.weights) + model.intercept, reference.scores(x), atol=2e-3)


@steady(6)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=3), st.floats(-6, 8), st.floats(-3, 3), st.integers(0, 9999))
def test_any_shape_unit_and_mean_trains_as_the_reference(
    rows: list[int], size: float, middle: float, seed: int
) -> None:
    tables = {
        owner: ((x + 10.0**middle) * 10.0**size, y) for owner, (x, y) in example_tables([12, *rows], 3, seed).items()
    }
    own_rows, how = job(tables, seed, batch_size=16, epochs=2, standardise="private", metrics=False)
    model = next(iter(train(own_rows, how, seed).results.values()))
    assert weight_difference(model, pooled(list(own_rows.values()), how)) < 2e-4


def test_few_rows_of_many_columns_take_the_dual_form() -> None:
    draw = np.random.default_rng(3)
    tables = {o: (draw.normal(size=(15, 300)) + 3, np.arange(15.0) % 2) for o in owner_names(2)}
    own_rows, how = job(tables, batch_size=100, epochs=20, standardise="private", metrics=False)
    outcome = train(own_rows, how)
    assert "HeldSquare" in outcome.plan.correlations
    model = outcome.results["owner0"]
    assert weight_difference(model, pooled(list(own_rows.values()), how)) < 1e-4


def test_outliers_among_very_many_rows_are_named() -> None:
    x = np.zeros((100, 2))
    x[0, 1] = 1e6
    scale = np.ones(2)
    assert check_reach(x, scale, ("a", "b"), "owner0", 2**20)
    with pytest.raises(DataError, match="owner0: column b has values too far"):
        check_reach(x, scale, ("a", "b"), "owner0", 2**21)
    assert check_reach(x[:0], scale, ("a", "b"), "owner0", 2**21)
