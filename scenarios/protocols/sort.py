"""All owners' numbers, sorted."""

import numpy as np

from beaverlodge.protocol import Party, Public, Share, concatenate, order_statistics


async def sort(p: Party, x: tuple[Share, ...]) -> Public:
    """x_(0) <= x_(1) <= ...: each number goes to its rank, how many numbers are smaller (Muller and Preparata 1975).

    17 rounds for any number of numbers; reveals the sorted numbers, not whose they are.
    """
    numbers = concatenate([one.reshape(-1) for one in x])
    ordered = await order_statistics(p, numbers, range(numbers.shape[0]))
    (opened,) = await p.reveal(ordered, what="sorted numbers", why="the agreed result", label="result")
    return opened


def sort_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear."""
    return np.sort(np.stack(x).reshape(-1))
