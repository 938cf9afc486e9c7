"""The fit of a generalised linear model in the columns' own units, and its table of coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array
from protocols.evaluation.p_values import of_t, t_quantile
from protocols.federated.newton.steps import (
    Newton,
    covariance,
    deviance,
    dispersion,
    distance_left,
    not_found,
    rounding,
)
from protocols.federated.newton.sums import Family
from protocols.federated.newton.units import Units
from protocols.rows.results import INTERCEPT, QUANTILE, Statistic


@dataclass(frozen=True)
class GlmFit:
    """The fit in the columns' own units, the intercept last.

    Args:
        coefficients: (d,); covariance: (d, d).
        dispersion: phi, in the target's own units.
        null_deviance: of the intercept alone, where it is known: linear and logistic, of clients that all took part
            to the end.
        error: the most that rounding moved a coefficient, in standard errors; se_error: a standard error, as a part.
        left: how far coefficients may still be from the fit, in standard errors; se_left: likewise. Estimates, of
            SMALL_ERROR and LARGEST_MOVE at most if the last clients took part in the step before, too.
    """

    family: Family
    coefficients: Array
    covariance: Array
    dispersion: float
    deviance: float
    null_deviance: float | None
    rows: int
    steps: int
    error: float
    se_error: float
    left: float
    se_left: float

    @property
    def df(self) -> int:
        """The residual degrees of freedom, N - d."""
        return self.rows - len(self.coefficients)


def glm_fit(fit: Newton, units: Units, target: Units | None = None) -> GlmFit:
    """The fit that was reached, in own units.

    Args:
        target: the units of a linear model's y; None: its own.

    Raises:
        DataError: it was not reached.
    """
    sums = fit.sums
    if not fit.reached or sums is None:
        raise not_found(fit.family)
    unit, centre = (1.0, 0.0) if target is None else (float(target.unit[0]), float(target.centre[0]))
    change = units.change()
    coefficients = change @ fit.at * unit
    coefficients[-1] += centre
    distance, moved = min(distance_left(fit, bound=True), distance_left(fit, bound=False))
    square = unit**2 if fit.family == "linear" else 1.0
    return GlmFit(
        fit.family,
        coefficients,
        change @ covariance(fit) @ change.T * unit**2,
        dispersion(fit) * square,
        deviance(fit) * square,
        None if fit.null_deviance is None else fit.null_deviance * square,
        round(sums.rows),
        fit.steps,
        *rounding(fit),
        distance,
        math.expm1(2 * moved) / 2,
    )


@dataclass(frozen=True)
class Coefficient:
    """A row of the table: the statistic is t with N - d degrees of freedom for linear, else z; a 95 % interval."""

    feature: str
    coefficient: float
    se: float
    statistic: float
    p: float
    low: float
    high: float


def coefficients_table(fit: GlmFit, features: Sequence[str]) -> tuple[Coefficient, ...]:
    """The table, the intercept last."""
    linear = fit.family == "linear"
    quantile = t_quantile(fit.df, 0.975) if linear else QUANTILE
    found = []
    for name, b, variance in zip((*features, INTERCEPT), fit.coefficients, np.diag(fit.covariance), strict=True):
        se = math.sqrt(variance)
        ratio = float(b) / se
        p = of_t(Statistic(ratio, fit.df)) if linear else math.erfc(abs(ratio) / math.sqrt(2))
        assert p is not None
        found.append(Coefficient(name, float(b), se, ratio, p, float(b) - quantile * se, float(b) + quantile * se))
    return tuple(found)
