"""The rings that shares live in: Z_2^k, and words of bits under exclusive or.

`Z64` is the ring of nearly everything. `Z32` and `Z16` save bytes of values that matter modulo 2^32 or 2^16 only.
Wider rings (`wide(256)`) hold exact sums of reals in thin vectors, as Python integers. `B8` ... `B64` hold 8 ... 64
bits a word: their addition is exclusive or and their product is `&`, so that one code shares, masks and opens both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod
from typing import Any, cast

import numpy as np

from mpc.errors import InternalError
from mpc.ring.abstract_array import abstract, is_abstract
from mpc.ring.array import Array
from mpc.ring.thin_products import matrix_times_vector, rows_times_vector

_NATIVE = {8: np.dtype("<u1"), 16: np.dtype("<u2"), 32: np.dtype("<u4"), 64: np.dtype("<u8")}
_LIMB_BITS = 22  # three limbs cover 64 bits
_MAX_INNER = 512  # 512 * 2^22 * 2^22 = 2^53: sums of products of two limbs' sums are exact in float64


@dataclass(frozen=True)
class Ring:
    """Z_2^`bits` (or, with `xor`, vectors of `bits` bits under exclusive or).

    Args:
        bits: 8, 16, 32 or 64 for numpy's unsigned words; a larger multiple of 64 for Python integers.
        xor: whether addition is exclusive or.
    """

    bits: int
    xor: bool = False

    # Asked for many times a round, so worked out once (cached_property writes past a frozen dataclass's guard).

    @cached_property
    def native(self) -> bool:
        """Whether elements are machine words."""
        return self.bits <= 64

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        if not self.native:
            return np.dtype(object)
        return cast("np.dtype[Any]", _NATIVE[self.bits])

    @cached_property
    def word_bytes(self) -> int:
        """Bytes of one element on the wire."""
        return self.bits // 8

    def add(self, a: Array, b: Array) -> Array:
        """a + b, elementwise."""
        result: Array = a ^ b if self.xor else a + b
        return result if self.native else self.reduce(result)

    def sub(self, a: Array, b: Array) -> Array:
        """a - b, elementwise."""
        result: Array = a ^ b if self.xor else a - b
        return result if self.native else self.reduce(result)

    def mul(self, a: Array, b: Array) -> Array:
        """a * b, elementwise."""
        result: Array = a & b if self.xor else a * b
        return result if self.native else self.reduce(result)

    def sum(self, a: Array, axis: int) -> Array:
        """The ring's sum along `axis`."""
        if self.xor:
            return cast(Array, np.bitwise_xor.reduce(a, axis=axis))
        total = cast(Array, np.add.reduce(a, axis=axis, dtype=self.dtype))
        return total if self.native else self.reduce(total)

    def reduce(self, a: Array) -> Array:
        """Integers of any size, brought into the ring."""
        if is_abstract(a):
            return a
        if self.native and a.dtype != object:
            return a.astype(self.dtype, copy=False)
        integers = np.asarray(a, dtype=object) & ((1 << self.bits) - 1)
        return np.asarray(integers, dtype=object).astype(self.dtype, copy=False)

    def zeros(self, shape: tuple[int, ...]) -> Array:
        """The ring's zero in every entry; of object dtype they are Python integers."""
        return np.zeros(shape, dtype=self.dtype)

    def to_bytes(self, a: Array) -> bytes | memoryview:
        """Little-endian words in C order."""
        if self.native:
            return np.ascontiguousarray(a, dtype=self.dtype).reshape(-1).data.cast("B")
        return b"".join(int(x).to_bytes(self.word_bytes, "little") for x in a.ravel())

    def from_bytes(self, data: Any, shape: tuple[int, ...]) -> Array:
        """The inverse of `to_bytes`; `data` must hold exactly the entries of `shape`."""
        if self.native:
            words = np.frombuffer(data, dtype=self.dtype)
            return words if len(shape) == 1 and words.size == shape[0] else words.reshape(shape)
        w = self.word_bytes
        raw = bytes(data)
        out = np.empty(len(raw) // w, dtype=object)
        out[:] = [int.from_bytes(raw[i : i + w], "little") for i in range(0, len(raw), w)]
        return out.reshape(shape)

    def at(self, data: Any, start: int, shape: tuple[int, ...]) -> Array:
        """The entries of `shape` whose bytes begin at `start` in `data`; numpy refuses if they go beyond its end."""
        if self.native:
            return np.ndarray(shape, self.dtype, data, start)
        return self.from_bytes(memoryview(data)[start : start + prod(shape) * self.word_bytes], shape)

    def words(self, a: Array) -> Array:
        """`a` as an array of machine words to send: itself, or a wide ring's bytes."""
        if self.native or is_abstract(a):
            return a
        return np.frombuffer(self.to_bytes(a), dtype=np.uint8)

    def matmul(self, a: Array, b: Array) -> Array:
        """a @ b, exactly; not over bits. In a wide ring by Python's integers: for thin matrices."""
        if self.xor:
            raise InternalError("there is no matrix product over bits")
        if self.native or is_abstract(a) or is_abstract(b):
            return matmul(a, b)
        return self.reduce(np.atleast_1d(a @ b))

    def rows_matmul(self, a: Array, index: Array, b: Array, first: int | None = None) -> Array:
        """a[index] @ b, exactly, for a vector b; `first` as in `rows_times_vector`, in a ring of machine words."""
        if is_abstract(a) or is_abstract(b):
            return self.matmul(abstract((index.size, a.shape[1])), b)
        if self.native:
            return rows_times_vector(a, index, b, first=first)
        if first is not None:
            raise InternalError("rows that are left out are for rings of machine words")
        return self.matmul(a[index], b)

    def centred(self, a: Array) -> Array:
        """The representatives in [-2^(bits-1), 2^(bits-1)): int64, or Python integers in a wide ring."""
        if is_abstract(a):
            return a
        if self.native:
            return np.ascontiguousarray(a).view(f"<i{self.bits // 8}")
        half = 1 << (self.bits - 1)
        return cast(Array, ((a + half) & ((1 << self.bits) - 1)) - half)


Z64 = Ring(64)
Z32 = Ring(32)
Z16 = Ring(16)
B64, B32, B16, B8 = Ring(64, True), Ring(32, True), Ring(16, True), Ring(8, True)


@lru_cache
def wide(bits: int) -> Ring:
    """The ring Z_2^bits for thin vectors, `bits` a multiple of 64 above 64."""
    if bits <= 64 or bits % 64:
        raise InternalError(f"a wide ring has a multiple of 64 bits above 64, not {bits}")
    return Ring(bits)


def matmul(a: Array, b: Array) -> Array:
    """a @ b over Z_2^64 (or Z_2^32), exactly; shapes as numpy's matmul for one- and two-dimensional arrays.

    Each word is cut into three signed limbs of 22 bits, and the limbs' products are float64 BLAS products whose sums
    stay within 2^53, so every one is exact. Thin products take integers: see thin_products.py.
    """
    if is_abstract(a) or is_abstract(b):
        product = cast(Array, np.matmul(a, b))
        return product if product.ndim else product.reshape(1)
    if a.ndim == 2 and b.ndim == 1:
        return matrix_times_vector(a, b)
    if a.ndim == 1 and b.ndim == 2:
        return matrix_times_vector(b.T, a)
    if a.ndim == 1 or b.ndim == 1 or a.dtype.itemsize < 8 or min(a.shape[0], b.shape[-1]) < 4:
        return np.atleast_1d(a @ b)  # a numpy scalar would warn where an array wraps around
    inner = a.shape[1]
    if inner <= _MAX_INNER:
        return _matmul_block(a, b)
    total = _matmul_block(a[:, :_MAX_INNER], b[:_MAX_INNER])
    for k in range(_MAX_INNER, inner, _MAX_INNER):
        total += _matmul_block(a[:, k : k + _MAX_INNER], b[k : k + _MAX_INNER])
    return total


def _matmul_block(a: Array, b: Array) -> Array:
    """One exact product with an inner length of at most `_MAX_INNER`.

    Modulo 2^64 three sums of products count: a0 b0, a0 b1 + a1 b0, and a0 b2 + a1 b1 + a2 b0. The second is
    (a0 + a1) (b0 + b1) less two products that are there already (Karatsuba and Ofman 1962), so five products do.
    """
    a0, a1, a2 = _limbs(a)
    b0, b1, b2 = _limbs(b)
    low, high = a0 @ b0, a1 @ b1
    middle = (a0 + a1) @ (b0 + b1)
    middle -= low
    middle -= high
    high += a0 @ b2
    high += a2 @ b0
    total = high.astype(np.int64)
    for limb in (middle, low):
        total <<= _LIMB_BITS
        total += limb.astype(np.int64)
    return cast(Array, total.view(np.uint64))


def _limbs(x: Array) -> Array:
    """Three limbs of each word, from the lowest, as whole numbers in [-2^21, 2^21]."""
    out = np.empty((3, *x.shape))
    rest = x.view(np.int64)
    for limb in out[:2]:
        lowest = (rest << (64 - _LIMB_BITS)) >> (64 - _LIMB_BITS)  # with its sign
        limb[...] = lowest
        rest = (rest - lowest) >> _LIMB_BITS
    out[2] = rest
    return out
