"""Sums over the owners, in narrow and wide rings.

The kit's four checks of it are in tests/testing; here is what they cannot express: every ring, exact fractions, and
what the plan says of two owners.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError
from mpc.ring.abstract_array import abstract
from mpc.ring.fixed_point import encode
from mpc.ring.rings import Z32, Z64, Ring, wide
from mpc.runtime.lockstep import Outcome
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from protocols.core.secure_sum import TWO_OWNERS, secure_sum
from tests.examples import steady
from tests.helpers import lockstep, owner_names, signed


def add_up(parts: list[np.ndarray], scale: int, ring: Ring, seed: int = 0) -> tuple[np.ndarray, Outcome]:
    """Every owner's part -> the sum that each of them got."""
    owners = owner_names(len(parts))

    def factory(k: int) -> ProgramFactory:
        def program(p: Party) -> Any:
            own = abstract(parts[k].shape) if p.dry else parts[k]
            return secure_sum(p, own, scale, ring, what="total", why="agreed", label="sum")

        return program

    outcome = lockstep({name: factory(k) for k, name in enumerate(owners)}, seed)
    values = [outcome.results[name].value for name in owners]
    assert all((value == values[0]).all() for value in values)
    assert outcome.results[owners[0]].scale == scale
    return values[0], outcome


@steady(60)
@given(
    st.sampled_from([Z64, Z32, wide(128), wide(256)]),
    st.integers(2, 5),
    st.integers(1, 6),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_sums(ring: Ring, n: int, width: int, seed: int, large: bool) -> None:
    draw = np.random.default_rng(seed)
    numbers = [[int.from_bytes(draw.bytes(40), "little") for _ in range(width)] for _ in range(n)]
    bits = ring.bits if large else ring.bits - 4  # the small ones do not wrap around
    parts = [np.array([v % 2**bits for v in row], dtype=object).astype(ring.dtype) for row in numbers]
    value, outcome = add_up(parts, 5, ring, seed)
    assert value.tolist() == [sum(int(part[k]) for part in parts) % 2**ring.bits for k in range(width)]
    assert set(outcome.rounds.values()) == {1}


@steady(40)
@given(st.lists(st.lists(st.floats(-1e11, 1e11), min_size=3, max_size=3), min_size=2, max_size=5))
def test_reals_in_a_wide_ring_are_exact_but_for_the_last_bit(parts: list[list[float]]) -> None:
    ring = wide(256)
    encoded = [encode(np.array(part), 96, ring) for part in parts]
    value, _ = add_up(encoded, 96, ring)
    for k in range(3):
        exact = sum((Fraction(part[k]) for part in parts), Fraction(0))
        assert abs(Fraction(int(signed(value, ring)[k]), 2**96) - exact) <= Fraction(len(parts), 2**97)


def test_negative_numbers_come_back() -> None:
    value, _ = add_up([encode(np.array([-1.5, 2.0]), 20), encode(np.array([-1.0, -7.0]), 20)], 20, Z64)
    assert signed(value).tolist() == [round(-2.5 * 2**20), round(-5.0 * 2**20)]


@pytest.mark.parametrize("n", [2, 3])
def test_two_owners_are_told_that_each_learns_the_other_s_part(n: int) -> None:
    _, outcome = add_up([np.array([k], dtype=np.uint64) for k in range(n)], 0, Z64)
    (revealed,) = outcome.reveals
    assert revealed.what == "total"
    assert revealed.to == owner_names(n)
    assert (TWO_OWNERS in revealed.why) == (n == 2)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ProtocolError, match="too large"):
        encode(np.array([2.0**160]), 96, wide(256))
