"""Choosing by a shared bit: selection, minimum, maximum and clamping, and bits as numbers.

A bit under exclusive or and a number are multiplied in one round: with the helper's bit b and word a, of which it also
deals b and b a as numbers, t = bit + b (modulo 2) and d = v - a are opened, and since bit = t + (1 - 2t) b,

    bit v = t v + (1 - 2t) (b d + b a)

After the mixed bits of Rotaru and Wood, "MArBled Circuits: mixing arithmetic and Boolean circuits with active
security", INDOCRYPT 2019.
"""

from __future__ import annotations

import numpy as np

from mpc.randomness.correlation import BitNumber, BitProduct
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import less_than, packed, unpacked


async def as_numbers(p: Party, bits: Share, *, label: str = "as numbers") -> Share:
    """The bits (N,), in bit 0 of each byte under exclusive or, as 0 and 1 over Z_2^64 at scale 0.

    1 round; reveals bit + b, uniform bits.
    """
    (n,) = bits.shape
    b, number = p.correlation(BitNumber(n))
    (opened,) = await p.open(packed(p, bits) - b, label=label)
    t = unpacked(p, opened, n)
    return p.plus(Public(np.uint64(1) - t - t) * number, Public(t))


async def select(p: Party, bits: Share, x: Share, y: Share, *, label: str = "select") -> Share:
    """[x where the bit is 1, else y], for bits (N,) in bit 0 of each byte under exclusive or, and x and y (N,).

    1 round; reveals bit + b and x - y - a, both uniform.
    """
    v = x - y
    (n,) = v.shape
    b, a, number, product = p.correlation(BitProduct(n, v.scale))
    opened, d = await p.open(packed(p, bits) - b, v - a, label=label)
    t = unpacked(p, opened, n)
    chosen: Share = y + Public(t) * v + Public(np.uint64(1) - t - t) * (d * number + product)
    return chosen


async def minimum(p: Party, x: Share, y: Share, *, label: str = "minimum") -> Share:
    """[min(x, y)] elementwise, for x and y (N,) whose difference is within 2^63 in ring units.

    8 rounds; reveals masked values and bits only, each under a uniform mask of its own.
    """
    return await select(p, await less_than(p, x, y, label=label), x, y, label=f"{label}/select")


async def maximum(p: Party, x: Share, y: Share, *, label: str = "maximum") -> Share:
    """[max(x, y)] elementwise, for x and y (N,) whose difference is within 2^63 in ring units.

    8 rounds; reveals masked values and bits only, each under a uniform mask of its own.
    """
    return await select(p, await less_than(p, x, y, label=label), y, x, label=f"{label}/select")


async def clamp(p: Party, x: Share, bits: int, *, label: str = "clamp") -> Share:
    """[x brought into -2^bits .. 2^bits], for x (N,) with |x| + 2^bits within 2^63 in ring units.

    x - [x < -t] (x + t) - [t < x] (x - t). 8 rounds; reveals masked values and bits only, each under a mask of its own.
    """
    (n,) = x.shape
    t = p.constant(1 << (x.scale + bits), (1,), x.scale)
    under, over = p.plus(x, t), p.plus(x, Public(np.uint64(0) - t.value, t.scale))
    nothing = Share(np.zeros((2 * n,), dtype=np.uint64), x.scale)
    beyond = await less_than(
        p, Share(np.concatenate((under.value, np.uint64(0) - over.value)), x.scale), nothing, label=label
    )
    less = await select(
        p, beyond, Share(np.concatenate((under.value, over.value)), x.scale), nothing, label=f"{label}/select"
    )
    return x - less[:n] - less[n:]
