"""The plaintext reference of the maximum-likelihood fit: Newton's method in float64, on all rows in one place."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc.ring.array import Array

_CLOSE = 1e-12


@dataclass(frozen=True)
class ReferenceFit:
    """Coefficients with the intercept last, their covariance, the log-likelihood, and how many steps it took.

    `converged`: whether a step was small in the end; False where the classes can be separated.
    """

    coefficients: Array = field(repr=False)
    covariance: Array = field(repr=False)
    log_likelihood: float
    steps: int
    converged: bool


def newton(
    ready: Array, y: Array, *, offset: Array | None = None, counts: Array | None = None, most_steps: int = 50
) -> ReferenceFit:
    """The fit to rows x (m, d), the last column all ones, and labels y (m,); without rows, a model that says 1/2."""
    m = len(ready)
    o = np.zeros(m) if offset is None else offset
    c = np.ones(m) if counts is None else counts
    # From scores of 0, where every p is 1/2: with offsets of any size a good start.
    covariance = np.linalg.pinv(ready.T @ (ready * (c / 4)[:, np.newaxis]), hermitian=True)
    w, converged, steps = covariance @ (ready.T @ (c * (y - 0.5 - o / 4))), False, 1
    while steps < most_steps and not converged:
        p = sigmoid(ready @ w + o)
        covariance = np.linalg.pinv(ready.T @ (ready * (c * p * (1 - p))[:, np.newaxis]), hermitian=True)
        move = covariance @ (ready.T @ (c * (y - p)))
        w, steps = w + move, steps + 1
        converged = bool(np.abs(ready @ move).max(initial=0.0) < _CLOSE * (1 + np.abs(ready @ w).max(initial=0.0)))
    z = ready @ w + o
    return ReferenceFit(w, covariance, float(np.sum(c * (y * z - np.logaddexp(0, z)))), steps, converged)


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), for any z without overflow."""
    value: Array = 0.5 * (1.0 + np.tanh(0.5 * z))
    return value
