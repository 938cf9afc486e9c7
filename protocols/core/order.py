"""Values in order of size: ranks by comparing all pairs at once, and the values of chosen ranks.

    rank_i = #{j : x_j < x_i} + #{j < i : x_j = x_i}                      different for each i, from 0 to n - 1
    the k-th smallest = sum_i [rank_i = k] x_i

Sorting by counting is from Muller and Preparata, "Bounds to complexities of networks for sorting and for switching",
JACM 1975. It compares n (n - 1) / 2 pairs in 16 rounds for any n. A sorting network (Batcher 1968) compares about
n (log2 n)^2 / 4 pairs, and takes 8 rounds for each of its (log2 n)(log2 n + 1) / 2 layers: 120 for n = 32.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.comparison import equal, less_than
from protocols.core.selection import as_numbers, select


async def ranks(p: Party, x: Share, *, label: str = "ranks") -> Share:
    """[rank] (n, ...) at scale 0 of each x (n, ...) along the first axis, 0 for the smallest; equal ones by place.

    8 rounds, for x whose differences are within 2^63 in ring units; reveals masked values and bits only, each under a
    uniform mask of its own.
    """
    n, rest = x.shape[0], x.shape[1:]
    first, second = np.triu_indices(n, 1)
    if not first.size:
        return Share(np.zeros(x.shape, dtype=np.uint64))
    pairs = first.size * prod(rest)
    less = await less_than(p, x[second].reshape(pairs), x[first].reshape(pairs), label=label)
    number = (await as_numbers(p, less, label=f"{label}/numbers")).reshape(first.size, *rest)

    def counted() -> Array:
        square = np.zeros((n, n, *rest), dtype=np.uint64)
        square[first, second] = number.value
        counts: Array = square.sum(axis=1, dtype=np.uint64) - square.sum(axis=0, dtype=np.uint64)
        return counts

    before = np.arange(n, dtype=np.uint64).reshape(n, *(1 for _ in rest))  # each j < i counts, unless x_i < x_j
    return p.plus(Share(p.compute(counted, shape=x.shape)), Public(np.broadcast_to(before, x.shape)))


async def order_statistics(p: Party, x: Share, places: Sequence[int], *, label: str = "order") -> Share:
    """[the values of these ranks] (len(places), ...) of x (n, ...), along the first axis; `range(n)` sorts.

    16 rounds; for x as in `ranks`; reveals masked values and bits only, each under a uniform mask of its own.
    """
    n, rest = x.shape[0], x.shape[1:]
    wanted = np.array(places, dtype=np.uint64)
    shape = (len(wanted), n, *rest)
    rank = await ranks(p, x, label=label)
    k = p.public(Public(np.broadcast_to(wanted.reshape(-1, 1, *(1 for _ in rest)), shape).reshape(-1)))
    here = await equal(p, _repeated(rank, shape), k, label=f"{label}/place")
    nothing = Share(np.zeros(prod(shape), dtype=np.uint64), x.scale)
    chosen = await select(p, here, _repeated(x, shape), nothing, label=f"{label}/choose")
    return chosen.reshape(*shape).sum(axis=1)


def _repeated(x: Share, shape: tuple[int, ...]) -> Share:
    """x (n, ...), as often as the first number of the shape says, as one vector."""
    return Share(np.concatenate([x.value.reshape(-1)] * shape[0]), x.scale)
