"""Linear regression on split columns beside statsmodels on the joined ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.runtime.lockstep import Outcome
from mpc.runtime.plan import ProgramFactory
from protocols.linear.columns_job import vertical_linear_job
from protocols.linear.settings import LinearFit, LinearSettings
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from tests.examples import steady
from tests.helpers import demo_tables, lockstep, owner_names
from tests.protocols.linear.test_rows_job import assert_is_plain, assert_is_statsmodels, drawn_rows


def outcome(
    x: np.ndarray,
    y: np.ndarray,
    widths: list[int],
    holder: int = 0,
    other_ids: bool = False,
    offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS,
) -> Outcome:
    """A run on these columns, of which each owner has so many, and one of them the target and what is beside it."""
    owners, cuts = owner_names(len(widths)), np.cumsum([0, *widths])
    names = {
        owner: tuple(f"x{j}" for j in range(a, b)) for owner, a, b in zip(owners, cuts[:-1], cuts[1:], strict=True)
    }
    weighted, offset = offset_weights.counts is not None, offset_weights.offset is not None
    how = LinearSettings(
        owners, "helper", (len(x),), (0,), x.shape[1], "y", "vertical", weighted=weighted, offset=offset
    )

    def factory(k: int) -> ProgramFactory:
        mine = x[:, cuts[k] : cuts[k + 1]]
        ids = np.full(DIGEST_BITS, int(other_ids and k == 0), dtype=np.uint8)
        rest = offset_weights if k == holder else NO_OFFSET_WEIGHTS
        own = OwnColumns(names, owners[holder], mine, y if k == holder else y[:0], mine[:0], y[:0], ids, rest)
        return lambda p: vertical_linear_job(p, None if p.dry else own, how)

    return lockstep({owner: factory(k) for k, owner in enumerate(owners)})


def run(x: np.ndarray, y: np.ndarray, widths: list[int], holder: int = 0, **changes: Any) -> LinearFit:
    first, *others = outcome(x, y, widths, holder, **changes).results.values()
    assert all(other == first for other in others)
    assert isinstance(first, LinearFit)
    return first


@pytest.mark.parametrize(("widths", "holder"), [([2, 2], 0), ([1, 2, 1], 2), ([4, 0], 1)])
def test_breast_cancer_is_statsmodels(widths: list[int], holder: int) -> None:
    x = np.concatenate([table[0] for table in demo_tables().values()])
    fit = run(x[:, :4], x[:, 4], widths, holder)
    assert_is_statsmodels(fit, x[:, :4], x[:, 4], close=1e-3)


@steady(5)
@given(
    st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=3, max_size=5),
    st.integers(0, 40),
    st.floats(-1, 2),
    st.integers(0, 9999),
)
def test_any_shape_unit_and_mean(columns: list[tuple[float, float]], more: int, noise: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    d = len(columns) - 1
    x, y, _ = drawn_rows(draw, columns, draw.normal(size=(2 * d + 8 + more, d)), noise, 1e6)
    assert_is_plain(run(x, y, [1, d - 1], seed % 2), x, y, 1e-3)


def test_collinear_columns_of_two_owners_are_said() -> None:
    x = np.random.default_rng(5).normal(size=(80, 2))
    with pytest.raises(DataError, match="sum of multiples of the others"):
        run(np.c_[x, x.sum(axis=1)], x[:, 0] ** 2, [2, 1])


def test_a_constant_target_is_told_to_its_owner() -> None:
    x = np.random.default_rng(6).normal(size=(30, 2))
    with pytest.raises(DataError, match=r"owner1: column y \(the target\) has the same value"):
        run(x, np.full(30, 2.5), [1, 1], 1)


def test_other_ids_end_the_run() -> None:
    x = np.random.default_rng(7).normal(size=(30, 2))
    with pytest.raises(DataError, match="lists of ids differ"):
        run(x, x[:, 0] ** 2, [1, 1], other_ids=True)


def test_what_is_opened() -> None:
    x = np.random.default_rng(8).normal(size=(30, 2))
    ran = outcome(x, x[:, 0] ** 2, [1, 1])
    assert [item.what for item in ran.reveals] == [
        "row alignment", "collinearity check", "target's deviation", "model", "standard errors", "standard errors",
        "fit",
    ]  # fmt: skip
