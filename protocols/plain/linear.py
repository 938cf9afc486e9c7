"""The plaintext reference of a linear regression: least squares in numpy's float64, on all rows in one place."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from protocols.linear.settings import LinearFit
from protocols.rows.offset_weights import NO_OFFSET_WEIGHTS, OffsetWeights


def fit_plain(
    x: Array, y: Array, names: tuple[str, ...], offset_weights: OffsetWeights = NO_OFFSET_WEIGHTS
) -> LinearFit:
    """The least-squares fit with an intercept to rows x (m, d), in their own units, and y (m,).

    Args:
        offset_weights: the rows' offsets, which are subtracted from y, and their weights.
    """
    c = np.ones(len(y)) if offset_weights.counts is None else offset_weights.counts
    y, root, weight = offset_weights.subtract_offset(y), np.sqrt(c)[:, np.newaxis], c.sum()
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
        weight=None if offset_weights.counts is None else float(weight),
    )
