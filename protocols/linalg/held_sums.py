"""One owner's part of a product with held rows, from the opened value: compiled, or else by numpy.

Sums of words are exact in any order, so both give the same. The compiled code (held_sums.c) is one pass over the rows.
"""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from mpc.ring.thin_products import EVERY_ROW, matrix_times_vector, rows_times_vector
from protocols.core.truncation import cut_words

try:
    from protocols.linalg import _held_sums
except ImportError:  # no C compiler was where the package was installed
    COMPILED = False
else:
    COMPILED = True
"""Whether the compiled code is there."""


def transposed_sum(
    x: Array,
    e: Array,
    index: Array,
    d: Array,
    v: Array,
    t: Array,
    wraps: Array,
    av: Array,
    shift: int,
    first: int | None = None,
) -> Array:
    """X_S^T (D >> s) + E_S^T (v + [D < 0] * t) + A^T v + 2^(64-s) wraps^T [D < 0], at one owner: (n,).

    Args:
        x, e: the owner's share of X, and X - A (m, n).
        index: the rows S (int64); one for each of `d`, `v` and `t` (B,).
        d: D, as it was opened.
        v, t, av: the owner's shares of v, t and A_S^T v.
        wraps: its share of diag(t / 2^(64-s)) A_S (B, n), in words of at least s bits.
        shift: s.
        first: where `x` has only the rows from this one on, and the owner's share of the others is zero.
    """
    if not COMPILED or not (x.flags.c_contiguous and e.flags.c_contiguous and d.size and av.size):
        return transposed_sum_by_numpy(x, e, index, d, v, t, wraps, av, shift, first)
    out = np.empty(av.shape, dtype=np.uint64)
    word, from_row = wraps.dtype.itemsize, EVERY_ROW if first is None else first
    _held_sums.transposed_sum(x, e, np.ascontiguousarray(index), d, v, t, wraps, av, out, word, shift, from_row)
    return out


def transposed_sum_by_numpy(
    x: Array,
    e: Array,
    index: Array,
    d: Array,
    v: Array,
    t: Array,
    wraps: Array,
    av: Array,
    shift: int,
    first: int | None = None,
) -> Array:
    """As `transposed_sum`."""
    low, negative = cut_words(d, shift)
    wrapped = matrix_times_vector(wraps.T, negative.astype(wraps.dtype)).astype(np.uint64) << np.uint64(64 - shift)
    known = rows_times_vector(x, index, low, transposed=True, first=first)
    masked = rows_times_vector(e, index, v + negative * t, transposed=True)
    total: Array = known + masked + av + wrapped
    return total
