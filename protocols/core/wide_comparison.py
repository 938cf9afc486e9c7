"""Is a shared value of a wide ring below public ones? comparison.py's argument, word by word, then over the words.

m = x + r is opened; x - t = (m - t) - r has its top bit set exactly when the top bits of m - t and r differ, or are
alike and the rest of r exceeds the rest of m - t. One opened m serves for any number of public t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mpc.randomness.correlation import Book, fold_order
from mpc.ring.array import Array
from mpc.ring.rings import B8, B64, Ring
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply
from protocols.core.comparison import compared

_WORD = 64


@dataclass(frozen=True)
class BitsOfWideMask:
    """A mask r over Z_2^(64 k), k a power of two: its words in `fold_order`, the lowest first and the top bit taken
    off, and the top bit; all under exclusive or."""

    count: int
    scale: int
    ring: Ring
    kept: bool = False

    @cached_property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec((self.count,), self.scale, self.ring),)

    @cached_property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.ring.bits // _WORD, self.count), 0, B64), Spec((self.count,), 0, B8))

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        (r,) = drawn
        return fold_order(_low_words(r, self.ring)), _top(r, self.ring)


async def below(p: Party, x: Share, thresholds: Array, *, label: str) -> Share:
    """[x < t] in bit 0 of each byte (K, N), for x (N,) of a wide ring Z_2^L and public integers t (K, N).

    |x - t| < 2^(L-1). 1 + 6 + log2(L / 64) rounds; reveals x + r, uniform over Z_2^L, and masked bits.
    """
    ring, (count,), k = x.ring, x.shape, len(thresholds)
    r, words, top = p.correlation(BitsOfWideMask(count, x.scale, ring))
    (m,) = await p.open(x + r, label=label)
    moved = p.compute(lambda: ring.reduce(m.value - thresholds).reshape(-1), shape=(k * count,))
    width = ring.bits // _WORD
    public = p.compute(_low_words, moved, ring, shape=(width, k * count))
    again = np.concatenate([words.value] * k, axis=1)
    gt, eq = await compared(p, Share(again.reshape(-1), 0, B64), public.reshape(-1))
    gt, eq = gt.reshape(width, k * count), eq.reshape(width, k * count)
    while width > 1:
        width //= 2
        lows = [part[0::2].value.reshape(1, width, k * count) for part in (gt, eq)]
        both = await multiply(
            p, eq[1::2].reshape(1, width, k * count), Share(np.concatenate(lows), 0, B8), label="compare words"
        )
        gt, eq = gt[1::2] + both[0], both[1]
    tops = Share(np.concatenate([top.value] * k), 0, B8)
    known = p.public(Public(p.compute(_top, moved, ring, shape=(k * count,)), 0, B8))
    return (gt.reshape(k * count) + tops + known).reshape(k, count)


def _low_words(values: Array, ring: Ring) -> Array:
    """The words of wide ring elements (N,), lowest first (k, N), without the top bit."""
    words = np.frombuffer(ring.to_bytes(values), dtype="<u8").reshape(len(values), -1).T.copy()
    words[-1] &= np.uint64((1 << (_WORD - 1)) - 1)
    return words


def _top(values: Array, ring: Ring) -> Array:
    """The top bit of wide ring elements (N,)."""
    return (values >> (ring.bits - 1)).astype(np.uint8)
