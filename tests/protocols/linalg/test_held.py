"""Products with a held matrix equal the products, for every choice of rows.

The kit's four checks of it are in tests/testing; here is what they cannot express: any choice of rows, the largest
elements, and that rounding has no bias.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError
from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.stacked import Stacked, stack
from protocols.core.truncation import divided
from protocols.linalg.held import Rows, hold, product, products, take_rows, transpose_product
from tests.examples import steady
from tests.helpers import on_shares, signed, words

LARGEST = 2**62 - 1


def around_zero(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def integers(draw: np.random.Generator, shape: tuple[int, ...], largest: int) -> np.ndarray:
    """Integers up to `largest` in size, of all magnitudes, both signs, the extremes among them."""
    count = int(np.prod(shape))
    sizes = [int(2.0 ** draw.uniform(0, largest.bit_length())) for _ in range(count)]
    numbers = [min(size, largest) * (1 if draw.random() < 0.5 else -1) for size in sizes]
    for k in range(0, count, 7):
        numbers[k] = (0, largest, -largest)[k // 7 % 3]
    return np.array(numbers, dtype=object).reshape(shape)


def choice(draw: np.random.Generator, m: int) -> Rows:
    """Some rows, in any order, perhaps one twice."""
    return Rows.of(draw.integers(0, m, size=int(draw.integers(1, m + 2))))


shapes = given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 62), st.integers(2, 5), st.integers(0, 2**32))


@steady(50)
@shapes
def test_product(m: int, d: int, shift: int, n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, w = integers(draw, (m, d), 2**62), integers(draw, (d,), LARGEST)
    rows, again = choice(draw, m), choice(draw, m)

    async def body(p: Party, s: list[Share]) -> tuple[Share, ...]:
        held = await hold(p, s[0])
        assert (held.shape, held.scale) == ((m, d), 14)
        z, low = await product(p, take_rows(held, rows), s[1], shift, label="w")
        z2, _ = await product(p, take_rows(held, again), s[1], shift, label="w again")
        return z, divided(p, low), z2

    (z, low, z2), outcome = on_shares(body, [(words(x), 14, Z64), (words(w), 30, Z64)], n, seed)
    assert (z == words(x[rows.index] @ w)).all()
    assert (z2 == words(x[again.index] @ w)).all()
    assert all(abs(int(a) * 2**shift - int(b)) < 2**shift for a, b in zip(signed(low), w, strict=True))
    assert [share.scale for share in outcome.results["owner0"]] == [44, 30 - shift, 44]
    assert set(outcome.rounds.values()) == {3}


@steady(40)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=5).filter(any), st.integers(1, 4), st.integers(0, 2**32))
def test_products_with_rows_that_their_owners_know(sizes: list[int], d: int, seed: int) -> None:
    m, n, draw = sum(sizes), len(sizes), np.random.default_rng(seed)
    x, w = integers(draw, (m, d), 2**40), integers(draw, (d,), LARGEST)
    rows = choice(draw, m)
    e = integers(draw, (rows.index.size,), LARGEST)

    async def body(p: Party, s: list[Share]) -> tuple[Share, ...]:
        start = sum(sizes[: p.index])
        stacked = stack(p, x[start : start + sizes[p.index]].astype(float), 0, tuple(sizes))
        assert (stacked.shape, stacked.scale) == ((m, d), 0)
        held = await hold(p, stacked)
        assert held.opened.shape == (m, d)
        batch = take_rows(held, rows)
        z, _ = await product(p, batch, s[0], 9, label="w")
        return stacked.share, z, await transpose_product(p, batch, s[1], 9, label="e")

    (rejoined, z, g), outcome = on_shares(body, [(words(w), 30, Z64), (words(e), 50, Z64)], n, seed)
    assert (rejoined == words(x)).all()
    assert (z == words(x[rows.index] @ w)).all()
    exact, slack = x[rows.index].T @ e, abs(x[rows.index]).sum(axis=0) + 1
    for k in range(d):
        assert abs(around_zero(int(g[k]) - (exact[k] >> 9))) <= slack[k]
    assert outcome.plan.rounds[0].payload == 8 * d * max(sizes)
    for k, name in enumerate(outcome.results):  # an owner's share is what it knows, and nothing
        start = sum(sizes[:k])
        others = np.delete(outcome.results[name][0].value, range(start, start + sizes[k]), axis=0)
        assert not others.any()


def test_an_owner_stacks_as_many_rows_as_it_has() -> None:
    with pytest.raises(InternalError, match="has 3 rows and not 2"):
        Stacked(Share(np.zeros((3, 1), np.uint64)), (2, 3), 0)


@steady(60)
@shapes
def test_transpose_product(m: int, d: int, shift: int, n: int, seed: int) -> None:
    shift = (shift - 1) % 32 + 1
    draw = np.random.default_rng(seed)
    rows = choice(draw, m)
    count = rows.index.size
    x, e = integers(draw, (m, d), 2**40), integers(draw, (count,), LARGEST)

    async def body(p: Party, s: list[Share]) -> Share:
        return await transpose_product(p, take_rows(await hold(p, s[0]), rows), s[1], shift, label="e")

    (g,), outcome = on_shares(body, [(words(x), 14, Z64), (words(e), 50, Z64)], n, seed)
    exact = x[rows.index].T @ e
    slack = abs(x[rows.index]).sum(axis=0) + 1  # each error may be one unit of the last place away
    for k in range(d):
        assert abs(around_zero(int(g[k]) - (exact[k] >> shift))) <= slack[k]
    assert outcome.results["owner0"][0].scale == 64 - shift
    assert set(outcome.rounds.values()) == {2}


@pytest.mark.parametrize("n", [2, 3])
def test_transpose_product_has_no_bias(n: int) -> None:
    count, shift = 4000, 9
    value = 12345  # not a multiple of 2^9

    async def body(p: Party, s: list[Share]) -> Share:
        held = await hold(p, s[0])
        return await transpose_product(p, take_rows(held, Rows.of(np.arange(count))), s[1], shift, label="e")

    (g,), _ = on_shares(body, [(words(np.ones((count, 1))), 0, Z64), (words([value] * count), 20, Z64)], n)
    assert abs(int(signed(g)[0]) - count * value / 2**shift) < 5 * 0.5 * count**0.5


@steady(40)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**32))
def test_products(m: int, d: int, steps: int, n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, w = integers(draw, (m, d), 2**63 - 1), integers(draw, (d, steps), 2**63 - 1)
    rows = tuple(choice(draw, m) for _ in range(steps))

    async def body(p: Party, s: list[Share]) -> Share:
        return await products(p, await hold(p, s[0]), rows, s[1], label="all")

    (z,), _ = on_shares(body, [(words(x), 14, Z64), (words(w), 14, Z64)], n, seed)
    assert (z == words(np.concatenate([x[r.index] @ w[:, t] for t, r in enumerate(rows)]))).all()


def test_rows_are_equal_if_the_same_in_the_same_order() -> None:
    assert Rows.of(np.array([3, 1])) == Rows.of(np.array([3, 1], dtype=np.int32))
    assert Rows.of(np.array([3, 1])) != Rows.of(np.array([1, 3]))
    assert "array" not in repr(Rows.of(np.array([3, 1])))


def test_other_rows_than_planned_are_another_program() -> None:
    async def body(p: Party, s: list[Share]) -> Share:
        rows = Rows.of(np.array([0 if p.dry else 1]))
        z, _ = await product(p, take_rows(await hold(p, s[0]), rows), s[1], 3, label="w")
        return z

    with pytest.raises(InternalError, match="not in its plan"):
        on_shares(body, [(words(np.ones((2, 2))), 14, Z64), (words([1, 2]), 14, Z64)])
