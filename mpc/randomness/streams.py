"""Pseudo-random streams: AES-CTR (OpenSSL, through `cryptography`) under keys that HKDF-SHA256 derives from seeds."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from math import prod

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mpc.ring.array import Array
from mpc.ring.rings import Ring

SEED_BYTES = 32
_BLOCK = 1 << 17  # what is drawn ahead: a few of them stay in the processor's cache
_PIECE = 1 << 16  # what is encrypted in one call, of zeros that are to stay there too
_FIRST = 1 << 10  # many streams give a few words alone
_ZEROS = bytes(_PIECE)

Entropy = Callable[[str], bytes]
"""Where secret seeds come from: label -> SEED_BYTES bytes."""


def os_entropy(label: str) -> bytes:
    """A fresh seed from the operating system."""
    return os.urandom(SEED_BYTES)


def insecure_entropy(seed: int, party: str) -> Entropy:
    """Reproducible seeds, for tests only: who knows `seed` knows every secret of the run."""
    return lambda label: derive(seed.to_bytes(16, "little", signed=True), f"insecure test seed/{party}/{label}")


def party_entropy(seed: int | None, party: str) -> Entropy:
    """The source of a party's secret seeds: the operating system, unless a test seed is given."""
    return os_entropy if seed is None else insecure_entropy(seed, party)


def derive(seed: bytes, label: str, context: bytes = b"") -> bytes:
    """A 32-byte key from `seed`, bound to `label` and `context`: HKDF-SHA256 (RFC 5869), salted with the context."""
    return HKDF(SHA256(), SEED_BYTES, context, label.encode()).derive(seed)


def session_id(nonces: dict[str, bytes]) -> bytes:
    """The session's name: a digest of every party's nonce."""
    digest = sha256(b"beaverlodge session")
    for name in sorted(nonces):
        digest.update(sha256(name.encode()).digest() + sha256(nonces[name]).digest())
    return digest.digest()


class Stream:
    """The bytes of AES-256-CTR under one key, from the first on. A key serves one stream only."""

    def __init__(self, key: bytes) -> None:
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        self._buffer: Array = np.empty(0, dtype=np.uint8)
        self._used = 0
        self._ahead = _FIRST

    def take(self, count: int) -> Array:
        """The next `count` bytes (uint8); further on by a multiple of 8 so that words stay aligned."""
        step = -(-count // 8) * 8
        if self._used + step > self._buffer.size:
            if step >= _BLOCK:
                rest = self._buffer[self._used :]
                out = self._fresh(step - rest.size, after=rest)
                self._buffer, self._used = out[:0], 0
                return out[:count]
            self._ahead = min(_BLOCK, 4 * max(self._ahead, step))
            self._buffer = self._fresh(self._ahead, after=self._buffer[self._used :])
            self._used = 0
        start = self._used
        self._used = start + step
        return self._buffer[start : start + count]

    def _fresh(self, count: int, after: Array) -> Array:
        """The bytes `after`, and `count` new ones: in one array, since it may be as large as a whole matrix."""
        first = after.size
        out = np.empty(first + count + 15, dtype=np.uint8)  # OpenSSL may ask for a block's slack
        out[:first] = after
        view = out.data
        for start in range(first, first + count, _PIECE):
            size = min(_PIECE, first + count - start)
            self._encryptor.update_into(_ZEROS[:size] if size < _PIECE else _ZEROS, view[start : start + size + 15])
        return out[: first + count]

    def uniform(self, shape: tuple[int, ...], ring: Ring) -> Array:
        """Elements of `ring`, uniform."""
        return ring.at(self.take(prod(shape) * ring.word_bytes), 0, shape)


def public_keys(seed: int, label: str, count: int) -> Array:
    """`count` public pseudo-random 64-bit words: the same for every party and every version of numpy."""
    return Stream(derive(seed.to_bytes(16, "little", signed=True), "public/" + label)).take(8 * count).view("<u8")


def public_permutation(seed: int, label: str, count: int) -> Array:
    """A public random order of range(count) (int64)."""
    return np.argsort(public_keys(seed, label, count), kind="stable")
