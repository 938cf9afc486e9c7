"""Masks: AES-256-CTR streams from full-strength seeds, added to a vector modulo 2^b.

    y_i = x_i + PRG(b_i) + sum_(j > i) PRG(s_ij) - sum_(j < i) PRG(s_ij)          (Bonawitz et al. 2017, section 4)

s_ij is agreed between i and j (X25519), so that it cancels in the sum of both; b_i is i's own.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from mpc.randomness.streams import derive
from mpc.ring.array import Array

_BLOCK = 1 << 16
_ZEROS = bytes(_BLOCK)


def self_key(seed: bytes, context: bytes) -> bytes:
    """The key of a self mask."""
    return derive(seed, "secure aggregation/self mask", context)


def pair_key(shared: bytes, context: bytes, one: int, other: int) -> bytes:
    """The key of a pair's mask: the same for both."""
    low, high = sorted((one, other))
    return derive(
        shared, "secure aggregation/pair mask", context + low.to_bytes(4, "little") + high.to_bytes(4, "little")
    )


def add_mask(total: Array, key: bytes, *, minus: bool = False) -> None:
    """Add a key's mask to `total` (m,) in place, or take it away. Bits above the modulus are left to whoever packs."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    size = total.dtype.itemsize
    buffer = np.empty(min(_BLOCK, total.size * size) + 16, dtype=np.uint8)
    per_block = _BLOCK // size
    for start in range(0, total.size, per_block):
        part = total[start : start + per_block]
        encryptor.update_into(_ZEROS[: part.size * size], buffer.data)
        mask = buffer[: part.size * size].view(total.dtype)
        if minus:
            part -= mask
        else:
            part += mask
