"""An array's shape, scale and ring on the wire, and its bytes there."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring


class Spec(NamedTuple):
    """The shape, the scale (fractional bits) and the ring of an array on the wire."""

    shape: tuple[int, ...]
    scale: int = 0
    ring: Ring = Z64

    @property
    def nbytes(self) -> int:
        """Bytes on the wire."""
        return prod(self.shape) * self.ring.word_bytes


def payload(arrays: Sequence[Array] | bytes) -> bytes:
    """The arrays' words back to back."""
    if isinstance(arrays, bytes):
        return arrays
    if len(arrays) == 1:
        return bytes(arrays[0].tobytes())
    return b"".join([np.ascontiguousarray(a).data.cast("B") if a.size else b"" for a in arrays])


def parse(data: Any, specs: Sequence[Spec], *, sender: str, label: str) -> tuple[Array, ...]:
    """The arrays in a payload; read-only views of it.

    Raises:
        ProtocolError: the payload is not exactly as long as the specs say.
    """
    view = memoryview(data)
    expected = sum([spec.nbytes for spec in specs])
    if len(view) != expected:
        raise ProtocolError(
            f"a message from {sender} in '{label}' has {len(view)} bytes instead of {expected}",
            "the parties may run different versions",
            party=sender,
        )
    if len(specs) == 1:
        return (specs[0].ring.at(view, 0, specs[0].shape),)
    arrays, start = [], 0
    for spec in specs:
        arrays.append(spec.ring.at(view, start, spec.shape))
        start += spec.nbytes
    return tuple(arrays)
