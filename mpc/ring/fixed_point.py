"""Reals as ring elements: x is held as round(x * 2^scale), two's complement in the ring."""

from __future__ import annotations

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.abstract_array import is_abstract
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring
from mpc.ring.slices import slices


def encode(x: Array, scale: int, ring: Ring = Z64, *, what: str = "a value") -> Array:
    """Reals (float64, any shape) -> ring elements at `scale` fractional bits, rounded to nearest.

    Raises:
        ProtocolError: a value is not finite, or too large for a quarter of the ring (`what` names it).
    """
    if is_abstract(x):
        return x
    x = np.asarray(x, dtype=np.float64)
    flat, words = x.reshape(-1), np.empty(x.size, dtype=ring.dtype)
    for part in slices(x.size):
        scaled = _scaled(flat[part], scale, ring, what)
        if ring.native:
            words[part] = scaled.astype(f"<i{ring.bits // 8}").view(ring.dtype)
        else:
            words[part] = [int(v) for v in scaled.tolist()]  # exact: a float64 beyond 2^53 is an integer
    words = words.reshape(x.shape)
    return words if ring.native else ring.reduce(words)


def _scaled(x: Array, scale: int, ring: Ring, what: str) -> Array:
    """Each x * 2^scale as the nearest whole number, in float64."""
    if not np.isfinite(x).all():
        raise ProtocolError(f"{what} is not a finite number", "check the data for infinities and missing values")
    with np.errstate(over="ignore"):  # an infinity is too large, and refused below
        scaled: Array = np.rint(np.ldexp(x, scale))
    if x.size and np.abs(scaled).max() >= 2.0 ** min(ring.bits - 2, 1023):
        raise ProtocolError(
            f"{what} is too large for {scale} fractional bits in {ring.bits}",
            "standardise the features, or use smaller values",
        )
    return scaled


def decode(a: Array, scale: int, ring: Ring = Z64) -> Array:
    """Ring elements -> float64: the nearest double, so the same bits at every party."""
    if is_abstract(a):
        return a
    signed = ring.centred(a)
    if ring.native:
        return np.ldexp(signed.astype(np.float64), -scale)
    return np.array([int(v) / (1 << scale) for v in signed.ravel()], dtype=np.float64).reshape(a.shape)
