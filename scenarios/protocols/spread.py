"""Mean and standard deviation of all owners' numbers."""

import numpy as np

from beaverlodge.protocol import Party, Share, concatenate, matmul


async def spread(p: Party, x: tuple[Share, ...]) -> np.ndarray:
    """(mean, s) with mean = S / m and s^2 = (m Q - S^2) / (m (m - 1)), of the sum S and the sum of squares Q.

    2 rounds; reveals S and Q, which follow from mean, deviation and m > 1. Exact for Q < 2^(63 - 2 scale).
    """
    numbers = concatenate([one.reshape(-1) for one in x])
    m = numbers.shape[0]
    squares = await matmul(p, numbers.reshape(1, m), numbers.reshape(m, 1), label="squares")
    total = numbers.sum(axis=0).reshape(1)
    s, q = await p.reveal(
        total, squares, what="sum and sum of squares", why="mean and deviation tell them", label="result"
    )

    def result() -> np.ndarray:
        one, two = int(s.value.view(np.int64)[0]), int(q.value.reshape(-1).view(np.int64)[0])
        deviation = np.sqrt(max(0, m * two - one * one) / (m * (m - 1))) / 2**s.scale
        return np.array([one / (m * 2**s.scale), deviation])

    return p.compute(result, shape=(2,))


def spread_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear."""
    return np.array([np.mean(np.stack(x)), np.std(np.stack(x), ddof=1)])
