"""Products with a matrix that was opened once, and Gram matrices."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import own, reals
from protocols.core.stacked import Stacked
from protocols.core.truncation import divided
from protocols.core.wide import lift, lowered, noisy_lift, wide_truncate
from protocols.linalg.gram import combination, hold_gram, hold_gram_of_columns
from protocols.linalg.held import Rows, hold, product, products, take_rows, transpose_product
from protocols.linalg.inverse import MATRIX_RING
from protocols.linalg.original_units import FACTOR_SCALE, UNITS_RING, in_original_units
from protocols.rows.limits import X_SCALE
from tests.testing.cases.case import Case, Cost, View
from tests.testing.cases.core import exact
from tests.testing.cases.costs import WORD

SCALE = 14
G_SCALE = 10
STEPS = (Rows.of(np.array([1])), Rows.of(np.array([2, 0])))


def stacked(p: Party, mine: Array, scale: int) -> Stacked:
    """Every owner's own rows, one owner's after another's."""
    return Stacked(Share(mine, scale), (mine.shape[0],) * len(p.owners), p.index)


def backwards(x: Share) -> Rows:
    """All rows, the last first."""
    return Rows.of(np.arange(x.shape[0])[::-1].copy())


async def _held_product(p: Party, x: Share, w: Share) -> tuple[Share, Share]:
    held = take_rows(await hold(p, x), Rows.of(np.array([2, 0])))
    z, low = await product(p, held, w, 9, label="product")
    return z, divided(p, low)


def _held_product_reference(x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x[[2, 0]] @ w, w


async def _own_product(p: Party, mine: Array, w: Share) -> tuple[Share, Share]:
    held = take_rows(await hold(p, stacked(p, mine, SCALE)), Rows.of(np.array([1, 0])))
    z, low = await product(p, held, w, 9, label="product")
    return z, divided(p, low)


def _own_product_reference(parts: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate(parts)[[1, 0]] @ w, w


def _transpose(shift: int) -> Case:
    """Held rows' transposed product with a vector that is cut by so many bits."""

    async def body(p: Party, x: Share, e: Share) -> Share:
        return await transpose_product(p, take_rows(await hold(p, x), backwards(x)), e, shift, label="e")

    return Case(
        body,
        lambda x, e: x[::-1].T @ e,
        [reals(("m", "k"), scale=SCALE, largest=100.0), reals(("m",), scale=40, largest=100.0)],
        1000.0 * 2.0 ** (shift - 40),
        Cost(2, (6 + 3) * WORD, 2 * WORD + 6 * (2 if shift <= 16 else 4) + 2 * 3 * WORD, {"m": 3, "k": 2}),
        View(sizes={"m": 60, "k": 3}),
    )


async def _held_products(p: Party, x: Share, w: Share) -> Share:
    return await products(p, await hold(p, x), STEPS, w, label="all")


def _held_products_reference(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return np.concatenate([x[rows.index] @ w[:, t] for t, rows in enumerate(STEPS)])


async def _combination(p: Party, x: Share, u: Share) -> Share:
    return await combination(p, await hold(p, x), u, label="combination")


async def _gram(p: Party, mine: Array) -> Share:
    held = await hold(p, stacked(p, mine, X_SCALE))
    gram = await hold_gram(p, held, mine, [mine.shape[0]] * len(p.owners), G_SCALE)
    return gram.share


def _gram_reference(parts: tuple[Array, ...]) -> Array:
    x = np.concatenate(parts)
    return np.concatenate((x @ x.T, np.ones((len(x), 1))), axis=1)


async def _gram_of_columns(p: Party, mine: Array) -> Share:
    return (await hold_gram_of_columns(p, mine, 2 * X_SCALE, G_SCALE)).share


def _gram_of_columns_reference(parts: tuple[Array, ...]) -> Array:
    x = np.concatenate(parts, axis=1)
    return np.concatenate((x @ x.T, np.ones((len(x), 1))), axis=1)


# -- numbers in wide rings, and weights in the columns' own units

WIDE = UNITS_RING.word_bytes


async def _lift(p: Party, x: Share) -> Share:
    return await noisy_lift(p, x, UNITS_RING)


async def _cut(p: Party, x: Share) -> Share:
    return await wide_truncate(p, x, 200)


def _units_reference(w: Array, f: Array, c: Array) -> Array:
    return np.append(w[:-1] * f, w[-1] - (w[:-1] * c).sum())


async def _whole(p: Party, x: Share) -> Share:
    return lowered(await lift(p, x, MATRIX_RING))


FACTORS = reals((3,), scale=FACTOR_SCALE, largest=100.0, ring=UNITS_RING)

CASES = {
    "lift with noise": Case(
        _lift,
        lambda x: x,
        [reals(("m",), scale=30, largest=2.0**31)],
        1.01 * 2.0**-30,
        Cost(1, 3 * WORD, 2 * 3 * WIDE, {"m": 3}),
        View(sizes={"m": 24}),
    ),
    "exact lift": Case(
        _whole,
        lambda x: x,
        [reals(("m",), scale=30, largest=2.0**31)],
        2.0**-40,
        Cost(1, 3 * WORD, 2 * 3 * MATRIX_RING.word_bytes, {"m": 3}),
        View(sizes={"m": 4}, words=300, shift=0.5),
    ),
    "wide truncation": Case(
        _cut,
        lambda x: x,
        [reals(("m",), scale=300, largest=2.0**200, ring=UNITS_RING)],
        lambda x: 2.0**-99 + float(np.abs(x).max()) * 2.0**-50,
        Cost(1, 3 * WIDE, 2 * 3 * WIDE, {"m": 3}),
        View(sizes={"m": 24}),
    ),
    "weights in original units": Case(
        in_original_units,
        _units_reference,
        [reals((4,), scale=40, largest=4096.0), FACTORS, FACTORS],
        lambda w, f, c: 2.0**-40 * (1 + np.abs((f, c)).max()) * 4,
        Cost(3, 4 * WORD + (3 + 6 + 4) * WIDE, (8 + 6 + 8) * WIDE),
        View(words=200, shift=0.6),
    ),
    "held product": Case(
        _held_product,
        _held_product_reference,
        [reals((3, "k"), scale=SCALE, largest=100.0), reals(("k",), scale=30, largest=100.0)],
        2.0 ** (9 - 30),
        Cost(2, (6 + 2) * WORD, (2 + 2 + 2) * WORD, {"k": 2}),
        View(sizes={"k": 60}),
    ),
    "held product of own rows": Case(
        _own_product,
        _own_product_reference,
        [own(reals((1, "k"), scale=SCALE, largest=100.0)), reals(("k",), scale=30, largest=100.0)],
        2.0 ** (9 - 30),
        Cost(2, (2 + 2) * WORD, (2 + 2 + 2) * WORD, {"k": 2}),
        View(sizes={"k": 60}),
    ),
    "held products": Case(
        _held_products,
        _held_products_reference,
        [reals((3, "k"), scale=SCALE, largest=100.0), reals(("k", 2), scale=SCALE, largest=100.0)],
        exact,
        Cost(2, (6 + 4) * WORD, 3 * WORD, {"k": 2}),
        View(sizes={"k": 40}),
    ),
    "transpose product": _transpose(12),
    "transpose product, cut by more": _transpose(17),
    "combination": Case(
        _combination,
        lambda x, u: x.T @ u,
        [reals(("m", "k"), scale=SCALE, largest=100.0), reals(("m",), scale=20, largest=100.0)],
        exact,
        Cost(2, (6 + 3) * WORD, 2 * WORD, {"m": 3, "k": 2}),
        View(soak_from=4, sizes={"m": 60, "k": 3}),
    ),
    "Gram matrix": Case(
        _gram,
        _gram_reference,
        [own(reals(("m", "d"), scale=X_SCALE, largest=1000.0))],
        2.0**-G_SCALE,
        Cost(3, (2 * 2 + 4 + 4 * 5) * WORD, (4 + 2 * 4) * WORD, {"m": 2, "d": 2}, owners=(2,)),
        View(sizes={"m": 6, "d": 20}, structure_sizes={"m": 1, "d": 1}, words=1000, shift=0.3),
    ),
    "Gram matrix of columns": Case(
        _gram_of_columns,
        _gram_of_columns_reference,
        [own(reals(("m", "d"), scale=X_SCALE, largest=1000.0))],
        # each owner rounds its own
        5 * 2.0 ** -(G_SCALE + 1),
        Cost(1, 3 * (3 + 1) * WORD, 0, {"m": 3, "d": 2}),
        View(sizes={"m": 20, "d": 2}),
    ),
}
