"""Products, truncation, comparisons, selection, sums, and where a sum of the owners' own functions reaches 0."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mpc.errors import DataError
from mpc.randomness.correlation import fold_order
from mpc.ring.array import Array
from mpc.ring.rings import B8, B32, B64, Z64, wide
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import Input, integers, own, reals, words
from protocols.core.alignment import check_aligned
from protocols.core.beaver import matmul, multiply
from protocols.core.comparison import any_each, any_set, equal, greater, less_than, outside
from protocols.core.exact_floor import floor
from protocols.core.grid_search import Wanted, grid_search
from protocols.core.halved import halved_matmul
from protocols.core.monotone_search import FAN, first_reached
from protocols.core.order import order_statistics, ranks
from protocols.core.secure_sum import secure_sum
from protocols.core.selection import as_numbers, clamp, maximum, minimum, select
from protocols.core.truncation import truncate
from protocols.rows.own_rows import DIGEST_BITS
from tests.testing.cases.case import Case, Cost, Secrets, View, each_in_turn
from tests.testing.cases.costs import COMPARED, COMPARED_DEALT, SAME, SAME_DEALT, WORD, clamped, floored

SCALE = 14
LOW, HIGH = -1000, 5000
BOUND = 2**63 + 12345
FLOORED = 20  # bits
DIGITS = 2
SIDE = 4  # rows and columns of 16 points

# -- products


async def _halved(p: Party, x: Share, y: Share) -> Share:
    return await halved_matmul(p, x, y, label="halved")


def exact(x: Any, y: Any) -> float:
    """The rounding of float64, in the reference: the shares' product is exact."""
    return 2.0**-30


# -- comparisons, whose bits are bit 0 of each byte


def lowest(bits: Share) -> Share:
    return Public(np.full(bits.shape, 1, dtype=np.uint8), 0, B8) * bits


async def _outside(p: Party, x: Share) -> Share:
    bounds = (np.full(x.shape, bound, dtype=np.int64) for bound in (LOW, HIGH))
    return lowest(await outside(p, x, *bounds, label="outside"))


async def _less_than(p: Party, x: Share, y: Share) -> Share:
    return lowest(await less_than(p, x, y))


def _less_than_reference(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the ring elements: as float64, numbers of 54 bits that differ in the last one would be equal."""
    less: np.ndarray = x.view(np.int64) < y.view(np.int64)
    return less.astype(np.uint8)


async def _equal(p: Party, x: Share, y: Share) -> Share:
    return lowest(await equal(p, x, y))


async def _greater(p: Party, r: Share) -> Share:
    return lowest(await greater(p, r, np.full(r.shape, BOUND, dtype=np.uint64)))


def _greater_reference(folded: np.ndarray) -> np.ndarray:
    """Of bits in `fold_order`, which is its own inverse."""
    return (fold_order(folded) > np.uint64(BOUND)).astype(np.uint8)


async def _any_each(p: Party, bits: Share) -> Public:
    return await any_each(p, bits.reshape(2 * bits.shape[1]), bits.shape[1], what="each", why="agreed")


async def any_of(p: Party, bits: Share) -> Public:
    return await any_set(p, bits, what="any", why="agreed")


async def _clamp(p: Party, x: Share) -> Share:
    return await clamp(p, x, 1)


async def _floor(p: Party, u: Share) -> Share:
    return await floor(p, u, FLOORED)


# -- sums


async def _sum(p: Party, mine: np.ndarray) -> Public:
    return await secure_sum(p, mine, SCALE, what="total", why="agreed")


async def _wide_sum(p: Party, mine: np.ndarray) -> Public:
    return await secure_sum(p, mine, 90, wide(128), what="total", why="agreed")


OTHER_ADDENDS: Secrets = [
    ([[5.0, 7.0, 1.0]], [[11.0, 1.0, 1.0]]),
    ([[5.0, 7.0, 1.0]], [[1.0, 7.0, 5.0]]),
    ([[5.0, 7.0, 1.0]], [[5.0, 6.0, 2.0]]),
]
"""For each of three owners: the two others have others of the same sum."""

# -- order


def _ranks_reference(x: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(x, axis=0, kind="stable"), axis=0)


# -- one list of ids


async def aligned(p: Party, bits: Array) -> Public:
    """The word itself, so that the kit sees all that is opened; its bits are in bit 0 of each byte."""
    try:
        await check_aligned(p, bits)
    except DataError:
        return Public(np.ones(1, dtype=np.uint64))
    return Public(np.zeros(1, dtype=np.uint64))


def _aligned_reference(parts: tuple[Array, ...]) -> Array:
    return np.array([any((part & 1 != parts[0] & 1).any() for part in parts)], dtype=np.uint64)


def _near_and_far(n: int) -> Secrets:
    """A list that differs in one bit looks like one that has nothing in common with the others'."""
    same = np.random.default_rng(3).integers(0, 2, DIGEST_BITS, dtype=np.uint8)
    near = same ^ (np.arange(DIGEST_BITS) == 5).astype(np.uint8)
    return [tuple([[[one if i == k else same for i in range(n)]] for one in (near, 1 - same)]) for k in range(n)]  # type: ignore[misc]


# -- searches


async def _median(p: Party, mine: Array) -> Array:
    """The lower median of the owners' numbers: the least k that half of them do not exceed."""
    n = len(p.owners)

    def reach(points: Array) -> Array:
        numbers = mine.view(np.int64)
        return 2 * (points >= numbers[:, None]).astype(np.int64) - 1

    found = await first_reached(p, reach, mine.shape[0], DIGITS, what="median", why="agreed")
    assert n > 1
    return p.compute(lambda: found.astype(np.float64), shape=found.shape)


def _median_reference(parts: tuple[Array, ...]) -> Array:
    return np.quantile(np.stack(parts), 0.5, axis=0, method="inverted_cdf")


def _same_median(n: int) -> Secrets:
    """One owner's number is another on the same side of the same median, each owner's in turn."""
    low, high, others = (90, 200, [50]) if n == 2 else (10, 30, [50, 90, *[50] * n][: n - 1])
    return [
        ([[[v] for v in (*others[:k], low, *others[k:])]], [[[v] for v in (*others[:k], high, *others[k:])]])
        for k in range(n)
    ]


async def _on_grid(p: Party, mine: Array) -> Array:
    """The smallest of all numbers, and the one that half of all do not exceed, found among 16 points."""
    count = len(p.owners) * mine.shape[0]
    least = np.array([1, -(-count // 2)], dtype=np.int64)
    (found,) = await grid_search(p, [Wanted(FAN, least, lambda: _reached_by(mine))])
    (points,) = await p.reveal(found.points, what="quantiles", why="agreed", label="quantiles")
    return p.compute(lambda: points.value.astype(np.float64), shape=points.shape)


def _reached_by(mine: Array) -> Array:
    return np.cumsum(np.bincount(mine.astype(np.int64), minlength=FAN))


def _on_grid_reference(parts: tuple[Array, ...]) -> Array:
    return np.quantile(np.concatenate(parts), [0, 0.5], method="inverted_cdf")


def _bit_input(largest: int, *shape: int | str) -> Input:
    return Input(shape, 0, B8, 0, largest, False)


def pair(largest: float) -> list[Input]:
    return [reals(("m",), scale=SCALE, largest=largest)] * 2


def multiplied(reference: Any, inputs: list[Input], error: Any, word: int = WORD) -> Case:
    return Case(multiply, reference, inputs, error, Cost(1, 6 * word, 3 * word, MANY))


FEW, MANY = {"m": 2}, {"m": 3}
GRID = 2 * 2 * (SIDE - 1)  # comparisons
ELEMENTWISE: dict[str, Case] = {
    "multiply": replace(multiplied(lambda x, y: x * y, pair(1000.0), exact), view=View(soak_from=4)),
    "multiply elements": multiplied(lambda x, y: x * y, [words(("m",))] * 2, None),
    "multiply bits": multiplied(lambda x, y: x & y, [words(("m",), ring=B32)] * 2, None, word=4),
    "truncate": Case(
        lambda p, x: truncate(p, x, SCALE),
        lambda x: x,
        [reals(("m",), scale=2 * SCALE, largest=2.0**33)],
        2.0**-SCALE,
        Cost(1, 3 * WORD, 6 * WORD, MANY),
        View(soak_from=4),
    ),
    "outside": Case(
        _outside,
        lambda x: ((x < LOW) | (x > HIGH)).astype(np.uint8),
        [Input(("m",), 0, Z64, LOW - 2000, HIGH + 2000, True)],
        None,
        Cost(7, 2 * WORD + 12 * 4 + 12 * 2 + 12 * 1 * 3 + 8, 2 * WORD + 8 * 4 + 8 * 2 + 8 * 1 * 3 + 4, FEW),
    ),
    "less than": Case(
        _less_than,
        _less_than_reference,
        [replace(one, real=False) for one in pair(2.0**40)],
        None,
        Cost(7, 2 * COMPARED, 2 * COMPARED_DEALT, FEW),
    ),
    "equal": Case(
        _equal,
        lambda x, y: (x == y).astype(np.uint8),
        [integers(("m",), -1, 1)] * 2,
        None,
        Cost(7, 2 * SAME, 2 * SAME_DEALT, FEW),
    ),
    "select": Case(
        select,
        lambda bits, x, y: np.where(bits == 1, x, y),
        [_bit_input(1, "m"), *pair(1000.0)],
        2.0**-40,
        Cost(1, 1 + 3 * WORD, 6 * WORD, MANY),
        View(sizes={"m": 800}),
    ),
    "maximum": Case(
        maximum,
        np.maximum,
        pair(2.0**40),
        2.0**-40,
        Cost(8, 2 * COMPARED + 1 + 2 * WORD, 2 * COMPARED_DEALT + 4 * WORD, FEW),
        View(sizes={"m": 400}),
    ),
    "greater": Case(
        _greater,
        _greater_reference,
        [words(("m",), ring=B64)],
        None,
        Cost(6, 2 * (COMPARED - WORD), 2 * (COMPARED_DEALT - WORD), FEW),
        View(sizes={"m": 500}),
    ),
}
BIASES = {"multiply": 0.0, "truncate": 1e-6}
CASES = {
    **{name: replace(case, many=30_000, bias=BIASES.get(name)) for name, case in ELEMENTWISE.items()},
    "matmul": Case(
        matmul,
        lambda x, y: x @ y,
        [reals(("m", "k"), scale=SCALE, largest=1000.0), reals(("k", "n"), scale=SCALE, largest=1000.0)],
        exact,
        Cost(1, (6 + 12) * WORD, 8 * WORD, {"m": 2, "k": 3, "n": 4}),
        View(soak_from=4),
    ),
    "halved matmul": Case(
        _halved,
        lambda x, y: x @ y,
        [reals(("m", "k"), scale=SCALE, largest=1000.0), reals(("k", "n"), scale=SCALE, largest=1000.0)],
        exact,
        Cost(1, (10 + 20) * WORD, 8 * WORD, {"m": 2, "k": 5, "n": 4}, owners=(2,)),
        # tests/protocols/core/test_halved.py
        View(owners=(), structure_sizes={"m": 2, "k": 5, "n": 3}),
        owners=(2,),
    ),
    "as numbers": Case(
        as_numbers,
        lambda bits: bits.astype(np.float64),
        [_bit_input(1, "m")],
        2.0**-40,
        Cost(1, 1, 3 * WORD, MANY),
        View(sizes={"m": 800}),
    ),
    "minimum": replace(ELEMENTWISE["maximum"], protocol=minimum, reference=np.minimum),
    "clamp": Case(
        _clamp,
        lambda x: np.clip(x, -2, 2),
        [reals(("m",), scale=24, largest=1000)],
        1e-12,
        Cost(8, *clamped(3), MANY),
        View(owners=(2,), structure_sizes={"m": 1}, words=400, shift=0.6),
    ),
    "floor": Case(
        _floor,
        lambda u: u >> np.uint64(FLOORED) << np.uint64(FLOORED),
        [words(("m",))],
        None,
        Cost(8, *floored(3), MANY),
        View(sizes={"m": 128}),
    ),
    "any of each": Case(
        _any_each,
        lambda bits: np.zeros(bits.shape[1]),
        [_bit_input(0, 2, "m")],
        None,
        Cost(2, 1 + 3 * WORD, 6 * WORD, MANY),
        View(secrets=lambda n: [([0], [254])], sizes={"m": 400}, words=1000),
    ),
    "any, none set": Case(
        any_of,
        lambda bits: np.zeros(1),
        [_bit_input(0, "m")],
        None,
        Cost(2, 1 + WORD, 3 * WORD, MANY),
        View(secrets=lambda n: [([0], [254])], sizes={"m": 800}),
    ),
    "sum": Case(
        _sum,
        lambda parts: np.sum(parts, axis=0),
        [own(reals(("m",), scale=SCALE, largest=2.0**40))],
        2.0**-10,
        Cost(1, 3 * WORD, 0, MANY),
        View(
            owners=(3,),
            soak_from=4,
            secrets=lambda n: [*OTHER_ADDENDS, ([[0.5, -(2.0**40), 2.0**40]], [[0.5, 1.0, -1.0]])],
            addends=True,
        ),
    ),
    "wide sum": Case(
        _wide_sum,
        lambda parts: np.sum(parts, axis=0),
        [own(reals(("m",), scale=90, largest=2.0**30, ring=wide(128)))],
        2.0**-20,
        Cost(1, 3 * 16, 0, MANY),
        View(owners=(3,), soak_from=4, secrets=lambda n: OTHER_ADDENDS, sizes={"m": 100}, addends=True),
    ),
    "ranks": Case(
        ranks,
        _ranks_reference,
        [reals((3, "m"), scale=SCALE, largest=2.0**39)],
        2.0**-40,
        Cost(8, 6 * COMPARED + 1, 6 * (COMPARED_DEALT + WORD), FEW),
        View(soak_from=2, sizes={"m": 12}, words=1000, structure_sizes={"m": 1}),
        many=3_000,
    ),
    "order statistics": Case(
        lambda p, x: order_statistics(p, x, (0, 2)),
        lambda x: np.sort(x, axis=0)[[0, 2]],
        [reals((3, "m"), scale=SCALE, largest=2.0**40)],
        2.0**-40,
        # three pairs are compared, and each rank with two places
        Cost(
            16,
            3 * COMPARED + 1 + 6 * (SAME + WORD) + 1,
            3 * (COMPARED_DEALT + WORD) + 6 * (SAME_DEALT + 2 * WORD),
            {"m": 1},
        ),
        View(owners=(2,), soak_from=2, structure_sizes={"m": 1}, words=600, sizes={"m": 20}),
        examples=20,
        every=11,
    ),
    "one list of ids": Case(
        aligned,
        _aligned_reference,
        [own(words((DIGEST_BITS,), ring=B8))],
        None,
        Cost(2, DIGEST_BITS // 8 + WORD, DIGEST_BITS * WORD, owners=(2,)),
        View(secrets=_near_and_far),
        examples=10,
        every=1,
    ),
    "median": Case(
        _median,
        _median_reference,
        [own(integers(("m",), 0, FAN**DIGITS - 1))],
        0.0,
        # of two items: thirty comparisons a digit
        Cost(8 * DIGITS, DIGITS * (30 * COMPARED + 4), DIGITS * 30 * COMPARED_DEALT, FEW),
        View(soak_from=2, secrets=_same_median, sizes={"m": 4}, structure_sizes={"m": 1}, words=120, shift=0.9),
        every=11,
    ),
    "smallest and median on a grid": Case(
        _on_grid,
        _on_grid_reference,
        [own(integers(("m",), 0, FAN - 1))],
        0.0,
        Cost(
            19,
            GRID * COMPARED
            + 2  # the comparisons' bits as numbers
            + (2 * SIDE + SIDE * 2 * (SIDE + 1)) * WORD  # which row, and both owners' counts
            + (2 * SIDE + 2 * 2 * 2 * SIDE) * WORD  # which point, and both owners' counts of the row, each twice
            + 2 * WORD,
            GRID * (COMPARED_DEALT + WORD) + (2 * 2 * (SIDE + 1) + 2 * 2 * 2 * SIDE) * WORD,
            FEW,
            owners=(2,),
        ),
        View(
            soak_from=2,
            secrets=lambda n: each_in_turn(n, ([3, 9], [3, 12])),
            sizes={"m": 2},
            structure_sizes={"m": 1},
            words=120,
            shift=0.9,
        ),
        every=11,
    ),
}
