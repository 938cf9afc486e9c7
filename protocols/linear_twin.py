"""The plaintext twin of a linear regression: ordinary least squares in numpy's float64, on all rows in one place."""

from __future__ import annotations

import numpy as np

from mpc.ghost import Array
from protocols.linear_settings import LinearFit


def fit_plain(x: Array, y: Array, names: tuple[str, ...]) -> LinearFit:
    """The least-squares fit with an intercept to rows x (m, d), in their own units, and y (m,)."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    centred = (x - mean) / deviation
    q, r = np.linalg.qr(centred)
    w = np.linalg.lstsq(r, q.T @ (y - y.mean()), rcond=None)[0]
    b = w / deviation
    residuals = y - y.mean() - centred @ w
    left, (rows, d) = float(residuals @ residuals), x.shape
    root = np.linalg.pinv(r)
    shift = root.T @ (mean / deviation)
    unscaled = np.append((root**2).sum(axis=1) / deviation**2, 1 / rows + shift @ shift)
    s2 = left / (rows - d - 1) if rows > d + 1 else np.nan
    return LinearFit(
        names,
        (*map(float, b), float(y.mean() - b @ mean)),
        tuple(map(float, s2 * unscaled)),
        rows,
        left,
        float(((y - y.mean()) ** 2).sum()),
    )
