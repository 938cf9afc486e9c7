"""The plaintext twin of a linear regression: least squares in numpy's float64, on all rows in one place."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from protocols.linear.settings import LinearFit
from protocols.rows.offset_weights import NOTHING_BESIDE, Beside


def fit_plain(x: Array, y: Array, names: tuple[str, ...], beside: Beside = NOTHING_BESIDE) -> LinearFit:
    """The least-squares fit with an intercept to rows x (m, d), in their own units, and y (m,).

    Args:
        beside: what is taken off y, and how much each row counts.
    """
    c = np.ones(len(y)) if beside.counts is None else beside.counts
    y, root, weight = beside.taken_off(y), np.sqrt(c)[:, np.newaxis], c.sum()
    mean, middle = np.average(x, axis=0, weights=c), np.average(y, weights=c)
    deviation = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=c))
    deviation = np.where(deviation > 0, deviation, 1.0)
    centred = (x - mean) / deviation
    q, r = np.linalg.qr(root * centred)
    w = np.linalg.lstsq(r, q.T @ (root[:, 0] * (y - middle)), rcond=None)[0]
    b = w / deviation
    residuals = root[:, 0] * (y - middle - centred @ w)
    left, (rows, d) = float(residuals @ residuals), x.shape
    inverse = np.linalg.pinv(r)
    shift = inverse.T @ (mean / deviation)
    unscaled = np.append((inverse**2).sum(axis=1) / deviation**2, 1 / weight + shift @ shift)
    s2 = left / (rows - d - 1) if rows > d + 1 else np.nan
    return LinearFit(
        names,
        (*map(float, b), float(middle - b @ mean)),
        tuple(map(float, s2 * unscaled)),
        rows,
        left,
        float((c * (y - middle) ** 2).sum()),
        weight=None if beside.counts is None else float(weight),
    )
