"""Comparison of shared values with public bounds, at every edge of the ring.

The kit's four checks of it are in tests/testing; here is what they cannot express: every bit, and masked values put
exactly on a bound, which needs the masks themselves.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpc.randomness.correlation import fold_order
from mpc.ring.rings import B8, B64, Z64
from mpc.runtime.lockstep import Message
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.comparison import any_set, greater, outside
from tests.examples import steady
from tests.helpers import on_shares, words

LOWEST, HIGHEST = -(2**63), 2**63 - 1
EDGES = [0, 1, -1, LOWEST, LOWEST + 1, HIGHEST, HIGHEST - 1, 2**32, -(2**32)]
numbers = st.one_of(st.sampled_from(EDGES), st.integers(LOWEST, HIGHEST), st.integers(-9, 9))


@st.composite
def cases(draw: st.DrawFn) -> tuple[int, int, int]:
    """A value and bounds; often the value is at, or next to, a bound."""
    low, high = sorted((draw(numbers), draw(numbers)))
    value = draw(st.one_of(numbers, st.sampled_from([b + k for b in (low, high) for k in (-1, 0, 1)])))
    return (value - LOWEST) % 2**64 + LOWEST, low, high


def outside_bits(values: list[tuple[int, int, int]], n: int, seed: int) -> list[int]:
    x, low, high = (np.array(column, dtype=object) for column in zip(*values, strict=True))

    async def body(p: Party, s: list[Share]) -> Share:
        return await outside(p, s[0], low.astype(np.int64), high.astype(np.int64), label="outside")

    (bits,), outcome = on_shares(body, [(words(x), 20, Z64)], n, seed)
    assert set(outcome.rounds.values()) == {7}
    return [int(b) & 1 for b in bits]


def any_word(bits: list[int], n: int, seed: int) -> int:
    async def body(p: Party, s: list[Share]) -> object:
        return await any_set(p, s[0], what="any", why="test")

    # Only bit 0 of each byte counts, in every share: the others are what is left over from the comparison.
    noise = np.random.default_rng(seed).integers(0, 128, len(bits)).astype(np.uint8) << 1
    (word,), outcome = on_shares(body, [(np.array(bits, dtype=np.uint8) | noise, 0, B8)], n, seed)
    assert set(outcome.rounds.values()) == {2}
    assert [r.what for r in outcome.reveals] == ["any"]
    return int(word[0])


def test_fold_order_puts_neighbours_into_the_halves() -> None:
    for bit in range(64):
        place = int(f"{bit:06b}"[::-1], 2)
        assert fold_order(np.array([1 << bit], dtype=np.uint64))[0] == np.uint64(1 << place)


@pytest.mark.parametrize("bit", range(64))
def test_greater_sees_every_bit(bit: int) -> None:
    r = np.array([1 << bit, (1 << bit) - 1, 1 << bit], dtype=np.uint64)
    u = np.array([(1 << bit) - 1, 1 << bit, 1 << bit], dtype=np.uint64)

    async def body(p: Party, s: list[Share]) -> Share:
        return await greater(p, s[0], u)

    (bits,), _ = on_shares(body, [(fold_order(r), 0, B64)])
    assert [int(b) & 1 for b in bits] == [1, 0, 0]


@steady(150)
@given(st.lists(cases(), min_size=1, max_size=20), st.integers(2, 5), st.integers(0, 9999))
@example([(v, LOWEST, HIGHEST) for v in EDGES], 2, 0)  # everything is inside
@example([(v, w, w) for v in EDGES for w in EDGES], 3, 1)  # one value is inside
@example([(v, LOWEST, 5) for v in EDGES] + [(v, 5, HIGHEST) for v in EDGES], 2, 2)
def test_outside(values: list[tuple[int, int, int]], n: int, seed: int) -> None:
    assert outside_bits(values, n, seed) == [int(not low <= x <= high) for x, low, high in values]


def test_outside_where_the_masked_value_meets_a_bound() -> None:
    """With a known seed the masks are known too, so that m = x + r is put exactly on a bound, and next to it."""
    count = 40
    opened: list[bytes] = []

    def tap(message: Message) -> bytes:
        if message.label == "outside":
            opened.append(message.body)
        return message.body

    async def body(p: Party, s: list[Share]) -> Share:
        return await outside(p, s[0], np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64), label="outside")

    on_shares(body, [(words([0] * count), 20, Z64)], 2, 6, tap)
    first, second = (np.frombuffer(body, dtype=np.uint64) for body in opened)
    masks = first + second
    values = [k - 20 for k in range(count)]
    masked = [(v + int(r) - LOWEST) % 2**64 + LOWEST for v, r in zip(values, masks, strict=True)]
    for shift in (-2, -1, 0, 1, 2):
        edges = [m + shift for m in masked]
        as_high = [(v, min(v, e), e) for v, e in zip(values, edges, strict=True)]  # inside where m's side is above
        as_low = [(v, e, max(v, e)) for v, e in zip(values, edges, strict=True)]
        beside = [(v, min(v + 1, e), max(v + 1, e)) for v, e in zip(values, edges, strict=True)]
        for cases_ in (as_high, as_low, beside):
            assert outside_bits(cases_, 2, 6) == [int(not low <= x <= high) for x, low, high in cases_]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 17])
def test_one_bit_anywhere_is_seen(count: int) -> None:
    assert any_word([0] * count, 2, count) == 0
    for place in range(count):
        assert any_word([int(k == place) for k in range(count)], 2, place) != 0


def test_the_word_tells_not_how_many_are_set() -> None:
    few, many = ([any_word(bits, 2, seed) for seed in range(200)] for bits in ([1] + [0] * 15, [1] * 16))
    for drawn in (few, many):
        assert len(set(drawn)) == 200
        assert abs(np.mean([word / 2**64 for word in drawn]) - 0.5) < 5 * 12**-0.5 / 200**0.5
