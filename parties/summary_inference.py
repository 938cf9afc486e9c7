"""What the summary and the report say of coefficients and their standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from parties.blocks import MISSING, Block, Grid, Line, count_text, entries, fixed, is_number, significant, table


def inference_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The table of coefficients and the tests of the whole model; nothing where none was asked for."""
    grid = inference_grid(record)
    if grid is None:
        return []
    return [grid, *(Line(text) for text in fit_texts(record))]


def inference_grid(record: Mapping[str, Any], *, wide: bool = False) -> Grid | None:
    """Each coefficient with its standard error, test and interval, the intercept last.

    Args:
        wide: with the odds ratio's interval, too.
    """
    rows = [table(one) for one in entries(record.get("inference"))]
    if not rows:
        return None
    columns = ("feature", "coefficient", "s.e.", "z", "p", "95 % from", "to", "odds ratio")
    told = tuple(
        (
            str(row.get("feature", MISSING)),
            significant(row.get("coefficient")),
            significant(row.get("se")),
            fixed(row.get("z"), 2),
            p_text(row.get("p")),
            significant(row.get("low"), 3),
            significant(row.get("high"), 3),
            _odds(row, wide=wide),
        )
        for row in rows
    )
    return Grid("Coefficients per unit of the feature", columns, told)


def fit_texts(record: Mapping[str, Any]) -> list[str]:
    """The tests of the whole model, in sentences."""
    fit = table(record.get("fit"))
    if not is_number(fit.get("log_likelihood")):
        return [
            f"Maximum likelihood on {count_text(fit.get('rows'))} training rows; its value comes with the metrics, "
            "which were not asked for."
        ]
    texts = [
        f"Maximum likelihood on {count_text(fit.get('rows'))} training rows: log-likelihood "
        f"{fixed(fit.get('log_likelihood'), 2)}, of the intercept alone {fixed(fit.get('null_log_likelihood'), 2)}; "
        f"McFadden's R2 {fixed(fit.get('mcfadden_r2'), 3)}."
    ]
    if is_number(fit.get("likelihood_ratio")):
        texts.append(
            f"Likelihood-ratio test of all features: chi-square {fixed(fit['likelihood_ratio'], 2)} with "
            f"{count_text(fit.get('df'))} degrees of freedom, p {p_text(fit.get('p'))}."
        )
    return texts


def p_text(p: Any) -> str:
    """A p-value for reading."""
    if not is_number(p):
        return MISSING
    return "< 0.0001" if p < 1e-4 else fixed(p, 4)


def _odds(row: Mapping[str, Any], *, wide: bool) -> str:
    ends: list[Any] = [row.get(key) for key in ("coefficient", "low", "high")]
    if not all(is_number(end) and abs(end) < 700 for end in ends):
        return MISSING
    odds, low, high = (significant(math.exp(end), 3) for end in ends)
    return f"{odds} ({low} to {high})" if wide else odds
