"""Comparison of shared values, with the helper's mask r, of which the owners also share the bits.

    less than   m = x - y + r is opened; the top bit of x - y is that of m, that of r and the borrow [r > m] below them
    equal       m = x - y + r is opened; x = y  <=>  r = m
    outside     m = x + r is opened; x in [low, high]  <=>  r in [m - high, m - low] around the ring

which comparisons of a public word u with the shared bits of r decide: [r > u] by a tree over the bits, where a
pair of neighbours combines as (gt, eq) = (gt_hi + eq_hi gt_lo, eq_hi eq_lo) over bits (Brent and Kung 1982; for
shared bits: Damgard, Fitzi, Kiltz, Nielsen, Toft, TCC 2006). 7 rounds for any number of values: 1 + log2(64).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mpc.randomness.correlation import AnyBit, BitsOfMask, fold_order
from mpc.ring.array import Array
from mpc.ring.rings import B8, B16, B32, B64, Ring
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.beaver import multiply

_ONES = 0xFFFF_FFFF_FFFF_FFFF
_LOWER = (1 << 63) - 1
_HALVES: tuple[tuple[Ring, int], ...] = ((B32, 32), (B16, 16), (B8, 8), (B8, 4), (B8, 2), (B8, 1))


async def greater(p: Party, r: Share, u: Array) -> Share:
    """[r > u] in bit 0 of each byte, for bits r (N,) in `fold_order` under exclusive or and public words u (N,).

    6 rounds; reveals masked bits only, each under a mask of its own.
    """
    gt, _ = await compared(p, r, u, equal=False)
    return gt


async def compared(p: Party, r: Share, u: Array, *, equal: bool = True) -> tuple[Share, Share]:
    """As `greater`, and [r = u] likewise where `equal` asks for it, else of no meaning."""
    flipped = p.compute(lambda: fold_order(u) ^ np.uint64(_ONES), shape=u.shape)
    gt = r * Public(flipped, 0, B64)
    eq = r + p.public(Public(flipped, 0, B64))
    for ring, bits in _HALVES:
        gt_hi, gt_lo = _halves(gt, ring, bits)
        eq_hi, eq_lo = _halves(eq, ring, bits)
        both_lows = bits > 1 or equal
        lows = Share(np.concatenate((gt_lo.value, eq_lo.value)) if both_lows else gt_lo.value, 0, ring)
        both = await multiply(p, eq_hi, lows, label=f"compare/{bits}")
        gt = gt_hi + both[:1]
        eq = both[1:] if both_lows else eq_hi
    return gt.reshape(u.shape[0]), eq.reshape(u.shape[0])


async def less_than(p: Party, x: Share, y: Share, *, label: str = "less than") -> Share:
    """[x < y] in bit 0 of each byte, for x and y (N,) whose difference is within 2^63 in ring units.

    7 rounds; reveals x - y + r, uniform over Z_2^64, and masked bits.
    """
    d = x - y
    (n,) = d.shape
    r, bits = p.correlation(BitsOfMask(n, d.scale))
    (m,) = await p.open(d + r, label=label)
    lower, top = fold_order(np.array([_LOWER], dtype=np.uint64)), np.uint64(_place(63))
    borrow = await greater(p, bits * Public(lower, 0, B64), m.value & np.uint64(_LOWER))
    top_of_r = p.compute(lambda: ((bits.value >> top) & np.uint64(1)).astype(np.uint8), shape=(n,))
    top_of_m = p.compute(lambda: (m.value >> np.uint64(63)).astype(np.uint8), shape=(n,))
    return p.plus(borrow + Share(top_of_r, 0, B8), Public(top_of_m, 0, B8))


async def equal(p: Party, x: Share, y: Share, *, label: str = "equal") -> Share:
    """[x = y] in bit 0 of each byte, for x and y (N,).

    7 rounds; reveals x - y + r, uniform over Z_2^64, and masked bits.
    """
    d = x - y
    (n,) = d.shape
    r, bits = p.correlation(BitsOfMask(n, d.scale))
    (m,) = await p.open(d + r, label=label)
    same = p.compute(lambda: fold_order(m.value) ^ np.uint64(_ONES), shape=(n,))
    eq = p.plus(bits, Public(same, 0, B64))
    for ring, half in _HALVES:
        eq_hi, eq_lo = _halves(eq, ring, half)
        eq = await multiply(p, eq_hi, eq_lo, label=f"{label}/{half}")
    return eq.reshape(n)


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

    2 rounds; reveals what `any_of` does.
    """
    places = np.arange(bits.shape[0]).reshape(-1, columns).T
    return await any_of(p, bits, list(places), what=what, why=why)


async def any_of(p: Party, bits: Share, groups: Sequence[Array], *, what: str, why: str) -> Public:
    """Reveal for each group of places in the bits (N,) whether any bit there is set: 0 or a uniform word, (groups,).

    The bits are in bit 0 of each byte; a group's word is the sum of bit_i rho_i, rho_i uniform over Z_2^64 and known
    to nobody; a bit that is in several groups has another rho in each. 2 rounds; reveals bit_i + b_i, uniform bits, and
    the declared words, each independent of the others.
    """
    picked = bits[np.concatenate(groups)]
    starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
    (n,) = picked.shape
    b, rho, b_rho = p.correlation(AnyBit(n))
    (opened,) = await p.open(packed(p, picked) - b, label="any/mask")
    t = unpacked(p, opened, n)
    each = Public(t) * rho[:] + Public(np.uint64(1) - t - t) * b_rho
    word = Share(p.compute(lambda: np.add.reduceat(each.value, starts), shape=(len(groups),)), each.scale)
    (result,) = await p.reveal(word, what=what, why=why, label="any/reveal")
    return result


def packed(p: Party, bits: Share) -> Share:
    """Bits (N,) in bit 0 of each byte, 8 a byte."""
    lowest = bits.value & np.uint8(1)  # a share's other bits are random, and packbits asks only whether a byte is 0
    return Share(p.compute(np.packbits, lowest, shape=((bits.shape[0] + 7) // 8,)), 0, B8)


def unpacked(p: Party, opened: Public, count: int) -> Array:
    """The bits of an opened value that was packed, as uint64 (count,)."""
    return p.compute(lambda: np.unpackbits(opened.value, count=count).astype(np.uint64), shape=(count,))


def _place(bit: int) -> int:
    """Where a bit is in `fold_order`."""
    return int(f"{bit:06b}"[::-1], 2)


def _halves(words: Share, ring: Ring, bits: int) -> tuple[Share, Share]:
    """The upper and the lower `bits` bits of each word, as words of `ring`, with a leading axis of one."""
    value = words.value.reshape(1, -1)
    word = words.ring.dtype.type
    upper, lower = (value >> word(bits)) & word((1 << bits) - 1), value & word((1 << bits) - 1)
    return Share(upper.astype(ring.dtype), 0, ring), Share(lower.astype(ring.dtype), 0, ring)
