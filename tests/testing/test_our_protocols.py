"""Every protocol of ours under all four checks of the kit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.randomness.correlation import fold_order
from mpc.ring.array import Array
from mpc.ring.rings import B8, B32, B64, wide
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import Input, check_view, integers, own, reals, words
from protocols.beaver import matmul, multiply
from protocols.bit_budget import bit_budget
from protocols.comparison import any_each, any_set, equal, greater, less_than, outside
from protocols.gram import combination
from protocols.held import Rows, hold, product, products, take_rows, transpose_product
from protocols.logistic import Descent, step, target
from protocols.secure_sum import secure_sum
from protocols.selection import as_numbers, maximum, minimum, select
from protocols.sigmoid import sigmoid
from protocols.sigmoid_fits import FITS
from protocols.stacked import Stacked
from protocols.truncation import divided, truncate
from protocols.twin import sigmoid as exact_sigmoid
from tests.testing.spoken import Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

SCALE = 14
WORD = 8


# -- the protocols, with their public settings


async def _held_product(p: Party, x: Share, w: Share) -> tuple[Share, Share]:
    held = take_rows(await hold(p, x), Rows.of(np.array([2, 0])))
    z, low = await product(p, held, w, 9, label="product")
    return z, divided(p, low)


def _held_product_twin(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x[[2, 0]] @ w, w


async def _own_product(p: Party, mine: Array, w: Share) -> tuple[Share, Share]:
    x = Stacked(Share(mine, SCALE), (mine.shape[0],) * len(p.owners), p.index)
    z, low = await product(p, take_rows(await hold(p, x), Rows.of(np.array([1, 0]))), w, 9, label="product")
    return z, divided(p, low)


def _own_product_twin(parts: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(parts)[[1, 0]] @ w, w


def backwards(x: Share) -> Rows:
    """All rows, the last first."""
    return Rows.of(np.arange(x.shape[0])[::-1].copy())


def _transpose(shift: int) -> Spoken:
    """Held rows' transposed product with a vector that is cut by so many bits."""

    async def body(p: Party, x: Share, e: Share) -> Share:
        return await transpose_product(p, take_rows(await hold(p, x), backwards(x)), e, shift, label="e")

    return Spoken(
        body,
        lambda x, e: x[::-1].T @ e,
        [reals(("m", "k"), scale=SCALE, largest=100.0), reals(("m",), scale=40, largest=100.0)],
        1000.0 * 2.0 ** (shift - 40),
        2,
        (6 + 3) * WORD,
        2 * WORD + 6 * (2 if shift <= 16 else 4) + 2 * 3 * WORD,
        {"m": 3, "k": 2},
        view_sizes={"m": 60, "k": 3},
    )


STEPS = (Rows.of(np.array([1])), Rows.of(np.array([2, 0])))


async def _held_products(p: Party, x: Share, w: Share) -> Share:
    return await products(p, await hold(p, x), STEPS, w, label="all")


def _held_products_twin(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.concatenate([x[rows.index] @ w[:, t] for t, rows in enumerate(STEPS)])


FIT = FITS[0]
Z_SCALE = 64 - FIT.period.bit_length() + 1


async def _sigmoid(p: Party, z: Share) -> Share:
    return await sigmoid(p, z, FIT, 1.0, 30)


LOW, HIGH = -1000, 5000


async def _outside(p: Party, x: Share) -> Share:
    bounds = (np.full(x.shape, bound, dtype=np.int64) for bound in (LOW, HIGH))
    bits = await outside(p, x, *bounds, label="outside")
    return Public(np.full(x.shape, 1, dtype=np.uint8), 0, B8) * bits  # of each byte, bit 0


def _lowest(bits: Share) -> Share:
    """Of each byte, bit 0."""
    return Public(np.full(bits.shape, 1, dtype=np.uint8), 0, B8) * bits


async def _less_than(p: Party, x: Share, y: Share) -> Share:
    return _lowest(await less_than(p, x, y))


def _less_than_twin(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of the ring elements: as float64, numbers of 54 bits that differ in the last one would be equal."""
    less: np.ndarray = x.view(np.int64) < y.view(np.int64)
    return less.astype(np.uint8)


async def _equal(p: Party, x: Share, y: Share) -> Share:
    return _lowest(await equal(p, x, y))


BOUND = 2**63 + 12345


async def _greater(p: Party, r: Share) -> Share:
    bits = await greater(p, r, np.full(r.shape, BOUND, dtype=np.uint64))
    return Public(np.full(r.shape, 1, dtype=np.uint8), 0, B8) * bits  # of each byte, bit 0


def _greater_twin(folded: np.ndarray) -> np.ndarray:
    """Of bits in `fold_order`, which is its own inverse."""
    return (fold_order(folded) > np.uint64(BOUND)).astype(np.uint8)


async def _combination(p: Party, x: Share, u: Share) -> Share:
    return await combination(p, await hold(p, x), u, label="combination")


async def _any_each(p: Party, bits: Share) -> Public:
    return await any_each(p, bits.reshape(2 * bits.shape[1]), bits.shape[1], what="each", why="agreed")


async def _any(p: Party, bits: Share) -> Public:
    return await any_set(p, bits, what="any", why="agreed")


def _any_none(bits: np.ndarray) -> np.ndarray:
    return np.zeros(1)


async def _sum(p: Party, mine: np.ndarray) -> Public:
    return await secure_sum(p, mine, SCALE, what="total", why="agreed")


async def _wide_sum(p: Party, mine: np.ndarray) -> Public:
    return await secure_sum(p, mine, 90, wide(128), what="total", why="agreed")


HOW = Descent(0.5, 0.1, FIT, bit_budget(FIT, 0.5, 1, 5, 0.1))


async def _step(p: Party, x: Share, y: Share, w: Share) -> Share:
    decay = np.full(x.shape[1], round(HOW.rate * HOW.l2 * 2.0**HOW.bits.w_shift), dtype=np.uint64)
    after, _ = await step(
        p, await hold(p, x), target(p, y, x.shape[0], HOW), backwards(x), w, Public(decay, HOW.bits.w_shift), HOW
    )
    return after


def _step_twin(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> np.ndarray:
    return w - HOW.rate / len(y) * x.T @ (exact_sigmoid(x @ w) - y) - HOW.rate * HOW.l2 * w


def _square(scale: int, largest: float) -> list[Input]:
    return [reals(("m",), scale=scale, largest=largest), reals(("m",), scale=scale, largest=largest)]


def _rounding(x: Any, y: Any) -> float:
    """Float64's own, in the twin: the shares' product is exact."""
    return 2.0**-30


ADDENDS = [
    ([[5.0, 7.0, 1.0]], [[11.0, 1.0, 1.0]]),
    ([[5.0, 7.0, 1.0]], [[1.0, 7.0, 5.0]]),
    ([[5.0, 7.0, 1.0]], [[5.0, 6.0, 2.0]]),
]
"""Of three owners: for each of them, the two others trade between themselves."""

OURS = {
    "multiply": Spoken(
        multiply, lambda x, y: x * y, _square(SCALE, 1000.0), _rounding, 1, 6 * WORD, 3 * WORD, {"m": 3}
    ),
    "multiply elements": Spoken(
        multiply, lambda x, y: x * y, [words(("m",)), words(("m",))], None, 1, 6 * WORD, 3 * WORD, {"m": 3}
    ),
    "multiply bits": Spoken(
        multiply,
        lambda x, y: x & y,
        [words(("m",), ring=B32), words(("m",), ring=B32)],
        None,
        1,
        6 * 4,
        3 * 4,
        {"m": 3},
    ),
    "matmul": Spoken(
        matmul,
        lambda x, y: x @ y,
        [reals(("m", "k"), scale=SCALE, largest=1000.0), reals(("k", "n"), scale=SCALE, largest=1000.0)],
        _rounding,
        1,
        (6 + 12) * WORD,
        8 * WORD,
        {"m": 2, "k": 3, "n": 4},
    ),
    "truncate": Spoken(
        lambda p, x: truncate(p, x, SCALE),
        lambda x: x,
        [reals(("m",), scale=2 * SCALE, largest=2.0**33)],
        2.0**-SCALE,
        1,
        3 * WORD,
        6 * WORD,
        {"m": 3},
    ),
    "held product": Spoken(
        _held_product,
        _held_product_twin,
        [reals((3, "k"), scale=SCALE, largest=100.0), reals(("k",), scale=30, largest=100.0)],
        2.0 ** (9 - 30),
        2,
        (6 + 2) * WORD,
        (2 + 2 + 2) * WORD,
        {"k": 2},
        view_sizes={"k": 60},
    ),
    "held product of own rows": Spoken(
        _own_product,
        _own_product_twin,
        [own(reals((1, "k"), scale=SCALE, largest=100.0)), reals(("k",), scale=30, largest=100.0)],
        2.0 ** (9 - 30),
        2,
        (2 + 2) * WORD,
        (2 + 2 + 2) * WORD,
        {"k": 2},
        view_sizes={"k": 60},
    ),
    "held products": Spoken(
        _held_products,
        _held_products_twin,
        [reals((3, "k"), scale=SCALE, largest=100.0), reals(("k", 2), scale=SCALE, largest=100.0)],
        _rounding,
        2,
        (6 + 4) * WORD,
        3 * WORD,
        {"k": 2},
        view_sizes={"k": 40},
    ),
    "transpose product": _transpose(12),
    "transpose product, cut by more": _transpose(17),
    "sigmoid": Spoken(
        _sigmoid,
        exact_sigmoid,
        [reals(("m",), scale=Z_SCALE, largest=FIT.reach)],
        FIT.error + 1e-6,
        1,
        2 * WORD,
        2 * 2 * len(FIT.coefficients) * WORD,
        {"m": 2},
    ),
    "outside": Spoken(
        _outside,
        lambda x: ((x < LOW) | (x > HIGH)).astype(np.uint8),
        [Input(("m",), 0, reals((), scale=0, largest=0).ring, LOW - 2000, HIGH + 2000, True)],
        None,
        7,
        2 * WORD + 12 * 4 + 12 * 2 + 12 * 1 * 3 + 8,
        2 * WORD + 8 * 4 + 8 * 2 + 8 * 1 * 3 + 4,
        {"m": 2},
    ),
    "less than": Spoken(
        _less_than,
        _less_than_twin,
        [replace(one, real=False) for one in _square(SCALE, 2.0**40)],
        None,
        7,
        2 * WORD + 6 * 4 + 6 * 2 + 6 * 1 * 3 + 4,
        2 * WORD + 4 * 4 + 4 * 2 + 4 * 1 * 3 + 2,
        {"m": 2},
    ),
    "equal": Spoken(
        _equal,
        lambda x, y: (x == y).astype(np.uint8),
        [integers(("m",), -1, 1), integers(("m",), -1, 1)],
        None,
        7,
        2 * WORD + 4 * 4 + 4 * 2 + 4 * 1 * 4,
        2 * WORD + 2 * 4 + 2 * 2 + 2 * 1 * 4,
        {"m": 2},
    ),
    "select": Spoken(
        select,
        lambda bits, x, y: np.where(bits == 1, x, y),
        [Input(("m",), 0, B8, 0, 1, False), *_square(SCALE, 1000.0)],
        2.0**-40,
        1,
        1 + 3 * WORD,
        6 * WORD,
        {"m": 3},
        view_sizes={"m": 800},
    ),
    "as numbers": Spoken(
        as_numbers,
        lambda bits: bits.astype(np.float64),
        [Input(("m",), 0, B8, 0, 1, False)],
        2.0**-40,
        1,
        1,
        3 * WORD,
        {"m": 3},
        view_sizes={"m": 800},
    ),
    "minimum": Spoken(
        minimum,
        np.minimum,
        _square(SCALE, 2.0**40),
        2.0**-40,
        8,
        2 * WORD + 6 * 4 + 6 * 2 + 6 * 1 * 3 + 4 + 1 + 2 * WORD,
        2 * WORD + 4 * 4 + 4 * 2 + 4 * 1 * 3 + 2 + 4 * WORD,
        {"m": 2},
        view_sizes={"m": 400},
    ),
    "maximum": Spoken(
        maximum,
        np.maximum,
        _square(SCALE, 2.0**40),
        2.0**-40,
        8,
        2 * WORD + 6 * 4 + 6 * 2 + 6 * 1 * 3 + 4 + 1 + 2 * WORD,
        2 * WORD + 4 * 4 + 4 * 2 + 4 * 1 * 3 + 2 + 4 * WORD,
        {"m": 2},
        view_sizes={"m": 400},
    ),
    "greater": Spoken(
        _greater,
        _greater_twin,
        [words(("m",), ring=B64)],
        None,
        6,
        6 * 4 + 6 * 2 + 6 * 1 * 3 + 4,
        4 * 4 + 4 * 2 + 4 * 1 * 3 + 2,
        {"m": 2},
        view_sizes={"m": 500},
    ),
    "combination": Spoken(
        _combination,
        lambda x, u: x.T @ u,
        [reals(("m", "k"), scale=SCALE, largest=100.0), reals(("m",), scale=20, largest=100.0)],
        _rounding,
        2,
        (6 + 3) * WORD,
        2 * WORD,
        {"m": 3, "k": 2},
        view_sizes={"m": 60, "k": 3},
    ),
    "any of each": Spoken(
        _any_each,
        lambda bits: np.zeros(bits.shape[1]),
        [Input((2, "m"), 0, B8, 0, 0, False)],
        None,
        2,
        1 + 3 * WORD,
        6 * WORD,
        {"m": 3},
        secrets=lambda n: [([0], [254])],
        view_sizes={"m": 400},
        words=1000,
        shift=0.3,
    ),
    "any, none set": Spoken(
        _any,
        _any_none,
        [Input(("m",), 0, B8, 0, 0, False)],
        None,
        2,
        1 + WORD,
        3 * WORD,
        {"m": 3},
        secrets=lambda n: [([0], [254])],
        view_sizes={"m": 800},
    ),
    "sum": Spoken(
        _sum,
        lambda parts: np.sum(parts, axis=0),
        [own(reals(("m",), scale=SCALE, largest=2.0**40))],
        2.0**-10,
        1,
        3 * WORD,
        0,
        {"m": 3},
        secrets=lambda n: [*ADDENDS, ([[0.5, -(2.0**40), 2.0**40]], [[0.5, 1.0, -1.0]])],
        addends=True,
    ),
    "wide sum": Spoken(
        _wide_sum,
        lambda parts: np.sum(parts, axis=0),
        [own(reals(("m",), scale=90, largest=2.0**30, ring=wide(128)))],
        2.0**-20,
        1,
        3 * 16,
        0,
        {"m": 3},
        secrets=lambda n: ADDENDS,
        addends=True,
        view_sizes={"m": 100},
    ),
    "logistic step": Spoken(
        _step,
        _step_twin,
        [
            reals(("m", "d"), scale=HOW.bits.x, largest=2.0),
            integers(("m",), 0, 1),
            reals(("d",), scale=HOW.bits.w, largest=2.0),
        ],
        HOW.rate * 2.0 * FIT.error + 1e-5,
        4,
        (6 + 2 + 3 + 3) * WORD,
        (3 + 2 + 2) * WORD + 2 * len(FIT.coefficients) * 3 * WORD + 2 * WORD + 6 * 2 + 6 * WORD,
        {"m": 3, "d": 2},
        view_sizes={"m": 24, "d": 24},
    ),
}
BIASES = {"multiply": 0.0, "truncate": 1e-6, "sigmoid": 1e-6}
MANY = [*BIASES, "multiply elements", "multiply bits", "less than", "equal", "outside", "greater", "select", "maximum"]
OURS |= {name: replace(OURS[name], many=30_000, bias=BIASES.get(name)) for name in MANY}
"""Elementwise ones: so many entries tell of one that is wrong in 4,096, and of errors that do not even out."""
every_one = pytest.mark.parametrize("name", OURS)


LONG_TO_SEE = (
    *("minimum", "maximum", "less than", "outside", "logistic step", "equal", "select", "greater"),
    *(
        "held product",
        "held product of own rows",
        "held products",
        "transpose product",
        "transpose product, cut by more",
    ),
)
"""Whose views among three owners take long enough to belong to the soak."""


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize(
    ("name", "owners"),
    [
        pytest.param(name, owners, marks=[pytest.mark.soak] if owners > 2 and name in LONG_TO_SEE else [])
        for name in OURS
        for owners in (2, 3)
    ],
)
def test_view(name: str, owners: int) -> None:
    it = OURS[name]
    if it.addends and owners == 2:
        pytest.skip("of two owners, each learns the other's addend, and says so")
    saw = hold_to_view(it, owners)
    assert saw.structure is not None and saw.structure.words >= (0 if it.secrets else it.rounds)


@pytest.mark.parametrize("owners", [2, 3])
def test_any_set_tells_no_more_than_that_one_is(owners: int) -> None:
    bits = [words(("m",), ring=B8)]
    few = np.zeros(800, dtype=int)
    few[7] = 1
    saw = check_view(_any, bits, owners=owners, secrets=[([few], [255]), ([1], [3])], sizes={"m": 800})
    assert saw.shift < 0.2 and saw.untested == ()


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
