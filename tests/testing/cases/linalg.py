"""Products with a matrix that was opened once, and Gram matrices."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from mpc.testing import own, reals
from protocols.core.beaver import matmul
from protocols.core.stacked import Stacked
from protocols.core.truncation import divided
from protocols.core.wide import lift, lowered, noisy_lift, wide_truncate
from protocols.linalg.gram import combination, hold_gram, hold_gram_of_columns, hold_gram_of_shared
from protocols.linalg.held import Rows, hold, product, products, take_rows, transpose_product
from protocols.linalg.hessian import Series, precondition
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE, identity, inverse, refined, residual
from protocols.linalg.original_units import FACTOR_SCALE, UNITS_RING, in_original_units
from protocols.plain.accelerated import inverse_series_reference
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


async def _gram_of_shared(p: Party, x: Share) -> Share:
    return (await hold_gram_of_shared(p, await hold(p, x), 12)).share


# -- the Hessian's inverse: a series of two doublings, of more each is as the last but one

SERIES = Series(1.0, 2, 1 << 29, 0.1)


async def _preconditioned(p: Party, x: Share) -> tuple[Share, Share]:
    held = await hold(p, x)
    rows, penalty = await precondition(p, held, held, SERIES, 1.5, SCALE)
    assert penalty is not None
    return rows.share, penalty.share


def _preconditioned_reference(x: Array) -> tuple[Array, Array]:
    found = inverse_series_reference(x.T @ x, SERIES)
    return x @ found, 1.5 * SERIES.penalty * found * np.append(np.ones(x.shape[1] - 1), 0.0)


# -- a matrix between 1/8 and 1, from its root, and its inverse in a wide ring: coarse, then refined


async def _inverse(p: Party, x: Share) -> tuple[Share, Share]:
    scaled = await matmul(p, x, x.T) * p.constant(3, (1,), 2, MATRIX_RING)
    eighth = Public(identity(len(x.value)) >> 3, MATRIX_SCALE, MATRIX_RING)
    h = p.plus(await wide_truncate(p, scaled, 2), eighth)
    coarse, _ = await inverse(p, h, 2)
    fine = await refined(p, h, coarse, 2)
    return fine, await residual(p, h, fine)


def _inverse_reference(x: Array) -> tuple[Array, Array]:
    h = 0.125 * np.eye(2) + 0.75 * x @ x.T
    fine = np.sum([np.linalg.matrix_power(np.eye(2) - h, k) for k in range(16)], axis=0)
    return fine, np.eye(2) - h @ fine


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
        View(sizes={"m": 60, "k": 3}),
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
    "Gram matrix of shared rows": Case(
        _gram_of_shared,
        lambda x: np.concatenate((x @ x.T, np.ones((len(x), 1))), axis=1),
        [reals(("m", "d"), scale=X_SCALE, largest=8.0)],
        2.0**-11,
        Cost(3, (6 + 6 + 12) * WORD, 3 * 6 * WORD, {"m": 3, "d": 2}),
        View(sizes={"m": 4, "d": 2}, words=200, shift=0.8),
    ),
    "preconditioned rows": Case(
        _preconditioned,
        _preconditioned_reference,
        # The largest x such that X^T X <= 4 m bound, whatever the signs.
        [reals(("m", "d"), scale=SCALE, largest=0.7)],
        5e-4,
        Cost(9, 135 * WORD, 144 * WORD, {"m": 4, "d": 3}),
        View(soak_from=2, sizes={"m": 2, "d": 2}, words=500, shift=0.4),
        every=15,
        long=("faults",),
    ),
    "inverse": Case(
        _inverse,
        _inverse_reference,
        [reals((2, 2), scale=MATRIX_SCALE // 2, largest=0.5, ring=MATRIX_RING)],
        1e-9,
        Cost(14, 116 * MATRIX_RING.word_bytes, 132 * MATRIX_RING.word_bytes),
        View(owners=(2,), soak_from=2, words=100, shift=0.8),
        examples=5,
        every=7,
        long=("faults",),
    ),
}
