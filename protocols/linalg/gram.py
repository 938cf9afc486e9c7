"""The Gram matrix G = X X^T of rows that several owners hold, and the way back from one number a row to the weights.

Gradient descent moves the weights by sums of rows, so w = X^T u with one number u a row, and the scores are
X w = G u: with few rows and many columns, or many steps, G is the smaller matrix to work with. A block of one owner's
own rows is computed by that owner in the clear; only blocks of two owners' rows are products of shared matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book
from mpc.ring.array import Array
from mpc.ring.rings import matmul
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.truncation import truncate
from protocols.linalg.held import Held, hold


@dataclass(frozen=True)
class CrossBlocks:
    """For the mask A of held rows of several owners: A_i A_j^T for every pair of owners, see `_cross_pairs`."""

    held: int
    sizes: tuple[int, ...]
    held_scale: int
    kept: bool = False
    drawn: tuple[Spec, ...] = ()

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((_cross_count(self.sizes),), 2 * self.held_scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        a = book[self.held][0]
        return (np.concatenate([matmul(a[i], a[rest].T).reshape(-1) for i, rest in _cross_pairs(self.sizes)]),)


async def hold_gram(p: Party, x: Held, own: Array, sizes: Sequence[int], scale: int) -> Held:
    """G = X X^T at `scale` fractional bits, with a last column of ones, held; |G_ij| < 2^(62 - 2 x.scale).

    Args:
        x: all owners' rows (m, d), one owner's after another's.
        own: this owner's own rows as ring elements (m_i, d), as they are in x.
        sizes: how many rows each owner has.

    2 rounds; reveals the blocks of two owners' rows, and G, each less a uniform mask.
    """
    cross = await _cross_entries(p, x, tuple(sizes), scale)
    blocks = [_own_block(p, k, own, size, 2 * x.scale, scale) for k, size in enumerate(sizes)]
    gram = Share(_assembled(blocks, cross, tuple(sizes)), scale)
    ones = p.public(p.constant(1 << scale, (x.shape[0], 1), scale))
    return await hold(p, Share(np.concatenate((gram.value, ones.value), axis=1), scale))


async def hold_gram_of_columns(p: Party, own: Array, exact_scale: int, scale: int) -> Held:
    """As `hold_gram`, where every owner has columns of its own of the same rows: G = sum_i X_i X_i^T, at no product.

    Args:
        own: this owner's own columns as ring elements (m, d_i), at half of `exact_scale`.

    1 round; reveals G less a uniform mask.
    """
    rows = own.shape[0]
    block = p.compute(_rounded_gram, own, exact_scale - scale, shape=(rows, rows))
    ones = p.public(p.constant(1 << scale, (rows, 1), scale))
    return await hold(p, Share(np.concatenate((block, ones.value), axis=1), scale))


@dataclass(frozen=True)
class HeldSquare:
    """For the mask A (m, d) of held rows: the entries of A A^T on and above its diagonal, row by row."""

    held: int
    rows: int
    held_scale: int
    kept: bool = False
    drawn: tuple[Spec, ...] = ()

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.rows * (self.rows + 1) // 2,), 2 * self.held_scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        a = book[self.held][0]
        return (matmul(a, a.T).reshape(self.rows, self.rows)[np.triu_indices(self.rows)],)


async def hold_gram_of_shared(p: Party, x: Held, scale: int) -> Held:
    """As `hold_gram`, where nobody knows a row of X (m, d), as with secret means: every entry is a shared product.

    2 rounds; reveals G's entries, exact and then rounded, each less a uniform mask.
    """
    m = x.shape[0]
    (dealt,) = p.correlation(HeldSquare(x.number, m, x.scale))
    # X X^T = E A^T + X E^T + A A^T, the last of which the helper deals.
    e, a = x.opened, x.share - p.public(x.opened)
    known = e @ a.T + x.share @ e.T
    upper = p.compute(lambda: known.value[np.triu_indices(m)], shape=dealt.shape)
    exact: Share = Share(upper, dealt.scale) + dealt
    entries = await truncate(p, exact, exact.scale - scale)
    gram = p.compute(_symmetric, entries.value, m, shape=(m, m))
    ones = p.public(p.constant(1 << scale, (m, 1), scale))
    return await hold(p, Share(np.concatenate((gram, ones.value), axis=1), scale))


def _symmetric(upper: Array, m: int) -> Array:
    """The symmetric matrix (m, m) with these entries on and above its diagonal."""
    whole = np.empty((m, m), dtype=upper.dtype)
    rows, columns = np.triu_indices(m)
    whole[rows, columns] = upper
    whole[columns, rows] = upper
    return whole


def _rounded_gram(own: Array, shift: int) -> Array:
    """X X^T, exact in integers, then divided by 2^shift and rounded."""
    exact = matmul(own, own.T).reshape(len(own), len(own)).view(np.int64)
    return ((exact + (1 << (shift - 1))) >> shift).view(np.uint64)


def _own_block(p: Party, owner: int, own: Array, size: int, exact_scale: int, scale: int) -> Share:
    """G among one owner's rows: exact in integers, then rounded, and shared."""
    name, block = p.owners[owner], None
    if name == p.name and not p.dry:
        block = _rounded_gram(own, exact_scale - scale)
    return p.input(name, block, (size, size), scale)


async def _cross_entries(p: Party, x: Held, sizes: tuple[int, ...], scale: int) -> Array | None:
    """This owner's shares of G between different owners' rows, one block after another; None if there are none."""
    if not _cross_count(sizes):
        return None
    (dealt,) = p.correlation(CrossBlocks(x.number, sizes, x.scale))
    # X_i X_j^T = E_i A_j^T + X_i E_j^T + A_i A_j^T, the last of which the helper deals.
    e, a = x.opened, x.share - p.public(x.opened)
    parts = [e[i] @ a[rest].T + x.share[i] @ e[rest].T for i, rest in _cross_pairs(sizes)]
    exact: Share = Share(np.concatenate([part.value.reshape(-1) for part in parts]), dealt.scale) + dealt
    return (await truncate(p, exact, exact.scale - scale)).value


def _assembled(blocks: Sequence[Share], cross: Array | None, sizes: tuple[int, ...]) -> Array:
    """The whole symmetric matrix, from the owners' own blocks and the entries above them."""
    upper: dict[tuple[int, int], Array] = {}
    start = 0
    for k, (i, rest) in enumerate(_cross_pairs(sizes)):
        rows, columns = i.stop - i.start, rest.stop - rest.start
        if cross is not None and rows * columns:
            band = cross[start : start + rows * columns].reshape(rows, columns)
            for j in range(k + 1, len(sizes)):
                first = sum(sizes[k + 1 : j])
                upper[k, j] = band[:, first : first + sizes[j]]
        start += rows * columns
    bands = []
    for k in range(len(sizes)):
        left = [upper[j, k].T for j in range(k) if (j, k) in upper]
        right = [upper[k, j] for j in range(k + 1, len(sizes)) if (k, j) in upper]
        if sizes[k]:
            bands.append(np.concatenate([*left, blocks[k].value, *right], axis=1))
    return np.concatenate(bands)


def _cross_pairs(sizes: Sequence[int]) -> list[tuple[slice, slice]]:
    """For each owner but the last, its rows and all later owners' rows."""
    starts = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    return [(slice(starts[k], starts[k + 1]), slice(starts[k + 1], starts[-1])) for k in range(len(sizes) - 1)]


def _cross_count(sizes: Sequence[int]) -> int:
    return sum((i.stop - i.start) * (rest.stop - rest.start) for i, rest in _cross_pairs(sizes))


@dataclass(frozen=True)
class HeldCombination:
    """A mask b (m,), and A^T b for held A (m, d)."""

    held: int
    b: Spec
    columns: int
    held_scale: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.b,)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.columns,), self.held_scale + self.b.scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (matmul(book[self.held][0].T, drawn[0]),)


async def combination(p: Party, x: Held, u: Share, *, label: str) -> Share:
    """[X^T u] for u (m,); scales add. 1 round; reveals u - b, uniform."""
    b, ab = p.correlation(HeldCombination(x.number, Spec(u.shape, u.scale), x.shape[1], x.scale))
    known = p.defer(lambda: x.opened.T @ b[:] + ab)
    d: Public
    (d,) = await p.open(u - b, label=label)
    w: Share = known() + x.share.T @ d
    return w
