"""Comparisons of two shared values, and what is chosen by them: at every edge of the ring."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mpc.errors import InternalError
from mpc.ring.rings import B8, Z64, Ring
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.comparison import equal, less_than
from protocols.core.selection import as_numbers, maximum, minimum, select
from tests.examples import steady
from tests.helpers import on_shares, signed, words

LARGEST = 2**62
EDGES = [0, 1, -1, LARGEST - 1, -LARGEST, 2**32, -(2**32)]
numbers = st.one_of(st.sampled_from(EDGES), st.integers(-LARGEST, LARGEST - 1), st.integers(-9, 9))
pairs = st.lists(st.tuples(numbers, st.one_of(numbers, st.just(None))), min_size=1, max_size=9)


def run(body: object, x: list[int], y: list[int], n: int, seed: int, rounds: int) -> list[np.ndarray]:
    values, outcome = on_shares(body, [(words(x), 20, Z64), (words(y), 20, Z64)], n, seed)  # type: ignore[arg-type]
    assert set(outcome.rounds.values()) == {rounds}
    assert outcome.reveals == ()
    return values


def columns(rows: list[tuple[int, int | None]]) -> tuple[list[int], list[int]]:
    """The pairs' first and second numbers; None stands for the first once more."""
    return [x for x, _ in rows], [x if y is None else y for x, y in rows]


@steady(40)
@given(pairs, st.integers(2, 5), st.integers(0, 2**32))
@example([(-LARGEST, LARGEST - 1), (LARGEST - 1, -LARGEST)], 3, 1)
def test_less_than(rows: list[tuple[int, int | None]], n: int, seed: int) -> None:
    x, y = columns(rows)

    async def body(p: Party, s: list[Share]) -> Share:
        return await less_than(p, s[0], s[1])

    (bits,) = run(body, x, y, n, seed, 7)
    assert [int(b) & 1 for b in bits] == [a < b for a, b in zip(x, y, strict=True)]


@steady(40)
@given(pairs, st.integers(2, 5), st.integers(0, 2**32))
def test_equal(rows: list[tuple[int, int | None]], n: int, seed: int) -> None:
    x, y = columns(rows)

    async def body(p: Party, s: list[Share]) -> Share:
        return await equal(p, s[0], s[1])

    (bits,) = run(body, x, y, n, seed, 7)
    assert [int(b) & 1 for b in bits] == [a == b for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize("n", [2, 3])
def test_values_that_differ_in_one_bit_are_not_equal(n: int) -> None:
    async def body(p: Party, s: list[Share]) -> Share:
        return await equal(p, s[0], s[1])

    (bits,) = run(body, [5] * 65, [5 ^ (1 << k) for k in range(64)] + [5], n, 7, 7)
    assert [int(b) & 1 for b in bits] == [0] * 64 + [1]


@steady(30)
@given(pairs, st.integers(2, 5), st.integers(0, 2**32))
def test_minimum_and_maximum(rows: list[tuple[int, int | None]], n: int, seed: int) -> None:
    x, y = columns(rows)

    async def body(p: Party, s: list[Share]) -> tuple[Share, Share]:
        return await minimum(p, s[0], s[1]), await maximum(p, s[0], s[1])

    low, high = run(body, x, y, n, seed, 16)
    assert signed(low).tolist() == list(map(min, x, y))
    assert signed(high).tolist() == list(map(max, x, y))


@steady(30)
@given(st.lists(st.integers(0, 255), min_size=1, max_size=20), st.integers(2, 5), st.integers(0, 2**32))
def test_only_the_lowest_bit_of_a_byte_counts(noisy: list[int], n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = (draw.integers(0, 2**64, len(noisy), dtype=np.uint64) for _ in "xy")

    async def body(p: Party, s: list[Share]) -> tuple[Share, Share]:
        return await select(p, *s), await as_numbers(p, s[0])

    inputs: list[tuple[np.ndarray, int, Ring]] = [(np.array(noisy, dtype=np.uint8), 0, B8), (x, 14, Z64), (y, 14, Z64)]
    (chosen, ones), outcome = on_shares(body, inputs, n, seed)
    assert set(outcome.rounds.values()) == {2}
    assert ones.tolist() == [bits & 1 for bits in noisy]
    assert chosen.tolist() == [int(a if bits & 1 else b) for bits, a, b in zip(noisy, x, y, strict=True)]
    assert [share.scale for share in outcome.results["owner0"]] == [14, 0]


def test_values_of_two_scales_are_not_compared() -> None:
    async def body(p: Party, s: list[Share]) -> Share:
        return await less_than(p, s[0], s[1])

    with pytest.raises(InternalError, match="differ in scale"):
        on_shares(body, [(words([1]), 20, Z64), (words([1]), 21, Z64)], 2)
