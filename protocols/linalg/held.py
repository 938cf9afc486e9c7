"""Products with an operand that stays the same: X - A is opened once, and every later product reuses it.

X is final when it is held (standardised, scaled, its column of ones added): to open a changed X under the same A
would show the change. A step's other operand has a fresh mask each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

import numpy as np

from mpc.randomness.correlation import Book, Kind, OfList, OwnMasks, Uniform, cut_mask
from mpc.ring.array import Array
from mpc.ring.rings import Z16, Z32, Ring
from mpc.ring.specs import Spec
from mpc.ring.thin_products import rows_times_vector
from mpc.runtime.party import Party, lengthened
from mpc.sharing.share import Public, Share
from protocols.core.stacked import Stacked
from protocols.core.truncation import Divisible
from protocols.linalg.held_sums import transposed_sum
from protocols.linalg.row_selection import RowSelection


@dataclass(frozen=True)
class Rows:
    """A public choice of rows; equal when the digests are, so that plans can be compared.

    Args:
        place: the list that they are of, where they are of one that works them out anew, and where they are there.
    """

    digest: str
    index: Array = field(compare=False, repr=False)
    place: tuple[Sequence[Rows], int] | None = field(default=None, compare=False, repr=False)

    @staticmethod
    def of(index: Array, place: tuple[Sequence[Rows], int] | None = None) -> Rows:
        """The rows at `index` (int64), in that order."""
        return Rows(sha256(index.astype("<i8").tobytes()).hexdigest()[:16], index, place)


_ANY = Rows("", np.empty(0, dtype=np.int64))


@dataclass(frozen=True)
class Held:
    """A shared matrix X (m, d) that was opened under A: E = X - A public, [X] shared, A known to the helper by number.

    Then for a mask b and an opened d = w - b, X w = E b + A b + X d, where the helper deals [A b]; what does not depend
    on d is worked out while d is on its way.

    Args:
        shared: this owner's share of X; of rows that their owners know, its own, for its share of the others is zero.
    """

    opened: Public
    shared: Share | Stacked
    number: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.opened.shape

    @property
    def scale(self) -> int:
        return self.opened.scale

    @property
    def share(self) -> Share:
        """This owner's share of all of X."""
        return self.shared.share if isinstance(self.shared, Stacked) else self.shared

    @property
    def here(self) -> tuple[Share, int | None]:
        """This owner's share of the rows of which it is not zero, and where these begin, if they are not all."""
        return (self.shared.own, self.shared.first) if isinstance(self.shared, Stacked) else (self.shared, None)


@dataclass(frozen=True)
class HeldRows:
    """Some rows S of a held matrix."""

    held: Held
    rows: Rows

    @property
    def number(self) -> int:
        return self.held.number

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.rows.index.size, *self.held.shape[1:])

    @property
    def scale(self) -> int:
        return self.held.scale

    @property
    def opened(self) -> RowSelection:
        return RowSelection(self.held.opened, self.rows.index)

    @property
    def share(self) -> RowSelection:
        share, first = self.held.here
        return RowSelection(share, self.rows.index, first)


def take_rows(x: Held, rows: Rows) -> HeldRows:
    """The rows S of a held matrix."""
    return HeldRows(x, rows)


async def hold(p: Party, x: Share | Stacked) -> Held:
    """Open X - A once, for products with X at one thin opening each.

    Of rows that their owners know, each owner covers its own alone, under a mask that it knows, and sends them alone.

    1 round, or one for every `MOST_WORDS` words that an owner sends; reveals X - A, uniform.
    """
    if isinstance(x, Stacked):
        return await _hold_own(p, x)
    number, (a,) = p.kept(Uniform((Spec(x.shape, x.scale),), kept=True))
    covered = x - a
    del a  # as large as X, and of no more use here
    return Held(await p.open_rows(covered, label="hold"), x, number)


async def _hold_own(p: Party, x: Stacked) -> Held:
    number, (a,) = p.kept(OwnMasks(x.sizes, x.shape[1], x.scale))
    covered = lengthened(p, x.own, a.shape[0]) - a
    del a
    return Held(await p.open_own(covered, x.sizes, label="hold"), x, number)


@dataclass(frozen=True)
class _OfRows(OfList):
    """What kinds have in common that are about some rows of a held matrix."""

    held: int
    rows: Rows

    @property
    def place(self) -> tuple[Sequence[Rows], int] | None:
        """The list that its rows are of, and where."""
        return self.rows.place

    def without_item(self) -> Kind:
        """The one that stands for all rows."""
        return self.with_item(_ANY)

    def with_item(self, item: Rows) -> Kind:
        """The same for other rows."""
        alike: Any = object.__new__(type(self))
        alike.__dict__.update(self.__dict__, rows=item)  # with the parts that were worked out, which are the same
        return cast(Kind, alike)


@dataclass(frozen=True)
class HeldProduct(_OfRows):
    """A mask b (d,); A_S b for the rows S of held A; what it takes to cut what is opened under b (truncation.py)."""

    count: int
    b: Spec
    held_scale: int
    shift: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.b,)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        low = Spec(self.b.shape, self.b.scale - self.shift)
        return (Spec((self.count,), self.held_scale + self.b.scale), low, Spec(self.b.shape))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (b,) = drawn
        return rows_times_vector(book[self.held][0], self.rows.index, b), *cut_mask(b, self.shift)


async def product(p: Party, x: HeldRows, w: Share, shift: int, *, label: str) -> tuple[Share, Divisible]:
    """[X_S w] at scale x.scale + w.scale, and what gives [w / 2^shift], from one opening of w; |w| < 2^62.

    1 round; reveals w - b, uniform over Z_2^64.
    """
    kind = HeldProduct(x.number, x.rows, x.shape[0], Spec(w.shape, w.scale), x.scale, shift)
    b, ab, v, t = p.correlation(kind)
    known = p.defer(lambda: x.opened @ b[:] + ab)
    (d,) = await p.open(w - b, label=label)
    z: Share = known() + x.share @ d
    return z, Divisible(d, v, t, shift)


@dataclass(frozen=True)
class HeldTransposeProduct(_OfRows):
    """A mask b (B,); A_S^T v, diag(t / 2^(64-shift)) A_S modulo 2^shift, v and t, these as in truncation.py."""

    columns: int
    b: Spec
    held_scale: int
    shift: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.b,)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        low = self.b.scale - self.shift
        return (
            Spec((self.columns,), self.held_scale + low),
            Spec((*self.b.shape, self.columns), self.held_scale, _modulo(self.shift)),
            Spec(self.b.shape, low),
            Spec(self.b.shape),
        )

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (b,) = drawn
        a = book[self.held][0]
        v, t = cut_mask(b, self.shift)
        low = a.take(self.rows.index, axis=0).astype(_modulo(self.shift).dtype)
        return rows_times_vector(a, self.rows.index, v, transposed=True), low * (t != 0)[:, np.newaxis], v, t


def _modulo(shift: int) -> Ring:
    """The smallest ring of words in which numbers modulo 2^shift are counted."""
    return Z16 if shift <= 16 else Z32


async def transpose_product(p: Party, x: HeldRows, e: Share, shift: int, *, label: str) -> Share:
    """[X_S^T (e / 2^shift)] at scale x.scale + e.scale - shift, |e| < 2^62, 1 <= shift <= 32, from one opening of e.

    With e / 2^s = u + [v] + n * [t] (see truncation), u and n public once e was opened,

        X^T (e / 2^s) = X^T u + E^T ([v] + n * [t]) + A^T v + 2^(64-s) (diag(t / 2^(64-s)) A)^T n

    where the helper deals A^T v and diag(t / 2^(64-s)) A; the latter counts modulo 2^s only. (See held_sums.py.)

    1 round; reveals e - b, uniform over Z_2^64.
    """
    kind = HeldTransposeProduct(x.number, x.rows, x.shape[1], Spec(e.shape, e.scale), x.scale, shift)
    b, av, at, v, t = p.correlation(kind)
    (d,) = await p.open(e - b, label=label)
    (own, first), known, parts = x.held.here, x.held.opened.value, (v.value, t.value, at.value, av.value)
    g = p.compute(transposed_sum, own.value, known, x.rows.index, d.value, *parts, shift, first, shape=av.shape)
    return Share(g, av.scale)


@dataclass(frozen=True)
class HeldProducts:
    """A mask b (d, T), and for each t the products A_S b_t with the rows S of step t, one after another."""

    held: int
    rows: Sequence[Rows]
    count: int
    b: Spec
    held_scale: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.b,)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,), self.held_scale + self.b.scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (b,), a = drawn, book[self.held][0]
        return (np.concatenate([rows_times_vector(a, r.index, b[:, t]) for t, r in enumerate(self.rows)]),)


async def products(p: Party, x: Held, rows: Sequence[Rows], w: Share, *, label: str, count: int | None = None) -> Share:
    """[X_S w_t] for each column w_t of w (d, T) with its own rows S, one after another; scales add.

    1 round; reveals w - b, uniform.

    Args:
        count: how many values that are, where it is known: a dry run then works out no rows.
    """
    if count is None:
        count = sum(r.index.size for r in rows)
    b, ab = p.correlation(HeldProducts(x.number, rows, count, Spec(w.shape, w.scale), x.scale))
    (d,) = await p.open(w - b, label=label)

    def worked_out() -> Array:
        batches = [take_rows(x, r) for r in rows]
        parts = [batch.opened @ b[:, t] + batch.share @ d[:, t] for t, batch in enumerate(batches)]
        return np.concatenate([part.value for part in parts])

    result: Share = Share(p.compute(worked_out, shape=(count,)), ab.scale) + ab
    return result
