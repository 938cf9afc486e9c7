"""Truncation: within one unit of the last place for every value and shift, and without bias.

The kit's four checks of it are in tests/testing; here is what they cannot express: every shift at its edges, and that
rounding has no bias.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpc.randomness.correlation import Truncation
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.truncation import Divisible, divided, divided_together, truncate
from tests.examples import steady
from tests.helpers import on_shares, signed, words

LARGEST = 2**62 - 1
EDGES = [0, 1, -1, LARGEST, -LARGEST, 2**61, -(2**61), 2**32 - 1, -(2**32)]
numbers = st.one_of(st.sampled_from(EDGES), st.integers(-LARGEST, LARGEST), st.integers(-(2**20), 2**20))


def cut(numbers: object, shift: int, n: int = 2, seed: int = 0, scale: int = 40) -> np.ndarray:
    async def body(p: Party, shares: list[Share]) -> Share:
        low = await truncate(p, shares[0], shift)
        assert low.scale == scale - shift
        return low

    (value,), _ = on_shares(body, [(words(numbers), scale, Z64)], n, seed)
    return signed(value)


@steady(60)
@given(st.lists(numbers, min_size=1, max_size=12), st.integers(1, 62), st.integers(2, 5), st.integers(0, 99))
@example([LARGEST] * 40, 62, 2, 1)
@example([LARGEST] * 40, 61, 3, 1)
@example([-LARGEST] * 40, 62, 5, 1)
def test_within_one_unit_of_the_last_place(values: list[int], shift: int, n: int, seed: int) -> None:
    for value, got in zip(values, cut(values, shift, n, seed), strict=True):
        assert abs(int(got) * 2**shift - value) < 2**shift


@pytest.mark.parametrize("shift", range(1, 63))
def test_every_shift_at_the_edges(shift: int) -> None:
    values = [v for v in (*EDGES, 2**shift - 1, 2**shift, 2**shift + 1, 1 - 2**shift) if abs(v) <= LARGEST] * 8
    for value, got in zip(values, cut(values, shift, 2, shift), strict=True):
        assert abs(int(got) * 2**shift - value) < 2**shift


@pytest.mark.parametrize("shift", [1, 2, 8, 30, 50])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("whole", [0, 1234, -1234])
def test_no_bias(shift: int, part: float, whole: int) -> None:
    count = 20_000
    value = (whole << shift) + round(part * 2**shift)
    errors = cut([value] * count, shift).astype(float) - value / 2**shift
    assert abs(errors.mean()) < 5 * 0.5 / count**0.5


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_together_as_one_by_one(count: int, n: int) -> None:
    """To the same bits at every owner, so that nothing but the time differs."""
    values = np.array([EDGES[k:] + EDGES[:k] for k in range(count)])
    shares: list[tuple[Share, Share]] = []

    async def body(p: Party, s: list[Share]) -> tuple[Share, ...]:
        opened = []
        for k in range(count):
            b, v, t = p.correlation(Truncation(s[0][k].shape, 40, 13))
            (d,) = await p.open(s[0][k] - b, label="truncate")
            opened.append(Divisible(d, v, t, 13))
        together = divided_together(p, opened)
        if not p.dry:
            shares.extend(zip(together, [divided(p, one) for one in opened], strict=True))
        return tuple(together)

    got, _ = on_shares(body, [(words(values), 40, Z64)], n, count)
    assert len(shares) == n * count
    for one, other in shares:
        assert (one.scale, one.value.tolist()) == (other.scale, other.value.tolist())
    for value, low in zip(values, got, strict=True):
        assert all(abs(int(a) * 2**13 - int(b)) < 2**13 for a, b in zip(signed(low), value, strict=True))


def test_apart_it_keeps_none_of_the_helpers_memory() -> None:
    whole = np.arange(6, dtype=np.uint64)
    one = Divisible(Public(np.zeros(3, dtype=np.uint64), 40), Share(whole[:3], 27), Share(whole[3:]), 13)
    other = one.apart()
    assert (other.v.value.tolist(), other.v.scale, other.t.value.tolist()) == ([0, 1, 2], 27, [3, 4, 5])
    assert not any(np.shares_memory(part.value, whole) for part in (other.v, other.t))
