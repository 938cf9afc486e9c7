"""The inverse of the matrix of a ridge regression on all owners' rows."""

from math import ceil, log2

import numpy as np

from beaverlodge.protocol import Party, Public, Share, concatenate, matmul
from protocols.core.wide import lift
from protocols.linalg.inverse import MATRIX_RING, MATRIX_SCALE, inverse

LARGEST = 8
"""No entry of a row may be larger in size."""
DIGITS = 40
"""Bits to which a direction is inverted, at least."""


def bound(rows: int, columns: int) -> int:
    """The t for which no eigenvalue of X^T X + 1 exceeds 2^t: its trace does not."""
    return ceil(log2(columns * (1 + rows * LARGEST**2)))


async def ridge_inverse(p: Party, x: tuple[Share, ...]) -> Public:
    """(X^T X + 1)^-1 (d, d) for the rows X of all owners, each (r, d), |X_ij| <= LARGEST.

    G = X^T X + 1 has its eigenvalues in [1, 2^t], so H = G / 2^t has them in (0, 1], and the product form of
    Newton-Schulz inverts it (protocols/linalg/inverse.py; Schulz 1933, Ben-Israel and Cohen 1966): after K steps a
    direction of eigenvalue e lacks exp(-2^K e), which is below 2^-DIGITS for 2^K = DIGITS 2^t.

    2 K + 3 rounds, K = t + 6; reveals the inverse, which tells X^T X, and nothing else of X.
    """
    rows = concatenate(x)
    m, d = rows.shape
    t = bound(m, d)
    gram = await lift(p, await matmul(p, rows.T, rows, label="gram"), MATRIX_RING)
    h = Share(gram.shifted(MATRIX_SCALE - t - gram.scale).value, MATRIX_SCALE, MATRIX_RING)
    one = np.array([[(1 << (MATRIX_SCALE - t)) * (i == j) for j in range(d)] for i in range(d)], dtype=object)
    inverted, _ = await inverse(p, p.plus(h, Public(one, MATRIX_SCALE, MATRIX_RING)), t + ceil(log2(DIGITS)))
    result = Share(inverted.value, MATRIX_SCALE + t, MATRIX_RING)
    (opened,) = await p.reveal(result, what="inverse", why="the agreed result", label="result")
    return opened


def ridge_inverse_reference(x: tuple[np.ndarray, ...]) -> np.ndarray:
    """The same in the clear."""
    rows = np.concatenate(x)
    return np.linalg.inv(rows.T @ rows + np.eye(rows.shape[1]))
