"""From estimates and their variances to the table that a statistician reads, and the tests of the whole model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from protocols.classical_tests import Statistic
from protocols.p_values import of_chi_square

QUANTILE = 1.959963984540054  # of the normal distribution at 0.975
INTERCEPT = "(intercept)"


@dataclass(frozen=True)
class Estimate:
    """A row of the table, with the 95 % interval of the coefficient (`low`, `high`) and that of the odds ratio."""

    feature: str
    coefficient: float
    se: float
    z: float
    p: float
    odds_ratio: float
    low: float
    high: float
    odds_low: float
    odds_high: float


@dataclass(frozen=True)
class Inference:
    """What a fit says: its estimates, the intercept's last, and how much better than none it explains the classes.

    Args:
        weight: how often all rows count together, where a column says how often each does; else None.
        events: how many of the rows are of class 1, each as often as it counts; None where nobody knows.
        log_likelihood: of the training rows under the model; of the intercept alone (with the offset, if there is
            one): `null_log_likelihood`. None, as all that follows from it, if it was not asked for.
        mcfadden_r2: 1 - log_likelihood / null_log_likelihood (McFadden 1974); None if all rows are of one class.
        likelihood_ratio: twice the difference, chi-square with `df` degrees of freedom if no feature counts; `p`.
    """

    table: tuple[Estimate, ...]
    rows: int
    weight: float | None
    events: float | None
    log_likelihood: float | None
    null_log_likelihood: float | None
    mcfadden_r2: float | None
    likelihood_ratio: float | None
    df: int
    p: float | None

    def rows_as_dicts(self) -> list[dict[str, Any]]:
        """The table as `result.json` holds it."""
        return [asdict(one) for one in self.table]

    def fit_as_dict(self) -> dict[str, Any]:
        """The rest, as `result.json` holds it."""
        return {name: value for name, value in vars(self).items() if name != "table"}


def estimate(feature: str, coefficient: float, variance: float) -> Estimate:
    """A row of the table; Wald's z and its two-sided p under the normal distribution."""
    se = math.sqrt(variance)
    z = coefficient / se
    p = math.erfc(abs(z) / math.sqrt(2))
    low, high = coefficient - QUANTILE * se, coefficient + QUANTILE * se
    odds, *ends = (math.exp(one) if one < 700 else math.inf for one in (coefficient, low, high))
    return Estimate(feature, coefficient, se, z, p, odds, low, high, *ends)


@dataclass(frozen=True)
class Sums:
    """Minus the log-likelihoods of a fit and of the intercept alone, each row as often as it counts.

    `events` of the rows are of class 1; None where nobody knows.
    """

    loss: float
    null_loss: float | None
    events: float | None = None


def null_loss(positives: float, total: float) -> float | None:
    """Minus the log-likelihood of the intercept alone without an offset; None if all rows are of one class.

    Args:
        positives: how many rows are of class 1, each as often as it counts, out of `total`.
    """
    if not 0 < positives < total:
        return None
    share = positives / total
    return -positives * math.log(share) - (total - positives) * math.log1p(-share)


def inference(
    features: Sequence[str],
    coefficients: Sequence[float],
    variances: Sequence[float],
    rows: int,
    sums: Sums | None,
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
