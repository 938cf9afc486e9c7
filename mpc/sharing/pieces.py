"""Long elementwise expressions, computed in pieces, so that intermediate values take little memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mpc.ring.abstract_array import is_abstract
from mpc.ring.slices import slices
from mpc.sharing.share import Public, Share


def in_pieces(expression: Callable[..., Share], *values: Share | Public) -> Share:
    """`expression(*values)`, which must be elementwise, for values of one shape; of others, all at once."""
    shape = values[0].shape
    arrays = [value.value for value in values]
    if any(is_abstract(a) or a.shape != shape or not a.flags.c_contiguous for a in arrays):
        return expression(*values)
    size = arrays[0].size
    parts = slices(size)
    part = next(parts, None)
    if part is None or part.stop == size:
        return expression(*values)
    flat: list[Any] = [value.reshape(-1) for value in values]
    first = expression(*[value[part] for value in flat])
    out = np.empty(size, dtype=first.value.dtype)
    out[part] = first.value
    for part in parts:
        out[part] = expression(*[value[part] for value in flat]).value
    return Share(out.reshape(shape), first.scale, first.ring)
