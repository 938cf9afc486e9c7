"""A matrix times a vector over Z_2^64, Z_2^32 or Z_2^16, many times a round: compiled, or else by numpy.

Sums of words are exact in any order, so both give the same. The compiled way is there if a C compiler was where the
package was installed (thin_products.c); it takes a fifth of the time, for numpy has no fast loop for integers.
"""

from __future__ import annotations

from typing import Final, Protocol, cast

import numpy as np

from mpc.ghost import Array

_LARGE = 1 << 12


class _Compiled(Protocol):
    """The functions of thin_products.c, on arrays in C order."""

    def times(self, a: Array, index: Array | None, x: Array, out: Array, word_bytes: int, /) -> None: ...

    def transposed_times(self, a: Array, index: Array | None, x: Array, out: Array, word_bytes: int, /) -> None: ...


def _compiled() -> _Compiled | None:
    try:
        from mpc import _thin_products
    except ImportError:
        return None
    return _thin_products


_COMPILED: Final = _compiled()
COMPILED: Final = _COMPILED is not None
"""Whether the compiled way is there."""


def matrix_times_vector(a: Array, x: Array) -> Array:
    """a x (m,) for a (m, n) and x (n,) of unsigned words of one size."""
    if _COMPILED is None or a.dtype != x.dtype or a.shape[1] != x.shape[0] or (word := a.dtype.itemsize) < 2:
        return product_by_numpy(a, x)
    if a.flags.c_contiguous:
        function, rows = _COMPILED.times, a
    elif (rows := a.T).flags.c_contiguous:
        function = _COMPILED.transposed_times
    else:
        function, rows = _COMPILED.times, np.ascontiguousarray(a)
    out = np.empty(a.shape[0], dtype=a.dtype)
    function(rows, None, np.ascontiguousarray(x), out, word)
    return out


def rows_times_vector(a: Array, index: Array, x: Array, *, transposed: bool = False) -> Array:
    """a[index] x (or a[index]^T x) for a (rows, n), an index (int64) of its rows and x: the rows are not copied out."""
    if _COMPILED is None or a.dtype != x.dtype or not a.flags.c_contiguous or (word := a.dtype.itemsize) < 2:
        rows = a.take(index, axis=0)
        return matrix_times_vector(rows.T if transposed else rows, x)
    out = np.empty(a.shape[1] if transposed else index.shape[0], dtype=a.dtype)
    function = _COMPILED.transposed_times if transposed else _COMPILED.times
    function(a, np.ascontiguousarray(index), np.ascontiguousarray(x), out, word)
    return out


def product_by_numpy(a: Array, x: Array) -> Array:
    """As `matrix_times_vector`: of numpy's integer loops, `einsum` has the faster one for a large matrix."""
    if a.size >= _LARGE:
        return cast(Array, np.einsum("ij,j->i", a, x))
    return cast(Array, a @ x)
