"""Standardisation that tells powers of two only: the right ones, the reference's model, and nothing else to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.ring.abstract_array import abstract
from mpc.ring.fixed_point import decode
from mpc.runtime.lockstep import Outcome
from mpc.runtime.plan import ProgramFactory
from protocols.linalg.original_units import UNITS_RING
from protocols.plain.logistic import weight_difference
from protocols.rows.limits import X_SCALE
from protocols.scaling.private_scales import check_reach, plain_scales, private_scales
from tests.examples import steady
from tests.helpers import example_tables, job, lockstep, owner_names, total
from tests.protocols.training.test_rows_job import compare


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


@pytest.mark.parametrize("form", ["primal", "dual"])
@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_the_model_and_its_metrics_are_the_references(n: int, form: str) -> None:
    rows = example_tables([25 + 13 * k for k in range(n)], 6, 10 * n)
    own_rows, how = job(rows, n, batch_size=32, standardise="private", form=form)
    model, reference, outcome = compare(own_rows, how, n)
    assert weight_difference(model, reference) < 1e-4
    assert model.standardised == ()
    assert [r.what for r in outcome.reveals][:4] == ["feature scales", "feature scales", "range check", "model"]


def test_outliers_among_very_many_rows_are_named() -> None:
    x = np.zeros((100, 2))
    x[0, 1] = 1e6
    scale = np.ones(2)
    assert check_reach(x, scale, ("a", "b"), "owner0", 2**20)
    with pytest.raises(DataError, match="owner0: column b has values too far"):
        check_reach(x, scale, ("a", "b"), "owner0", 2**21)
    assert check_reach(x[:0], scale, ("a", "b"), "owner0", 2**21)
