"""Joint standardisation gives what numpy gives on everybody's rows together, and names a constant column.

The kit's four checks of it are in tests/testing; here is what they cannot express: owners with different numbers of
rows, extreme spreads, and the column that is named.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import DataError
from mpc.ring.abstract_array import abstract
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.plan import ProgramFactory
from protocols.scaling.standardise import Moments, moments
from tests.examples import steady
from tests.helpers import entropy, lockstep, owner_names


def factories(parts: list[np.ndarray], names: tuple[str, ...]) -> dict[str, ProgramFactory]:
    rows = sum(len(part) for part in parts)

    def factory(k: int) -> ProgramFactory:
        return lambda p: moments(p, abstract(parts[0].shape) if p.dry else parts[k], rows, names)

    return {name: factory(k) for k, name in enumerate(owner_names(len(parts)))}


def joint(parts: list[np.ndarray]) -> Moments:
    outcome = lockstep(factories(parts, tuple(f"x{k}" for k in range(parts[0].shape[1]))))
    first: Moments = outcome.results["owner0"]
    for other in outcome.results.values():  # to the last bit: the numbers are used in each owner's encoding
        assert other.mean.tobytes() == first.mean.tobytes()
        assert other.deviation.tobytes() == first.deviation.tobytes()
    assert set(outcome.rounds.values()) == {2}
    assert [r.what for r in outcome.reveals] == ["feature means", "feature standard deviations"]
    return first


@steady(80)
@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=5),
    st.lists(st.tuples(st.floats(-9, 11), st.floats(-3, 3)), min_size=1, max_size=4),
    st.integers(0, 2**32),
)
def test_as_numpy_on_all_rows(counts: list[int], columns: list[tuple[float, float]], seed: int) -> None:
    counts = [*counts[:-1], counts[-1] + 20]
    draw = np.random.default_rng(seed)
    scale, place = (
        np.array(part) for part in zip(*[(10.0**s, 10.0**s * offset) for s, offset in columns], strict=True)
    )
    parts = [draw.normal(loc=k, size=(count, len(scale))) * scale + place for k, count in enumerate(counts)]
    parts = [np.clip(part, -(2.0**40), 2.0**40) for part in parts]
    got = joint(parts)
    x = np.concatenate(parts)
    np.testing.assert_array_less(np.abs(got.mean - x.mean(axis=0)), 1e-12 * np.abs(x).max(axis=0))
    np.testing.assert_allclose(got.deviation, x.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize("counted", [False, True])
def test_a_long_table_is_summed_in_pieces(counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.ring.slices.PIECE", 16)
    draw = np.random.default_rng(4)
    parts = [draw.normal(size=(m, 3)) * 7 + 4 for m in (31, 1, 20)]
    often = [draw.integers(0, 4, len(part)) for part in parts] if counted else [np.ones(len(part)) for part in parts]
    total = float(sum(each.sum() for each in often))
    names = ("x0", "x1", "x2")

    def factory(k: int) -> ProgramFactory:
        counts = often[k] if counted else None
        return lambda p: moments(p, abstract((1, 3)) if p.dry else parts[k], total, names, None if p.dry else counts)

    got = lockstep({name: factory(k) for k, name in enumerate(owner_names(3))}).results["owner0"]
    x = np.repeat(np.concatenate(parts), np.concatenate(often).astype(int), axis=0)
    np.testing.assert_allclose(got.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(got.deviation, x.std(axis=0), rtol=1e-12)


def test_the_largest_values_allowed() -> None:
    parts = [np.full((500, 1), 2.0**40), np.full((500, 1), -(2.0**40))]
    got = joint(parts)
    assert got.mean[0] == 0.0
    assert got.deviation[0] == 2.0**40


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e11, 123456.789, 1e-9])
@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_constant_column_is_named(value: float, n: int) -> None:
    draw = np.random.default_rng(3)
    parts = [np.column_stack([draw.normal(size=333), np.full(333, value), draw.normal(size=333)]) for _ in range(n)]
    with pytest.raises(DataError, match="column fever has the same value") as caught:
        run_lockstep(factories(parts, ("age", "fever", "dose")), entropy=entropy(owner_names(n), 0))
    assert "age" not in caught.value.message
    assert "features" in caught.value.hint


def test_constant_at_each_owner_but_not_together_is_fine() -> None:
    got = joint([np.full((4, 1), 1.0), np.full((4, 1), 3.0)])
    assert (got.mean[0], got.deviation[0]) == (2.0, 1.0)


def test_every_owner_stops_at_a_constant_column() -> None:
    parts = [np.ones((3, 1)), np.ones((3, 1)), np.ones((3, 1))]
    programs, seeds = factories(parts, ("x",)), entropy(owner_names(3), 0)
    outcome = run_lockstep(programs, entropy=seeds, refusal=DataError)
    assert all(isinstance(result, DataError) for result in outcome.results.values())
