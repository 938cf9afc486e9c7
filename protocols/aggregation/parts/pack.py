"""Numbers modulo 2^b on the wire in b bits each.

The values are laid out in eight rows of ceil(m / 8); the eight values of a column take b bytes, and byte w of every
column stands in row w of what is sent: so every step below is one pass over whole rows.
"""

from __future__ import annotations

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array

_ROWS = 8


def word(bits: int) -> np.dtype[np.unsignedinteger]:
    """The machine word in which numbers modulo 2^bits are added: overflow drops what the modulus drops too."""
    return np.dtype("<u4") if bits <= 32 else np.dtype("<u8")


def packed_bytes(length: int, bits: int) -> int:
    """How many bytes `length` numbers of `bits` bits take: at most 7 numbers more than bare."""
    return -(-length // _ROWS) * bits


def pack(values: Array, bits: int) -> bytes:
    """Of numbers (m,) in machine words, the lowest `bits` bits each."""
    columns = -(-values.size // _ROWS)
    rows = np.zeros((_ROWS, columns), dtype=values.dtype)
    rows.reshape(-1)[: values.size] = values
    rows &= values.dtype.type((1 << bits) - 1)
    out = np.zeros((bits, columns), dtype=np.uint8)
    for row in range(_ROWS):
        for byte, shift in _places(row, bits):  # byte holds the value shifted right by `shift` (left if negative)
            shifted = rows[row] >> values.dtype.type(shift) if shift >= 0 else rows[row] << values.dtype.type(-shift)
            out[byte] |= shifted.astype(np.uint8)
    return out.tobytes()


def unpack(body: bytes, length: int, bits: int) -> Array:
    """The numbers (length,) again, in machine words.

    Raises:
        ProtocolError: the body is not as long as so many numbers are.
    """
    if len(body) != packed_bytes(length, bits):
        raise ProtocolError(f"a vector of {len(body)} bytes came where {packed_bytes(length, bits)} were due")
    columns = -(-length // _ROWS)
    dtype = word(bits)
    raw = np.frombuffer(body, dtype=np.uint8).reshape(bits, columns)
    rows = np.zeros((_ROWS, columns), dtype=dtype)
    for row in range(_ROWS):
        for byte, shift in _places(row, bits):
            part = raw[byte].astype(dtype)
            rows[row] |= part << dtype.type(shift) if shift >= 0 else part >> dtype.type(-shift)
        rows[row] &= dtype.type((1 << bits) - 1)
    return rows.reshape(-1)[:length]


def _places(row: int, bits: int) -> list[tuple[int, int]]:
    """The bytes that hold a row's value, and by how much it is shifted right to get there."""
    first, last = row * bits, row * bits + bits - 1
    return [(byte, 8 * byte - first) for byte in range(first // 8, last // 8 + 1)]
