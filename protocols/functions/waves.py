"""Sums of sines and cosines of public ring elements times ring elements: compiled, or else by numpy.

Both take the same IEEE-754 steps in the same order (trig.py, wave_sums.c) and give the same bits, so that it does not
matter which of them an owner has.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protocols.functions.trig import odd_harmonics, ring_coefficients

_CHUNK = 1024  # columns: what is in between then stays in the processor's cache


try:
    from protocols.functions import _wave_sums
except ImportError:  # no C compiler was where the package was installed
    COMPILED = False
else:
    COMPILED = True
"""Whether the compiled code is there."""


def wave_sums(
    angles: NDArray[np.uint64], waves: NDArray[np.uint64], weights: NDArray[np.float64], *, cosines_first: bool = False
) -> NDArray[np.uint64]:
    """The sum over j of rint(weights[j] * j-th wave of the angle) * waves[j], for every angle.

    Args:
        angles: ring elements (B,), of which 2^64 are a whole turn.
        waves: ring elements (2 K, B).
        weights: (2, K), what `harmonic_weights` gave, for the sines of the K odd multiples and then their cosines.
        cosines_first: whether the cosines come before the sines instead.
    """
    if not COMPILED:
        return sums_by_numpy(angles, waves, weights, cosines_first=cosines_first)
    out = np.empty(angles.shape, dtype=np.uint64)
    _wave_sums.sums(np.ascontiguousarray(angles), np.ascontiguousarray(waves), weights, out, cosines_first)
    return out


def scaled_waves(
    angles: NDArray[np.uint64], weights: NDArray[np.float64], *, cosines_first: bool = False
) -> NDArray[np.uint64]:
    """rint(weights[j] * j-th wave of the angle) (2 K, B), for every angle; the rest as in `wave_sums`."""
    if not COMPILED:
        return scaled_by_numpy(angles, weights, cosines_first=cosines_first)
    out = np.empty((weights.size, *angles.shape), dtype=np.uint64)
    _wave_sums.scaled(np.ascontiguousarray(angles), weights, out, cosines_first)
    return out


def sums_by_numpy(
    angles: NDArray[np.uint64], waves: NDArray[np.uint64], weights: NDArray[np.float64], *, cosines_first: bool = False
) -> NDArray[np.uint64]:
    """As `wave_sums`, some columns at a time."""
    total = np.empty(angles.shape, dtype=np.uint64)
    for start in range(0, angles.shape[0], _CHUNK):
        part = slice(start, start + _CHUNK)
        terms = scaled_by_numpy(angles[part], weights, cosines_first=cosines_first)
        terms *= waves[:, part]
        np.add.reduce(terms, axis=0, out=total[part])
    return total


def scaled_by_numpy(
    angles: NDArray[np.uint64], weights: NDArray[np.float64], *, cosines_first: bool = False
) -> NDArray[np.uint64]:
    """As `scaled_waves`."""
    harmonics = odd_harmonics(angles, weights.shape[1])
    ordered = harmonics[::-1] if cosines_first else harmonics
    return ring_coefficients(ordered, weights, in_place=True).reshape(weights.size, *angles.shape)
