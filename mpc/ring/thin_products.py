"""A matrix times a vector over Z_2^64, Z_2^32 or Z_2^16, many times a round: compiled, or else by numpy.

Sums of words are exact in any order, so both give the same. Numpy has no fast loop for integers.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from mpc.ring.array import Array

_LARGE = 1 << 12
EVERY_ROW = -1
"""The value of `first` for the compiled loops where `a` has all rows of its matrix."""


try:
    from mpc.ring import _thin_products
except ImportError:  # no C compiler was where the package was installed
    COMPILED = False
else:
    COMPILED = True
"""Whether the compiled code is there."""


def matrix_times_vector(a: Array, x: Array) -> Array:
    """a x (m,) for a (m, n) and x (n,) of unsigned words of one size."""
    if not COMPILED or a.dtype != x.dtype or a.shape[1] != x.shape[0] or (word := a.dtype.itemsize) < 2:
        return product_by_numpy(a, x)
    if a.flags.c_contiguous:
        function, rows = _thin_products.times, a
    elif (rows := a.T).flags.c_contiguous:
        function = _thin_products.transposed_times
    else:
        function, rows = _thin_products.times, np.ascontiguousarray(a)
    out = np.empty(a.shape[0], dtype=a.dtype)
    function(rows, None, np.ascontiguousarray(x), out, word, EVERY_ROW)
    return out


def rows_times_vector(a: Array, index: Array, x: Array, *, transposed: bool = False, first: int | None = None) -> Array:
    """a[index] x (or a[index]^T x) for a (rows, n), an index (int64) of its rows and x: the rows are not copied out.

    Args:
        first: where `a` has only the rows from this one on of a matrix whose other rows are zero.
    """
    if not COMPILED or a.dtype != x.dtype or not a.flags.c_contiguous or (word := a.dtype.itemsize) < 2:
        return _copied_rows_times_vector(a, index, x, transposed=transposed, first=first)
    out = np.empty(a.shape[1] if transposed else index.shape[0], dtype=a.dtype)
    function = _thin_products.transposed_times if transposed else _thin_products.times
    from_row = EVERY_ROW if first is None else first
    function(a, np.ascontiguousarray(index), np.ascontiguousarray(x), out, word, from_row)
    return out


def _copied_rows_times_vector(a: Array, index: Array, x: Array, *, transposed: bool, first: int | None) -> Array:
    """As `rows_times_vector`."""
    if first is None:
        rows = a.take(index, axis=0)
        return matrix_times_vector(rows.T if transposed else rows, x)
    here = (index >= first) & (index < first + a.shape[0])
    rows = a.take(index[here] - first, axis=0)
    if transposed:
        return matrix_times_vector(rows.T, x[here])
    out = np.zeros(index.shape[0], dtype=a.dtype)
    out[here] = matrix_times_vector(rows, x)
    return out


def product_by_numpy(a: Array, x: Array) -> Array:
    """As `matrix_times_vector`: of numpy's integer loops, `einsum` has the faster one for a large matrix."""
    if a.size >= _LARGE:
        return cast(Array, np.einsum("ij,j->i", a, x))
    return cast(Array, a @ x)
