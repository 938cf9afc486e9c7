"""Correlated randomness: the interface of a kind, and the kinds.

A kind has **drawn** parts, uniform over their rings, and **dealt** parts, functions of the drawn ones. The helper
shares a seed with each owner; every owner's shares of the drawn parts, and all but the last owner's shares of the
dealt parts, come from those seeds at no traffic. The last owner's shares of the dealt parts are the *correction*:
what is left of the true value once the others' shares are taken off, sent to that owner alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import B8, B64, Z64
from mpc.ring.specs import Spec

Book = Mapping[int, tuple[Array, ...]]
"""At the helper, by number: the drawn parts (in full) of earlier correlations that later ones refer to."""


class Kind(Protocol):
    """A kind of correlated randomness; a frozen dataclass, so that equal kinds have equal reprs and digests."""

    @property
    def drawn(self) -> tuple[Spec, ...]:
        """The parts that are uniform."""

    @property
    def dealt(self) -> tuple[Spec, ...]:
        """The parts that depend on the drawn ones."""

    @property
    def kept(self) -> bool:
        """Whether later correlations refer to this one's drawn parts."""

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        """The dealt parts' values, from the drawn parts in full."""


class OfList:
    """Base of kinds that differ only in an item of a public list, such as the rows that a step uses."""

    @property
    def place(self) -> tuple[Sequence[Any], int] | None:
        """The list of its item, and the item's place there; None if it has no list."""
        raise NotImplementedError

    def without_item(self) -> Kind:
        """The kind that stands for all kinds that differ from this one only in their item."""
        raise NotImplementedError

    def with_item(self, item: Any) -> Kind:
        """The same with this item."""
        raise NotImplementedError


@dataclass(frozen=True)
class Uniform:
    """Uniform values: a mask that is only opened under, or one that later kinds refer to."""

    parts: tuple[Spec, ...]
    kept: bool = False
    dealt: tuple[Spec, ...] = ()

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return self.parts

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return ()


@dataclass(frozen=True)
class OwnMasks:
    """For each owner a mask of its own rows that it knows, `sizes[k]` rows of owner k; later kinds refer to all.

    The one kind whose drawn parts are no shares of anything: each owner's are its own, and the helper's are all owners'
    rows, one owner's after another's. All draw as many as the largest needs, so that all owners send alike.
    """

    sizes: tuple[int, ...]
    columns: int
    scale: int
    kept: bool = True
    dealt: tuple[Spec, ...] = ()

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec((max(self.sizes), self.columns), self.scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return ()


@dataclass(frozen=True)
class MultiplyTriple:
    """c = a * b elementwise, over the ring of the specs (`&` for rings of bits). Beaver 1991."""

    a: Spec
    b: Spec
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.a, self.b)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        shape = np.broadcast_shapes(self.a.shape, self.b.shape)
        return (Spec(shape, self.a.scale + self.b.scale, self.a.ring),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (self.a.ring.mul(drawn[0], drawn[1]),)


@dataclass(frozen=True)
class MatmulTriple:
    """c = a @ b over Z_2^64, or over a wide ring for thin matrices. Beaver 1991."""

    a: Spec
    b: Spec
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.a, self.b)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        shape = self.a.shape[:-1] + self.b.shape[1:]
        return (Spec(shape or (1,), self.a.scale + self.b.scale, self.a.ring),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (self.a.ring.matmul(drawn[0], drawn[1]),)


_OFFSET = np.uint64((1 << 62) - 1)


def cut_mask(b: Array, shift: int) -> tuple[Array, Array]:
    """With c = b + 2^62 - 1, read as a signed number: (c >> shift) - 2^(62-shift) + 1; and 2^(64-shift) if c < 0."""
    c = b + _OFFSET
    low = (c.view(np.int64) >> np.int64(shift)).view(np.uint64) - np.uint64((1 << (62 - shift)) - 1)
    return low, (c >> np.uint64(63)) << np.uint64(64 - shift)


@dataclass(frozen=True)
class Truncation:
    """For a mask b over Z_2^64: `cut_mask` of it, shared. See protocols/core/truncation.py."""

    shape: tuple[int, ...]
    scale: int
    shift: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale),)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale - self.shift), Spec(self.shape))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (b,) = drawn
        return cut_mask(b, self.shift)


@dataclass(frozen=True)
class OneMask:
    """Base of kinds that deal functions of one mask r (count,) over Z_2^64."""

    count: int
    scale: int

    @property
    def kept(self) -> bool:
        return False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec((self.count,), self.scale),)


@dataclass(frozen=True)
class BitsOfMask(OneMask):
    """A mask r over Z_2^64 and the bits of r under exclusive or, in `fold_order`. For comparison."""

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,), 0, B64),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (fold_order(drawn[0]),)


@dataclass(frozen=True)
class AnyBit:
    """Bits b_i under exclusive or (8 a byte), a uniform word rho_i for each, and b_i * rho_i. For `any_set`."""

    count: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(((self.count + 7) // 8,), 0, B8), Spec((self.count,)))

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,)),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        bits = np.unpackbits(drawn[0], count=self.count)
        return (drawn[1] * bits,)


@dataclass(frozen=True)
class BitNumber:
    """Bits b_i under exclusive or (8 a byte), and the same as numbers over Z_2^64. For `as_numbers`."""

    count: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(((self.count + 7) // 8,), 0, B8),)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,)),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (np.unpackbits(drawn[0], count=self.count).astype(np.uint64),)


@dataclass(frozen=True)
class BitProduct:
    """Bits b_i under exclusive or (8 a byte), a uniform word a_i for each; b_i and b_i a_i as numbers. For `select`."""

    count: int
    scale: int
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(((self.count + 7) // 8,), 0, B8), Spec((self.count,), self.scale))

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,)), Spec((self.count,), self.scale))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        bits = np.unpackbits(drawn[0], count=self.count).astype(np.uint64)
        return bits, bits * drawn[1]


_SWAPS = ((31, 0x00000000AAAAAAAA), (14, 0x0000CCCC0000CCCC), (4, 0x00F000F000F000F0))


def fold_order(words: Array) -> Array:
    """Each 64-bit word with bit i moved to the place whose six-bit number is i's, reversed.

    Then the neighbours 2i and 2i + 1 sit at the same place of the lower and the upper half, at every level of halving.
    """
    out = words
    for shift, mask in _SWAPS:  # exchanges bits 0 and 5, 1 and 4, 2 and 3 of every bit's number
        s = np.uint64(shift)
        swap = ((out >> s) ^ out) & np.uint64(mask)
        out = out ^ swap ^ (swap << s)
    return out


def correction_bytes(kind: Kind) -> int:
    """Bytes of the correction that the helper sends for one correlation of this kind."""
    return sum([spec.nbytes for spec in kind.dealt])


def kept_bytes(kind: Kind) -> int:
    """Bytes of the parts in full that the helper keeps of one correlation of this kind, for later ones."""
    if not kind.kept:
        return 0
    if isinstance(kind, OwnMasks):
        return sum(kind.sizes) * kind.columns * Z64.word_bytes
    return sum(spec.nbytes for spec in (*kind.drawn, *kind.dealt))
