"""Is a shared value inside a public interval? With the helper's mask r, of which the owners also share the bits.

    m = x + r is opened; x in [low, high]  <=>  r in [m - high, m - low] around the ring,

which two comparisons of a public word u with the shared bits of r decide: [r > u] by a tree over the bits, where a
pair of neighbours combines as (gt, eq) = (gt_hi + eq_hi gt_lo, eq_hi eq_lo) over bits (Brent and Kung 1982; for
shared bits: Damgard, Fitzi, Kiltz, Nielsen, Toft, TCC 2006). 7 rounds for any number of values.
"""

from __future__ import annotations

import numpy as np

from mpc.correlation import AnyBit, BitsOfMask, fold_order
from mpc.ghost import Array
from mpc.party import Party
from mpc.ring import B8, B16, B32, B64, Ring
from mpc.share import Public, Share
from protocols.beaver import multiply

_ONES = 0xFFFF_FFFF_FFFF_FFFF
_HALVES: tuple[tuple[Ring, int], ...] = ((B32, 32), (B16, 16), (B8, 8), (B8, 4), (B8, 2), (B8, 1))


async def greater(p: Party, r: Share, u: Array) -> Share:
    """[r > u] in bit 0 of each byte, for bits r (N,) in `fold_order` under exclusive or and public words u (N,).

    6 rounds; reveals masked bits only, each under a mask of its own.
    """
    flipped = p.compute(lambda: fold_order(u) ^ np.uint64(_ONES), shape=u.shape)
    gt = r * Public(flipped, 0, B64)
    eq = r + p.public(Public(flipped, 0, B64))
    for ring, bits in _HALVES:
        gt_hi, gt_lo = _halves(gt, ring, bits)
        eq_hi, eq_lo = _halves(eq, ring, bits)
        lows = Share(np.concatenate((gt_lo.value, eq_lo.value)) if bits > 1 else gt_lo.value, 0, ring)
        both = await multiply(p, eq_hi, lows, label=f"compare/{bits}")
        gt = gt_hi + both[:1]
        eq = both[1:]
    return gt.reshape(u.shape[0])


async def outside(p: Party, x: Share, low: Array, high: Array, *, label: str) -> Share:
    """[x < low or x > high] in bit 0 of each byte, for x (N,) and public bounds (N,) int64 in ring units.

    7 rounds; reveals x + r, uniform over Z_2^64, and masked bits.
    """
    n = x.shape[0]
    r, bits = p.correlation(BitsOfMask(n, x.scale))
    (m,) = await p.open(x + r, label=label)
    first = m.value - high.view(np.uint64)
    last = m.value - low.view(np.uint64)
    words = np.concatenate((first - np.uint64(1), last))
    above = await greater(p, Share(np.concatenate((bits.value, bits.value)), 0, B64), words)
    flips = p.compute(lambda: ((first == 0) ^ (first > last) ^ True).astype(np.uint8), shape=(n,))
    return above[:n] + above[n:] + p.public(Public(flips, 0, B8))


async def any_set(p: Party, bits: Share, *, what: str, why: str) -> Public:
    """Reveal whether any of the bits (N,) is set: 0 if none is, else a uniform word (0 with chance 2^-64).

    2 rounds; reveals masked bits, and the one declared word, which tells nothing but whether it is 0: see `any_each`.
    """
    return await any_each(p, bits, 1, what=what, why=why)


async def any_each(p: Party, bits: Share, columns: int, *, what: str, why: str) -> Public:
    """Reveal for each column of the bits (N,), row after row, whether any is set: 0 or a uniform word, (columns,).

    The bits are in bit 0 of each byte; a column's word is the sum of bit_i rho_i, rho_i uniform over Z_2^64 and known
    to nobody. 2 rounds; reveals bit_i + b_i, uniform bits, and the declared words, each independent of the others.
    """
    (n,) = bits.shape
    b, rho, b_rho = p.correlation(AnyBit(n))
    lowest = bits.value & np.uint8(1)  # a share's other bits are random, and packbits asks only whether a byte is 0
    packed = Share(p.compute(np.packbits, lowest, shape=((n + 7) // 8,)), 0, B8)
    (opened,) = await p.open(packed - b, label="any/mask")
    t = p.compute(lambda: np.unpackbits(opened.value, count=n).astype(np.uint64), shape=(n,))
    word = (Public(t) * rho[:] + Public(np.uint64(1) - t - t) * b_rho).reshape(-1, columns).sum(axis=0)
    (result,) = await p.reveal(word, what=what, why=why, label="any/reveal")
    return result


def _halves(words: Share, ring: Ring, bits: int) -> tuple[Share, Share]:
    """The upper and the lower `bits` bits of each word, as words of `ring`, with a leading axis of one."""
    value = words.value.reshape(1, -1)
    word = words.ring.dtype.type
    upper, lower = (value >> word(bits)) & word((1 << bits) - 1), value & word((1 << bits) - 1)
    return Share(upper.astype(ring.dtype), 0, ring), Share(lower.astype(ring.dtype), 0, ring)
