"""How alike two owners' vectors are, of every pair."""

import itertools

import numpy as np

from beaverlodge.protocol import Party, Public, Share, matmul, together


async def similarity(p: Party, x: tuple[Share, ...]) -> tuple[Public, ...]:
    """<x_a, x_b> for owners a < b. 2 rounds; reveals these products."""
    pairs = itertools.combinations(x, 2)
    products = await together(*(matmul(p, a, b) for a, b in pairs))
    return await p.reveal(*products, what="similarity", why="the agreed result", label="similarity")


def similarity_reference(x: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """The same in the clear."""
    return tuple(np.atleast_1d(a @ b) for a, b in itertools.combinations(x, 2))
