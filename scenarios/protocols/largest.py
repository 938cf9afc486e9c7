"""The largest of all owners' numbers."""

import numpy as np

from beaverlodge.protocol import Party, Public, Share, concatenate, maximum


async def largest(p: Party, x: tuple[Share, ...]) -> Public:
    """max x_i, by a tournament: half of those that are left go out at a time.

    8 ceil(log2 m) + 1 rounds for m numbers in all; reveals the largest alone, not whose it is.
    """
    left = concatenate([one.reshape(-1) for one in x])
    while left.shape[0] > 1:
        half = left.shape[0] // 2
        winners = await maximum(p, left[:half], left[half : 2 * half], label="tournament")
        left = concatenate([winners, left[2 * half :]])
    (opened,) = await p.reveal(left, what="largest", why="the agreed result", label="result")
    return opened


def largest_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear."""
    return np.max(np.stack(x)).reshape(1)
