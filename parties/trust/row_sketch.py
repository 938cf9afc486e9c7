"""An estimate of how many rows two runs' data differ by, from 256 numbers of each, which disclose no row.

    z_k = sum over rows of s_k(row),   s_k(row) = -1 or +1, a bit of a keyed digest of the row        k = 1 .. 256
    E (z_k - z'_k)^2 = the number of rows that one run has and the other has not

for distinct rows; n equal rows that only one run has count as n^2. The mean over k is off by 9 % in two thirds of all
cases (Alon, Matias, Szegedy, "The space complexity of approximating the frequency
moments", STOC 1996). The key is a file of the owner's: without it the numbers cannot be compared with guesses.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mpc.errors import UsageError
from parties.base.private_files import create_private, lock_folder, read_private

FILE: Final = "releases.key"
_BYTES: Final = 32
_ROWS_AT_ONCE: Final = 1 << 16


def sketch_key(folder: Path) -> bytes:
    """Load the key in FOLDER/releases.key, or make it if it is missing.

    Raises:
        UsageError: it cannot be read or written, others can open it, or it is no key.
    """
    path = folder / FILE
    with lock_folder(folder):
        try:
            key = read_private(path)
        except FileNotFoundError:
            key = secrets.token_bytes(_BYTES)
            create_private(path, key)
    if len(key) != _BYTES:
        raise UsageError(
            f"{path} is not a key of {_BYTES} bytes", "remove it: earlier runs then count by their rows only"
        )
    return key


def sketch_of(rows: NDArray[np.float64], key: bytes) -> str:
    """The numbers of a table's rows (m, columns), as text."""
    total = np.zeros(8 * _BYTES, dtype=np.int64)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = np.ascontiguousarray(rows[start : start + _ROWS_AT_ONCE], dtype="<f8")
        digests = b"".join(hashlib.blake2b(row.data, key=key, digest_size=_BYTES).digest() for row in part)
        bits = np.unpackbits(np.frombuffer(digests, dtype=np.uint8).reshape(len(part), _BYTES), axis=1)
        total += 2 * bits.sum(axis=0, dtype=np.int64) - len(part)
    return base64.b64encode(total.astype("<i4").tobytes()).decode("ascii")


def estimate_difference(one: str, other: str) -> int | None:
    """An estimate of the number of rows that only one of two tables has; None if either text is no sketch."""
    parts = [_numbers(text) for text in (one, other)]
    if parts[0] is None or parts[1] is None:
        return None
    return round(float(((parts[0] - parts[1]) ** 2).mean()))


def _numbers(text: str) -> NDArray[np.float64] | None:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return np.frombuffer(content, dtype="<i4").astype(np.float64) if len(content) == 4 * 8 * _BYTES else None
