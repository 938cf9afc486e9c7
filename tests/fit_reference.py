"""The maximum-likelihood fit of rows in their own units, in plaintext."""

from __future__ import annotations

import numpy as np

from mpc.ring.array import Array
from protocols.plain.maximum_likelihood import ReferenceFit, newton


def fit_ml(
    x: Array, y: Array, *, offset: Array | None = None, counts: Array | None = None, most_steps: int = 50
) -> ReferenceFit:
    """The maximum-likelihood fit of logistic regression to rows x (m, d), in their own units, and labels y (m,)."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    ready = np.c_[(x - mean) / deviation, np.ones(len(x))]
    found = newton(ready, y, offset=offset, counts=counts, most_steps=most_steps)
    units = np.diag(np.append(1 / deviation, 1.0))
    units[-1, :-1] = -mean / deviation
    return ReferenceFit(
        units @ found.coefficients,
        units @ found.covariance @ units.T,
        found.log_likelihood,
        found.steps,
        found.converged,
    )


def null_log_likelihood(y: Array, *, offset: Array | None = None, counts: Array | None = None) -> float:
    """The log-likelihood of the fit of the intercept alone, with the offset."""
    return newton(np.ones((len(y), 1)), y, offset=offset, counts=counts).log_likelihood
