"""From the fit of a linear regression to the `inference` and `fit` of `result.json`."""

from __future__ import annotations

import math
from typing import Any

from protocols.evaluation import p_values
from protocols.linear.settings import LinearFit
from protocols.linear.table import (
    INTERCEPT,
    adjusted_r2,
    f_value,
    is_exact,
    r2,
    residual_df,
    residual_se,
    t_values,
)
from protocols.rows.results import Statistic


def inference_rows(fit: LinearFit) -> list[dict[str, Any]]:
    """The table of coefficients, the intercept last; no p and no interval where the fit is exact."""
    df = residual_df(fit)
    reach = None if is_exact(fit) else p_values.t_quantile(df, 0.975)
    rows = []
    for name, b, variance, t in zip(
        (*fit.features, INTERCEPT), fit.coefficients, fit.variances, t_values(fit), strict=True
    ):
        se = math.sqrt(variance)
        rows.append(
            {
                "feature": name,
                "coefficient": b,
                "se": se,
                "t": t,
                "p": None if t is None else p_values.of_t(Statistic(t, df)),
                "low": None if reach is None else b - reach * se,
                "high": None if reach is None else b + reach * se,
            }
        )
    return rows


def fit_facts(fit: LinearFit) -> dict[str, Any]:
    """How well the features explain the target, and the test of all of them together."""
    f, d = f_value(fit), len(fit.features)
    return {
        "rows": fit.rows,
        "weight": fit.weight,
        "r2": r2(fit),
        "adjusted_r2": adjusted_r2(fit),
        "residual_se": residual_se(fit),
        "residual_df": residual_df(fit),
        "f": f,
        "df": d,
        "p": p_values.of_f(f, d, residual_df(fit)),
        "exact": is_exact(fit),
    }
