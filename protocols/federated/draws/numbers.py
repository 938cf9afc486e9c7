"""Public random numbers from a stream: uniform reals, whole numbers, orders, Dirichlet shares.

They come from the scenario's seed, so that every party, process and version of numpy draws the same. None is a secret.
"""

from __future__ import annotations

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array


def uniforms(stream: Stream, *shape: int) -> Array:
    """Reals strictly between 0 and 1, odd multiples of 2^-53: float64 `shape`."""
    words = stream.take(8 * int(np.prod(shape))).view("<u8") >> np.uint64(12)
    return ((words + 0.5) * 2.0**-52).reshape(shape)


def below(stream: Stream, count: int) -> int:
    """A whole number from 0 to count - 1, uniform to within count 2^-128."""
    return int.from_bytes(stream.take(16).tobytes(), "little") % count


def permutation(stream: Stream, count: int) -> Array:
    """A uniform order of range(count): int64 (count,)."""
    return np.argsort(stream.take(8 * count).view("<u8"), kind="stable")


def dirichlet(stream: Stream, alphas: Array, draws: int) -> Array:
    """Shares that add up to 1, from the Dirichlet distribution: float64 (draws, size).

    They are gamma variables divided by their sum. G(alpha) is G(alpha + 1) U^(1 / alpha) (Marsaglia and Tsang 2000),
    taken as logarithms, for at a small alpha the variables themselves are below what a float64 can hold.

    Args:
        alphas: each share's concentration (size,), above 0.
    """
    from scipy.special import gammaincinv

    shape = (draws, alphas.size)
    log_gamma = np.log(gammaincinv(alphas + 1, uniforms(stream, *shape))) + np.log(uniforms(stream, *shape)) / alphas
    shares: Array = np.exp(log_gamma - np.max(log_gamma, axis=1, keepdims=True))
    shares /= np.sum(shares, axis=1, keepdims=True)
    return shares
