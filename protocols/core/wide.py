"""Shared values in a wide ring: from Z_2^64 into it, and exact division by 2^s there. For thin vectors.

A wide ring has room for products of numbers of any unit. Both protocols are truncation.py's argument in another ring:
with D = x + 2^(L-2) - 1 - b opened over Z_2^L, b uniform, D + b wraps around 2^L exactly when D or b has its top bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring, wide
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share

_OFFSET = (1 << 62) - 1
NOISE = 192
"""Uniform bits that a lifted value gets below its last place, known to nobody."""


@dataclass(frozen=True)
class NoisyLift:
    """A mask b over Z_2^64: b with `NOISE` uniform bits below it, and the top bit of b, both shared in a wide ring."""

    shape: tuple[int, ...]
    scale: int
    ring: Ring
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale), Spec(self.shape, self.scale + NOISE, wide(NOISE)))

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale + NOISE, self.ring), Spec(self.shape, 0, self.ring))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        b, noise = drawn
        whole = b.astype(object)
        return (whole << NOISE) + noise, (b >> np.uint64(63)).astype(object)


@dataclass(frozen=True)
class Lift:
    """A mask b over Z_2^64: b and its top bit, both shared in a wide ring."""

    shape: tuple[int, ...]
    scale: int
    ring: Ring
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale),)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale, self.ring), Spec(self.shape, 0, self.ring))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (b,) = drawn
        return b.astype(object), (b >> np.uint64(63)).astype(object)


async def lift(p: Party, x: Share, ring: Ring) -> Share:
    """[x] in a wide ring, exactly, at its scale, for |x| < 2^62 in Z_2^64.

    1 round; reveals x + 2^62 - 1 - b, uniform over Z_2^64.
    """
    b, whole, b_top = p.correlation(Lift(x.shape, x.scale, ring))
    (opened,) = await p.open(p.plus(x, p.constant(_OFFSET, (1,), x.scale)) - b, label="lift")
    return _unmasked(p, opened, whole, b_top, 0)


def lowered(x: Share) -> Share:
    """[x] over Z_2^64: each share's low word, exactly if |x| < 2^63. 0 rounds; local."""
    return Share(Z64.reduce(x.value), x.scale)


def _unmasked(p: Party, opened: Public, whole: Share, b_top: Share, noise: int) -> Share:
    """The wide sharing that follows from the opened D: D + b less 2^64 where that wraps, less the offset."""
    ring, shape = whole.ring, opened.shape
    d = p.compute(lambda: Z64.centred(opened.value).astype(object) % (1 << 64), shape=shape)
    top = p.compute(lambda: d >> 63, shape=shape)
    known = p.compute(lambda: ring.reduce((d - (top << 64) - _OFFSET) << noise), shape=shape)
    wraps = p.compute(lambda: ring.reduce(((1 - top) * b_top.value) << (64 + noise)), shape=shape)
    return p.plus(whole - Share(wraps, whole.scale, ring), Public(known, whole.scale, ring))


async def noisy_lift(p: Party, x: Share, ring: Ring) -> Share:
    """[x + r] in a wide ring, at scale x.scale + NOISE, for |x| < 2^62 in Z_2^64 and r uniform in [0, 1) of x's ulp.

    The noise hides the last place of x, so that products with x tell by their digits neither x nor the other factor.
    1 round; reveals x + 2^62 - 1 - b, uniform over Z_2^64.
    """
    b, _, whole, b_top = p.correlation(NoisyLift(x.shape, x.scale, ring))
    (opened,) = await p.open(p.plus(x, p.constant(_OFFSET, (1,), x.scale)) - b, label="lift")
    return _unmasked(p, opened, whole, b_top, NOISE)


@dataclass(frozen=True)
class WideTruncation:
    """For a mask b over a wide ring: b >> shift and the top bit of b, both shared in it."""

    shape: tuple[int, ...]
    scale: int
    shift: int
    ring: Ring
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale, self.ring),)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale - self.shift, self.ring), Spec(self.shape, 0, self.ring))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (b,) = drawn
        return b >> self.shift, b >> (self.ring.bits - 1)


async def wide_truncate(p: Party, x: Share, shift: int) -> Share:
    """[x / 2^shift] in x's wide ring Z_2^L, |x| < 2^(L-2), within one unit of the last place.

    1 round; reveals x + 2^(L-2) - 1 - b, uniform over Z_2^L.
    """
    ring, bits = x.ring, x.ring.bits
    b, b_low, b_top = p.correlation(WideTruncation(x.shape, x.scale, shift, ring))
    offset = (1 << (bits - 2)) - 1
    (opened,) = await p.open(p.plus(x, p.constant(offset, (1,), x.scale, ring)) - b, label="wide truncate")
    top = p.compute(lambda: opened.value >> (bits - 1), shape=x.shape)

    def low() -> Array:
        return ring.reduce((opened.value >> shift) - (top << (bits - shift)) - ((1 << (bits - 2 - shift)) - 1))

    wraps = p.compute(lambda: ring.reduce(((1 - top) * b_top.value) << (bits - shift)), shape=x.shape)
    known = Public(p.compute(low, shape=x.shape), b_low.scale, ring)
    return p.plus(b_low - Share(wraps, b_low.scale, ring), known)
