"""The table of a linear regression's opened fit: t, R2, F. No protocol.

p-values and intervals are those of protocols/evaluation/p_values.py.
"""

from __future__ import annotations

import math

from protocols.linear.settings import LinearFit
from protocols.rows.results import INTERCEPT

EXACT = 1e-10  # of the target's spread: a smaller residual is rounding

__all__ = ["EXACT", "INTERCEPT", "adjusted_r2", "f_value", "is_exact", "r2", "residual_df", "residual_se", "t_values"]


def residual_df(fit: LinearFit) -> int:
    """N - d - 1."""
    return fit.rows - len(fit.coefficients)


def residual_se(fit: LinearFit) -> float:
    """s, the residual standard error: what is left over its degrees of freedom."""
    return math.sqrt(fit.residual / residual_df(fit))


def r2(fit: LinearFit) -> float:
    """The part of the target's spread that the features explain."""
    return 1 - fit.residual / fit.total


def adjusted_r2(fit: LinearFit) -> float:
    """The same of variances, each over its degrees of freedom."""
    return 1 - (fit.residual / residual_df(fit)) / (fit.total / (fit.rows - 1))


def is_exact(fit: LinearFit) -> bool:
    """Whether the features determine the target: then errors and tests come from rounding, and mean nothing."""
    return fit.residual <= EXACT * fit.total


def f_value(fit: LinearFit) -> float | None:
    """F of all features together, with d and N - d - 1 degrees of freedom; None of an exact fit."""
    if is_exact(fit):
        return None
    return max(0.0, fit.total - fit.residual) / len(fit.features) / (fit.residual / residual_df(fit))


def t_values(fit: LinearFit) -> list[float | None]:
    """Each coefficient over its standard error; None of an exact fit."""
    if is_exact(fit):
        return [None] * len(fit.coefficients)
    return [b / math.sqrt(v) for b, v in zip(fit.coefficients, fit.variances, strict=True)]
