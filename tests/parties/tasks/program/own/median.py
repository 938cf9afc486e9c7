"""The median of all owners' numbers together; of an even number of them the upper one of the two in the middle."""

import numpy as np

from beaverlodge.protocol import Party, Public, Share, as_numbers, encode, equal, less_than, multiply


async def median(p: Party, x: tuple[Share, ...]) -> Public:
    """sum_i x_i [rank_i = n // 2], rank_i = #{j: x_j < x_i, or x_j = x_i and j < i}. 18 rounds; reveals the median."""
    v = Share(np.concatenate([one.value for one in x]), x[0].scale)
    n = v.shape[0]
    i, j = np.triu_indices(n, 1)
    lower = await as_numbers(p, await less_than(p, v[j], v[i]))
    ranks = Public(encode(np.eye(n)[:, i] - np.eye(n)[:, j], 0)) @ lower
    ranks = p.plus(ranks, Public(encode(np.bincount(j, minlength=n), 0)))
    middle = await as_numbers(p, await equal(p, ranks, p.public(p.constant(n // 2, (n,)))))
    value = (await multiply(p, middle, v)).sum()
    (opened,) = await p.reveal(value, what="median", why="the agreed result", label="median")
    return opened


def median_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear."""
    values = np.sort(np.concatenate(x))
    return values[len(values) // 2 :][:1]
