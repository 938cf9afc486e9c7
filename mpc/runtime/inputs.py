"""A protocol's inputs: shapes, scales and ranges; made-up values for them; and how the owners share theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode, encode
from mpc.ring.rings import B8, Z64, Ring
from mpc.runtime.party import Party
from mpc.sharing.share import Share

Size = int | str
Sizes = Mapping[str, int]


@dataclass(frozen=True)
class Input:
    """One input of a protocol: an array of ring elements, whose entries are integers in [low, high] at `scale`.

    Make them with `reals`, `integers`, `bits`, `words`, `own` and `each`.

    Args:
        shape: sizes; a name instead of a number stands for any size, the same one wherever the name occurs.
        real: whether the plaintext reference gets real numbers, not ring elements.
        owner: the owner that gives it (0 is the first); the owners take turns where left out.
        private: whether every owner has an array of its own, which the protocol gets instead of a share.
        each: whether every owner gives an array, of which the protocol gets the shares, in the owners' order.
    """

    shape: tuple[Size, ...]
    scale: int
    ring: Ring
    low: int
    high: int
    real: bool
    owner: int | None = None
    private: bool = False
    each: bool = False

    @property
    def of_all(self) -> bool:
        """Whether there is an array of every owner."""
        return self.private or self.each

    def sized(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape, its names replaced."""
        return tuple(sizes[size] if isinstance(size, str) else size for size in self.shape)

    def elements(self, integers: Any) -> Array:
        """Integers of any sign as elements of the ring."""
        return self.ring.reduce(np.asarray(integers, dtype=object))

    def constant(self, value: int, shape: tuple[int, ...]) -> Array:
        """The integer everywhere, brought into the range."""
        full = np.full(shape, min(max(value, self.low), self.high), dtype=object)
        return self.elements(full)

    def random(self, seed: str, shape: tuple[int, ...]) -> Array:
        """Entries spread evenly over the range, the same for the same seed."""
        count = prod(shape)
        raw = Stream(derive(bytes(32), f"test input/{seed}")).take(24 * count).tobytes()
        span = self.high - self.low + 1
        out = np.empty(count, dtype=object)
        out[:] = [self.low + int.from_bytes(raw[24 * k : 24 * k + 24], "little") % span for k in range(count)]
        return self.elements(out).reshape(shape)

    def plain(self, elements: Array) -> Array:
        """The reference's input: real numbers, or the ring elements."""
        return decode(elements, self.scale, self.ring) if self.real else elements

    def encoded(self, value: Any, shape: tuple[int, ...]) -> Array:
        """A value as its author writes it, real or ring elements; a number stands for an array of it."""
        if self.real:
            return encode(np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy(), self.scale, self.ring)
        return self.elements(np.broadcast_to(np.asarray(value, dtype=object), shape).copy())


def reals(shape: Sequence[Size], *, scale: int, largest: float, owner: int | None = None, ring: Ring = Z64) -> Input:
    """Real numbers in [-largest, largest] at `scale` fractional bits; the reference gets float64."""
    bound = int(largest * 2.0**scale)
    return Input(tuple(shape), scale, ring, -bound, bound, True, owner)


def integers(shape: Sequence[Size], low: int, high: int, *, owner: int | None = None, ring: Ring = Z64) -> Input:
    """Integers in [low, high] at scale 0; the reference gets float64."""
    return Input(tuple(shape), 0, ring, low, high, True, owner)


def bits(shape: Sequence[Size], *, owner: int | None = None) -> Input:
    """0 or 1, shared under exclusive or as the bits of a comparison are; the reference gets float64."""
    return Input(tuple(shape), 0, B8, 0, 1, True, owner)


def words(shape: Sequence[Size], *, ring: Ring = Z64, scale: int = 0, owner: int | None = None) -> Input:
    """Any elements of a ring; the reference gets the elements themselves."""
    return Input(tuple(shape), scale, ring, 0, (1 << ring.bits) - 1, False, owner)


def own(kind: Input) -> Input:
    """An array of each owner: the protocol gets its owner's ring elements, the reference a tuple of all owners'."""
    return replace(kind, private=True)


def each(kind: Input) -> Input:
    """An array of each owner: the protocol gets a tuple of their shares, the reference a tuple of the arrays."""
    return replace(kind, each=True)


def shared_by_all(p: Party, kind: Input, own: Array | None, shapes: Sequence[tuple[int, ...]]) -> tuple[Share, ...]:
    """A share of what each owner gives, in the owners' order. 0 rounds.

    Args:
        own: this owner's ring elements; None in a dry run.
        shapes: of each owner's.
    """
    return tuple(
        p.input(owner, own if owner == p.name else None, shape, kind.scale, kind.ring)
        for owner, shape in zip(p.owners, shapes, strict=True)
    )
