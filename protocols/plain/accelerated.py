"""The plaintext reference of a full-batch training with momentum: numpy float64 and the exact sigmoid."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mpc.ring.array import Array
from protocols.linalg.hessian import Series
from protocols.training.accelerated import momentum_words
from protocols.training.accelerated_budget import MOMENTUM_BITS
from protocols.training.stop_test import Lately, is_due


@dataclass(frozen=True)
class Path:
    """The course of a training: the last v, the largest |z| and |v| of any step, and the number of steps.

    `moved` is the largest move of a weight in the last quarter of the steps: see stop_test.py.
    """

    weights: Array = field(repr=False)
    largest_score: float
    largest_weight: float
    steps: int
    moved: float


def accelerated_reference(
    x: Array,
    y: Array,
    iterations: int,
    rate: float,
    momentum: float,
    l2: float,
    series: Series | None,
    c: Array | float = 1.0,
    tolerance: float | None = None,
) -> Path:
    """As `accelerated.accelerate`, on rows x (m, d), the last all ones, and labels y (m,); a row counts c times."""
    m, d = x.shape
    ridge = np.append(np.full(d - 1, l2), 0.0)
    p = np.eye(d) if series is None else inverse_series_reference(x.T @ (np.broadcast_to(c, (m,))[:, None] * x), series)
    carried, ahead = (word / 2.0**MOMENTUM_BITS for word in momentum_words(momentum))
    v, u, before = np.zeros(d), np.zeros(d), np.zeros(d)
    steps, lately = 0, Lately(v)
    score = weight = 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # settings that diverge give infinities, not a warning
        while steps < iterations:
            z = x @ v
            score = max(score, float(np.abs(z).max(initial=0.0)))
            weight = max(weight, float(np.abs(v).max()))
            sigma = 0.5 * (1.0 + np.tanh(0.5 * z))
            gamma = (1 + momentum) * rate * (p @ (x.T @ (c * (sigma - y)) / max(m, 1) + ridge * v))
            v, u = v - gamma + ahead * u, carried * u - gamma
            steps += 1
            lately.add(v)
            if tolerance is not None and is_due(steps, iterations):
                if np.abs(v - before).max() <= tolerance:
                    break
                before = v
        moved = float(np.abs(v - lately.before()).max())
    return Path(v, score, weight, steps, moved)


def inverse_series_reference(gram: Array, series: Series) -> Array:
    """The preconditioner from X^T X (d, d), as `hessian.inverse_series` makes it."""
    d = len(gram)
    penalty = np.append(np.full(d - 1, series.penalty), 0.0)
    r = np.eye(d) - series.gram_weight * gram - np.diag(penalty)
    total = np.eye(d) + r
    for _ in range(1, series.doublings):
        r = r @ r
        total = total + total @ r
    return total
