"""Sines and cosines of public ring elements, the same bits on every machine.

A public value that multiplies a share has to be the same word at every owner: one differing last bit makes
the result a random word. `np.exp`, dot products and complex products differ between the instruction sets of
one CPU (tried), `np.sin` may between builds of numpy, so nothing of the kind is used here. Only elementwise
+, -, * and conversions are, each a numpy call of its own (so never fused): IEEE-754 and integer
arithmetic leave them no choice. No value is subnormal, so that flushing those to zero changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mpc.errors import InternalError

# sin(pi/2 x) = x * (sum of these times x^0, x^2, x^4, ...) for |x| <= 1: interpolated at the Chebyshev nodes
# of x^2, which leaves 5e-19.
_SINE_OF_QUARTER_TURNS = (
    1.5707963267948966,
    -0.6459640975062462,
    0.07969262624616566,
    -0.0046817541353042875,
    0.00016044118471298445,
    -3.598843020066533e-06,
    5.692136379038752e-08,
    -6.684414265014933e-10,
    5.872929258297722e-12,
)
_QUARTER_TURN = 1 << 62
_LARGEST_COEFFICIENT = 2.0**50
# Added to a number below 2^51, it leaves the nearest integer (ties to even) in the lowest bits of the sum.
_TO_INTEGER = 1.5 * 2.0**52
_TO_INTEGER_BITS = np.float64(_TO_INTEGER).view(np.int64)
# This many angles are worked on at a time, so that the intermediate arrays stay in the cache.
_CHUNK = 1024


def odd_harmonics(angles: NDArray[np.uint64], count: int) -> NDArray[np.float64]:
    """sin((2j+1) t) and cos((2j+1) t) for j < count, within 1e-14, the same bits on every machine.

    Args:
        angles: m for the angle t = 2 pi m / 2^64; any shape and strides.
        count: how many odd harmonics.

    Returns:
        Shape (2, count, *angles.shape): the sines, then the cosines.
    """
    if angles.dtype != np.uint64 or count < 1:
        raise InternalError(f"odd harmonics of {angles.dtype} angles, count {count}: needs uint64 and >= 1")
    flat = np.ascontiguousarray(angles).reshape(-1)
    # Every odd harmonic is one of the `low` first ones plus a multiple of 2 * low. Both kinds are evaluated
    # from the ring, where multiples of an angle are exact; one angle addition then gives all the others.
    low = 1 << (count.bit_length() // 2)
    blocks = -(-count // low)
    multiples = _multiples(low, blocks)
    result = np.empty((2, blocks, low, flat.size))
    for start in range(0, flat.size, _CHUNK):
        stop = start + _CHUNK
        _fill(flat[start:stop], multiples, result[..., start:stop])
    return result.reshape(2, blocks * low, *angles.shape)[:, :count]


def harmonic_weights(coefficients: Sequence[float], scale: float) -> NDArray[np.float64]:
    """`scale * coefficients`, checked to stay small enough for `ring_coefficients` when a sine multiplies them."""
    weights: NDArray[np.float64] = np.array(coefficients, dtype=np.float64) * scale
    # Written so that it also refuses a weight that is not a number.
    if not bool(np.all(np.abs(weights) < _LARGEST_COEFFICIENT)):
        raise InternalError(f"harmonic weights at scale {scale} do not fit a 64-bit float")
    return weights


def ring_coefficients(
    waves: NDArray[np.float64], weights: NDArray[np.float64], *, in_place: bool = False
) -> NDArray[np.uint64]:
    """rint(weights[j] * waves[:, j]) as ring elements, the same bits on every machine.

    Args:
        waves: what `odd_harmonics` gave, or its sines or cosines alone: (..., count, B).
        weights: what `harmonic_weights` gave, or several of these: (..., count).
        in_place: whether the memory of `waves` is no longer needed otherwise.
    """
    scaled = np.multiply(waves, weights[..., np.newaxis], out=waves if in_place else None)
    scaled += _TO_INTEGER
    integers = scaled.view(np.int64)
    integers -= _TO_INTEGER_BITS
    return integers.view(np.uint64)


@lru_cache(maxsize=16)
def _multiples(low: int, blocks: int) -> NDArray[np.uint64]:
    """1, 3, ..., 2 low - 1 and then 2 low, 4 low, ..., 2 low (blocks - 1), as a column."""
    multiples = np.array([*range(1, 2 * low, 2), *range(2 * low, 2 * low * blocks, 2 * low)], dtype=np.uint64)
    multiples.flags.writeable = False
    return multiples[:, np.newaxis]


def _fill(angles: NDArray[np.uint64], multiples: NDArray[np.uint64], result: NDArray[np.float64]) -> None:
    """Write all harmonics of `angles` (B,) to `result` (2, blocks, low, B)."""
    low = result.shape[2]
    basis = _sines_and_cosines(angles, multiples)
    first = basis[:, :low]
    result[:, 0] = first
    if result.shape[1] == 1:
        return
    start = first[:, np.newaxis]
    step_sine, step_cosine = basis[:, low:, np.newaxis]
    rest = result[:, 1:]
    np.multiply(start, step_cosine, out=rest)
    crossed = start * step_sine
    rest[0] += crossed[1]
    rest[1] -= crossed[0]


def _sines_and_cosines(angles: NDArray[np.uint64], multiples: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The sine and cosine of every multiple (n, 1) of every angle (B,): shape (2, n, B)."""
    turns = np.empty((2, len(multiples), len(angles)), dtype=np.uint64)
    np.multiply(angles, multiples, out=turns[1])
    np.subtract(turns[1], np.uint64(_QUARTER_TURN), out=turns[0])
    # cos t = sin(1/4 turn - |t|), where |t| <= 1/2 turn; and sin t is the cosine of t less 1/4 turn. What is
    # left is within 1/4 turn of zero. The absolute value of -2^63 is itself, which the subtraction undoes.
    folded = turns.view(np.int64)
    np.abs(folded, out=folded)
    np.subtract(np.int64(_QUARTER_TURN), folded, out=folded)
    x = folded.astype(np.float64)
    x *= 2.0**-62
    square = x * x
    total = square * _SINE_OF_QUARTER_TURNS[-1]
    for coefficient in _SINE_OF_QUARTER_TURNS[-2:0:-1]:
        total += coefficient
        total *= square
    total += _SINE_OF_QUARTER_TURNS[0]
    total *= x
    return total
