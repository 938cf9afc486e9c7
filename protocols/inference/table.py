"""From estimates and their variances to the table that a statistician reads, and the tests of the whole model."""

from __future__ import annotations

import math
from collections.abc import Sequence

from protocols.evaluation.p_values import of_chi_square
from protocols.rows.results import INTERCEPT, QUANTILE, Estimate, FitLosses, Inference, Statistic


def estimate(feature: str, coefficient: float, variance: float) -> Estimate:
    """A row of the table; Wald's z and its two-sided p under the normal distribution."""
    se = math.sqrt(variance)
    z = coefficient / se
    p = math.erfc(abs(z) / math.sqrt(2))
    low, high = coefficient - QUANTILE * se, coefficient + QUANTILE * se
    odds, *ends = (math.exp(one) if one < 700 else math.inf for one in (coefficient, low, high))
    return Estimate(feature, coefficient, se, z, p, odds, low, high, *ends)


def inference(
    features: Sequence[str],
    coefficients: Sequence[float],
    variances: Sequence[float],
    rows: int,
    sums: FitLosses | None,
    weight: float | None = None,
) -> Inference:
    """The table and the tests of a fit.

    Args:
        features: without the intercept, whose coefficient and variance are last.
        sums: its log-likelihoods; None if nobody knows.
        weight: see `Inference`.
    """
    names = (*features, INTERCEPT)
    table = tuple(estimate(*one) for one in zip(names, coefficients, variances, strict=True))
    df = len(features)
    if sums is None:
        return Inference(table, rows, weight, None, None, None, None, None, df, None)
    if sums.null_loss is None:
        return Inference(table, rows, weight, sums.events, -sums.loss, None, None, None, df, None)
    ratio = 2 * (sums.null_loss - sums.loss)
    r2 = 1 - sums.loss / sums.null_loss
    return Inference(
        table,
        rows,
        weight,
        sums.events,
        -sums.loss,
        -sums.null_loss,
        r2,
        ratio,
        df,
        of_chi_square(Statistic(ratio, df)),
    )
