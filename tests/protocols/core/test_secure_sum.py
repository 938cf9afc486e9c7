"""Sums over the owners, in narrow and wide rings.

The kit's four checks of it are in tests/testing; here is what they cannot express: every ring, exact fractions, and
what the plan says of two owners.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.ring.abstract_array import abstract
from mpc.ring.rings import Z32, Z64, Ring, wide
from mpc.runtime.lockstep import Outcome
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from protocols.core.secure_sum import TWO_OWNERS, secure_sum
from tests.examples import steady
from tests.helpers import lockstep, owner_names


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


@pytest.mark.parametrize("n", [2, 3])
def test_two_owners_are_told_that_each_learns_the_other_s_part(n: int) -> None:
    _, outcome = add_up([np.array([k], dtype=np.uint64) for k in range(n)], 0, Z64)
    (revealed,) = outcome.reveals
    assert revealed.what == "total"
    assert revealed.to == owner_names(n)
    assert (TWO_OWNERS in revealed.why) == (n == 2)
