"""Beaver's product of two matrices between two owners, at one product of matrices for each instead of two.

Let f = [[0, 1], [1, 1]] and g = 1 - f act on pairs of inner indices, one of the first half and one of the second.
Then f g = -1, f^2 = 1 + f and g^2 = 1 + g, so both are invertible modulo 2^64. Of a plain triple (r, s, t = r s), dealt
as for anybody, the owners take as their masks of x and y

    a = r_0 + r_1 g^2      b = f^2 s_0 + s_1

each owner's part of which is as uniform as what it comes from; and with d = x - a and e = y - b opened

    z_0 = t_0 + (d f + r_0) (e + f s_0)      z_1 = t_1 + (d + r_1 g) (g e + s_1)

are shares of x y = (d + a) (e + b): d e occurs f + g = 1 times, d meets f^2 s_0 + s_1 = b, e meets r_0 + r_1 g^2 = a,
and r_0 f s_0 + r_1 g s_1 + (r_0 + r_1) (s_0 + s_1) = a b, as g^2 f^2 = 1. Opening and dealing cost what they always do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mpc.randomness.correlation import MatmulTriple
from mpc.ring.array import Array
from mpc.ring.rings import Z64
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Mask, Public, Share

_FEWEST = 16  # rows and columns, below which a second product costs less than the sums do

Map = Callable[[Array, Array], tuple[Array, Array]]


def is_worth_halving(p: Party, x: Share, y: Share) -> bool:
    """Whether the product of x and y is to be made in this way; it depends on what is public only."""
    if len(p.owners) != 2 or len(x.shape) != 2 or len(y.shape) != 2 or x.ring != Z64:
        return False
    return min(x.shape[0], y.shape[1]) >= _FEWEST and x.shape[1] > 1


async def halved_matmul(p: Party, x: Share, y: Share, *, label: str) -> Share:
    """[z] = [x] @ [y] over Z_2^64 for two owners and matrices, at scale x.scale + y.scale.

    1 round; reveals x - a and y - b, both uniform.
    """
    r, s, t = p.correlation(MatmulTriple(Spec(x.shape, x.scale), Spec(y.shape, y.scale)))
    first = p.index == 0
    a = r if first else _turned(r, _g_squared, 1)
    b = _turned(s, _f_squared, 0) if first else s
    d, e = await p.open(x - a, y - b, label=label)
    if first:
        left, right = _mapped(d.value, _f, 1) + r.value, e.value + _mapped(s.value, _f, 0)
    else:
        left, right = d.value + _mapped(r.value, _g, 1), _mapped(e.value, _g, 0) + s.value
    even = x.shape[1] // 2 * 2
    z: Share = t + Share(Z64.matmul(left[:, :even], right[:even]), t.scale)
    return z if even == x.shape[1] else z + _unpaired(d, y, a, e)


def _unpaired(d: Public, y: Share, a: Share, e: Public) -> Share:
    """Of an odd number of inner indices, the last one's part of d y + a e."""
    return d[:, -1:] @ y[-1:] + a[:, -1:] @ e[-1:]


def _f(u: Array, v: Array) -> tuple[Array, Array]:
    return v, u + v


def _f_squared(u: Array, v: Array) -> tuple[Array, Array]:
    w = u + v
    return w, w + v


def _g(u: Array, v: Array) -> tuple[Array, Array]:
    return u - v, np.uint64(0) - u


def _g_squared(u: Array, v: Array) -> tuple[Array, Array]:
    w = v - u
    return u - w, w


def _turned(mask: Mask, function: Map, axis: int) -> Mask:
    """A mask under an invertible map: as uniform as it was, and still for one opening."""
    return Mask(_mapped(mask.value, function, axis), mask.scale, mask.ring, mask.use)


def _mapped(words: Array, function: Map, axis: int) -> Array:
    """Words with the first and the second half along an axis mapped, and the last of an odd number as it is."""
    half = words.shape[axis] // 2
    at = (slice(None),) * axis
    u, v, rest = words[(*at, slice(half))], words[(*at, slice(half, 2 * half))], words[(*at, slice(2 * half, None))]
    return np.concatenate((*function(u, v), rest), axis=axis)
