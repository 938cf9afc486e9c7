"""The plaintext reference of output and objective perturbation: the minimum itself, by Newton's method in float64."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from protocols.functions.sigmoid_fits import SigmoidFit


def rising_sigmoid(z: Array, fit: SigmoidFit) -> tuple[Array, Array]:
    """The approximation s(z) and its derivative, in the clear."""
    steps = (2 * np.arange(len(fit.coefficients)) + 1) * (2 * np.pi / fit.period)
    c, angles = np.array(fit.coefficients), np.multiply.outer(z, steps)
    return 0.5 + np.sin(angles) @ c, np.cos(angles) @ (c * steps)


def minimum(x: Array, y: Array, strength: float, fit: SigmoidFit, linear: Array | float = 0.0) -> Array:
    """The w (d,) that minimises the objective of bounds.py, on rows x (m, d) and labels y (m,).

    Args:
        linear: c (d,), if the objective has such a term.

    Newton's method, with steps of half the length while they do not shorten the gradient.
    """
    w = np.zeros(x.shape[1])
    s, slope = rising_sigmoid(x @ w, fit)
    gradient = x.T @ (s - y) + strength * w + linear
    for _ in range(200):
        step = np.linalg.solve((x.T * slope) @ x + strength * np.eye(len(w)), gradient)
        after, found = w, np.inf
        while found >= np.linalg.norm(gradient) and np.linalg.norm(step) > 1e-14:
            after = w - step
            s, slope = rising_sigmoid(x @ after, fit)
            found = float(np.linalg.norm(x.T @ (s - y) + strength * after + linear))
            step = step / 2
        if not found < np.linalg.norm(gradient):
            break
        w, gradient = after, x.T @ (s - y) + strength * after + linear
    return w
