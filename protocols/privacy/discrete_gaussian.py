"""The discrete Gaussian, sampled exactly: only whole numbers are computed with. Canonne, Kamath, Steinke 2020.

    P[X = x] proportional to exp(-x^2 / (2 variance)), x an integer                       "The Discrete Gaussian for
                                                                                  Differential Privacy", NeurIPS 2020

Every step below is a coin whose chance is exact, made of uniform bits (numbers of the paper):

- Algorithm 1, `_exp_coin`: a coin with chance exp(-g), g = a/b. For g <= 1 let K be the first k at which a coin with
  chance g/k fails: P[K > k] = g^k / k!, so P[K odd] = sum_k (-g)^k / k! = exp(-g). For g > 1, exp(-g) is the product
  of floor(g) factors exp(-1) and of the rest.
- Algorithm 2, `_laplace`: the discrete Laplace, P[Y = y] proportional to exp(-|y| / t). U is uniform below t and kept
  with chance exp(-U/t), V counts successes of chance exp(-1): U + t V is geometric with ratio exp(-1/t). A sign is
  drawn, and a negative 0 is drawn again, so that 0 is not counted twice.
- Algorithm 3, `samples`: Y from the discrete Laplace with t = floor(sigma) + 1 is kept with chance
  exp(-(|Y| - variance/t)^2 / (2 variance)). The product of the two is exp(-Y^2 / (2 variance)), times a constant.

A floating-point Gaussian would not do: the low bits of what it gives tell what was added to it (Mironov 2012). The time
that a sample takes depends on its value; see docs/threat-model.md, "What is not protected".
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream

Below = Callable[[int], int]
"""A uniform whole number from 0 to below the given one."""

MOST_VARIANCE = 1 << 80
"""Of noise that fits a ring of 64 bits with all its tail; the numbers below have fewer bits than are drawn at once."""
_AT_ONCE = 1 << 8  # bytes


def samples(stream: Stream, variance: int, count: int) -> NDArray[np.int64]:
    """Independent samples (count,) of the discrete Gaussian with mean 0.

    Args:
        stream: where all uniform bits come from; nobody else may know it.
        variance: a whole number from 1 to `MOST_VARIANCE`; the parameter sigma^2, above 1 the variance but for less
            than 1e-6 of it.

    Raises:
        ValueError: it is not.
    """
    if not 1 <= variance <= MOST_VARIANCE:
        raise ValueError(f"the variance is a whole number from 1 to {MOST_VARIANCE}")
    below = _uniform(stream)
    t = isqrt(variance) + 1
    return np.array([_sample(below, variance, t) for _ in range(count)], dtype=np.int64)


def law(variance: float, reach: int) -> NDArray[np.float64]:
    """The chances of -reach, ..., reach, in floating point: for accounting and tests, never for a sample."""
    x = np.arange(-reach, reach + 1, dtype=np.float64)
    weights: NDArray[np.float64] = np.exp(-(x**2) / (2.0 * variance))
    weights /= weights.sum()
    return weights


def _sample(below: Below, variance: int, t: int) -> int:
    while True:
        y = _laplace(below, t)
        if _exp_coin(below, (abs(y) * t - variance) ** 2, 2 * variance * t * t):
            return y


def _laplace(below: Below, t: int) -> int:
    while True:
        u = below(t)
        if not _exp_coin(below, u, t):
            continue
        v = 0
        while _exp_coin(below, 1, 1):
            v += 1
        size = u + t * v
        negative = below(2)
        if size or not negative:
            return -size if negative else size


def _exp_coin(below: Below, a: int, b: int) -> bool:
    """True with chance exp(-a/b), for whole a >= 0 and b > 0."""
    while a > b:
        if not _small_exp_coin(below, 1, 1):
            return False
        a -= b
    return _small_exp_coin(below, a, b)


def _small_exp_coin(below: Below, a: int, b: int) -> bool:
    k = 1
    while below(b * k) < a:
        k += 1
    return k % 2 == 1


def _uniform(stream: Stream) -> Below:
    """Uniform whole numbers from a stream: as many bits as the bound has, drawn again where they are not below it."""
    pool = bits = 0

    def below(bound: int) -> int:
        nonlocal pool, bits
        size = (bound - 1).bit_length()
        mask = (1 << size) - 1
        while True:
            if bits < size:
                pool, bits = int.from_bytes(stream.take(_AT_ONCE).tobytes(), "little"), 8 * _AT_ONCE
            found = pool & mask
            pool >>= size
            bits -= size
            if found < bound:
                return found

    return below
