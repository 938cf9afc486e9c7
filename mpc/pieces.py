"""Long elementwise expressions some entries at a time, so that what is in between takes little memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mpc.ghost import is_ghost
from mpc.share import Public, Share

_PIECE = 1 << 16  # of 64-bit words: a handful of arrays of them stay in a processor's cache


def in_pieces(expression: Callable[..., Share], *values: Share | Public) -> Share:
    """`expression(*values)`, which must be elementwise, for values of one shape; of others, all at once.

    Without this, every sum and product of large arrays is a new one, whose pages the system has to find and clear:
    longer work than the arithmetic, in a process that has not held as much before.
    """
    shape = values[0].shape
    arrays = [value.value for value in values]
    if any(is_ghost(a) or a.shape != shape or not a.flags.c_contiguous for a in arrays) or arrays[0].size <= _PIECE:
        return expression(*values)
    flat: list[Any] = [value.reshape(-1) for value in values]
    size = arrays[0].size
    first = expression(*[value[:_PIECE] for value in flat])
    out = np.empty(size, dtype=first.value.dtype)
    out[:_PIECE] = first.value
    for start in range(_PIECE, size, _PIECE):
        part = slice(start, start + _PIECE)
        out[part] = expression(*[value[part] for value in flat]).value
    return Share(out.reshape(shape), first.scale, first.ring)
