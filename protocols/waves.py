"""Sines and cosines of public ring elements times what they are combined with: compiled, or else by numpy.

Both take the same IEEE-754 steps in the same order (trig.py, wave_sums.c) and give the same bits, so that it does not
matter which of them an owner has. The compiled way is there if a C compiler was where the package was installed; it
takes a sixth of the time, for a step of a training goes through these sums once and the helper through the waves.
"""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mpc.ghost import Array
from protocols.trig import odd_harmonics, ring_coefficients

_CHUNK = 1024  # columns: what is in between then stays in the processor's cache


class _Compiled(Protocol):
    """The functions of wave_sums.c, on arrays in C order."""

    def sums(self, angles: Array, waves: Array, weights: Array, out: Array, cosines_first: bool, /) -> None: ...

    def scaled(self, angles: Array, weights: Array, out: Array, cosines_first: bool, /) -> None: ...


def _compiled() -> _Compiled | None:
    try:
        from protocols import _wave_sums
    except ImportError:
        return None
    return _wave_sums


_COMPILED: Final = _compiled()
COMPILED: Final = _COMPILED is not None
"""Whether the compiled way is there."""


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
    if _COMPILED is None:
        return sums_by_numpy(angles, waves, weights, cosines_first=cosines_first)
    out = np.empty(angles.shape, dtype=np.uint64)
    _COMPILED.sums(np.ascontiguousarray(angles), np.ascontiguousarray(waves), weights, out, cosines_first)
    return out


def scaled_waves(
    angles: NDArray[np.uint64], weights: NDArray[np.float64], *, cosines_first: bool = False
) -> NDArray[np.uint64]:
    """rint(weights[j] * j-th wave of the angle) (2 K, B), for every angle; the rest as in `wave_sums`."""
    if _COMPILED is None:
        return scaled_by_numpy(angles, weights, cosines_first=cosines_first)
    out = np.empty((weights.size, *angles.shape), dtype=np.uint64)
    _COMPILED.scaled(np.ascontiguousarray(angles), weights, out, cosines_first)
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
