"""The plaintext twin of the maximum-likelihood fit: Newton's method in numpy's float64, on all rows in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc.ghost import Array

_CLOSE = 1e-12


@dataclass(frozen=True)
class TwinFit:
    """Coefficients with the intercept last, their covariance, the log-likelihood, and how many steps it took.

    `converged`: whether a step was small in the end; False where the classes can be separated.
    """

    coefficients: Array = field(repr=False)
    covariance: Array = field(repr=False)
    log_likelihood: float
    steps: int
    converged: bool


def fit_ml(
    x: Array, y: Array, *, offset: Array | None = None, counts: Array | None = None, most_steps: int = 50
) -> TwinFit:
    """The maximum-likelihood fit of logistic regression to rows x (m, d), in their own units, and labels y (m,)."""
    m, d = x.shape
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    ready = np.c_[(x - mean) / deviation, np.ones(m)]
    o = np.zeros(m) if offset is None else offset
    c = np.ones(m) if counts is None else counts
    w, converged, steps = np.zeros(d + 1), False, 0
    information = np.eye(d + 1)
    while steps < most_steps and not converged:
        p = _sigmoid(ready @ w + o)
        information = ready.T @ (ready * (c * p * (1 - p))[:, np.newaxis])
        move = np.linalg.pinv(information, hermitian=True) @ (ready.T @ (c * (y - p)))
        w, steps = w + move, steps + 1
        converged = bool(np.abs(ready @ move).max() < _CLOSE * (1 + np.abs(ready @ w).max()))
    units = np.diag(np.append(1 / deviation, 1.0))
    units[-1, :-1] = -mean / deviation
    z = ready @ w + o
    return TwinFit(
        units @ w,
        units @ np.linalg.pinv(information, hermitian=True) @ units.T,
        float(np.sum(c * (y * z - np.logaddexp(0, z)))),
        steps,
        converged,
    )


def _sigmoid(z: Array) -> Array:
    value: Array = 0.5 * (1.0 + np.tanh(0.5 * z))
    return value
