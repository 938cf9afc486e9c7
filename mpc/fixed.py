"""Reals as ring elements: x is held as round(x * 2^scale), two's complement in the ring."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import numpy as np

from mpc.errors import ProtocolError
from mpc.ghost import Array, is_ghost
from mpc.ring import Z64, Ring


def encode(x: Array, scale: int, ring: Ring = Z64, *, what: str = "a value") -> Array:
    """Reals (float64, any shape) -> ring elements at `scale` fractional bits, rounded to nearest.

    Raises:
        ProtocolError: a value is not finite, or too large for a quarter of the ring (`what` names it).
    """
    if is_ghost(x):
        return x
    x = np.asarray(x, dtype=np.float64)
    if not np.isfinite(x).all():
        raise ProtocolError(f"{what} is not a finite number", "check the data for infinities and missing values")
    if not ring.native:
        return _encode_wide(x, scale, ring, what)
    with np.errstate(over="ignore"):  # an infinity is too large, and refused below
        scaled = np.rint(np.ldexp(x, scale))
    if x.size and np.abs(scaled).max() >= 2.0 ** (ring.bits - 2):
        raise ProtocolError(
            f"{what} is too large for {scale} fractional bits in {ring.bits}",
            "standardise the features, or use smaller values",
        )
    return cast(Array, scaled.astype(f"<i{ring.bits // 8}").view(ring.dtype))


def _encode_wide(x: Array, scale: int, ring: Ring, what: str) -> Array:
    out = np.empty(x.shape, dtype=object)
    for index, value in np.ndenumerate(x):
        number = round(Fraction(float(value)) * (1 << scale))
        if abs(number) >= 1 << (ring.bits - 2):
            raise ProtocolError(f"{what} is too large for {scale} fractional bits in {ring.bits}", "use smaller values")
        out[index] = number
    return ring.reduce(out)


def decode(a: Array, scale: int, ring: Ring = Z64) -> Array:
    """Ring elements -> float64: the nearest double, so the same bits at every party."""
    if is_ghost(a):
        return a
    signed = ring.centred(a)
    if ring.native:
        return np.ldexp(signed.astype(np.float64), -scale)
    return np.array([int(v) / (1 << scale) for v in signed.ravel()], dtype=np.float64).reshape(a.shape)
