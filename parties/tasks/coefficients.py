"""What the summary and the report say of coefficients and their standard errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from parties.show.blocks import MISSING, Block, Grid, Line, count_text, entries, is_number, table, to_digits, to_fixed

MEAN_NOTE: Final = (
    'Missing values were replaced by the mean of their owner\'s rows (missing = "mean"), and count here as if they had '
    "been measured: standard errors are too small, p-values too, and coefficients are biased towards 0."
)
_INTERVAL: Final = ("95 % from", "to")
_SETS: Final[Mapping[str, str]] = {"test": "held-out rows", "train": "training rows"}


def inference_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The table of coefficients, the tests of the whole model, the calibration; nothing without inference."""
    grid = inference_grid(record)
    if grid is None:
        return []
    calibration = table(record.get("calibration"))
    groups = calibration_grid(record, "test" if calibration.get("test") else "train")
    more: list[Block] = [] if groups is None else [groups]
    more += [Line(text) for text in calibration_texts(record)]
    return [grid, *(Line(text) for text in fit_texts(record)), *more]


def inference_grid(record: Mapping[str, Any], *, wide: bool = False) -> Grid | None:
    """Each coefficient with its standard error and test, its odds ratio and that one's interval, the intercept last.

    Args:
        wide: with the coefficient's own interval, too.
    """
    rows = [table(one) for one in entries(record.get("inference"))]
    if not rows:
        return None
    grid = coefficients_grid(rows, "z", digits=3)
    kept = len(grid.columns) if wide else len(grid.columns) - len(_INTERVAL)
    table_rows = tuple((*cells[:kept], *_odds(row)) for cells, row in zip(grid.rows, rows, strict=True))
    return replace(grid, columns=(*grid.columns[:kept], "odds ratio", *_INTERVAL), rows=table_rows)


def coefficients_grid(rows: Sequence[Mapping[str, Any]], test: str, *, digits: int = 4) -> Grid:
    """Each coefficient with its standard error, test and interval, the intercept last.

    Args:
        rows: as a record has them.
        test: the test's statistic, "z" or "t".
        digits: of the interval's ends.
    """
    columns = ("feature", "coefficient", "s.e.", test, "p", *_INTERVAL)
    table_rows = tuple(
        (
            str(row.get("feature", MISSING)),
            to_digits(row.get("coefficient")),
            to_digits(row.get("se")),
            to_fixed(row.get(test), 2),
            p_text(row.get("p")),
            to_digits(row.get("low"), digits),
            to_digits(row.get("high"), digits),
        )
        for row in rows
    )
    return Grid("Coefficients per unit of the feature", columns, table_rows)


def fit_texts(record: Mapping[str, Any]) -> list[str]:
    """The tests of the whole model, in sentences."""
    fit = table(record.get("fit"))
    rows = f"{count_text(fit.get('rows'))} training rows"
    if is_number(fit.get("weight")):
        rows += f" of weight {fit['weight']:,.10g}"
    alone = "the intercept and the offset" if table(record.get("training")).get("offset") else "the intercept"
    if is_number(fit.get("events")):
        rows += f", {fit['events']:,.10g} with the outcome"
    filled = [MEAN_NOTE] if table(record.get("about")).get("missing") == "mean" else []
    if not is_number(fit.get("log_likelihood")):
        return [*filled, f"Maximum likelihood on {rows}; its value comes with the metrics, which were not asked for."]
    texts = [
        *filled,
        f"Maximum likelihood on {rows}: log-likelihood "
        f"{to_fixed(fit.get('log_likelihood'), 2)}, of {alone} alone {to_fixed(fit.get('null_log_likelihood'), 2)}; "
        f"McFadden's R2 {to_fixed(fit.get('mcfadden_r2'), 3)}.",
    ]
    if is_number(fit.get("likelihood_ratio")):
        texts.append(
            f"Likelihood-ratio test of all features: chi-square {to_fixed(fit['likelihood_ratio'], 2)} with "
            f"{count_text(fit.get('df'))} degrees of freedom, p {p_text(fit.get('p'))}."
        )
    return texts


def calibration_grid(record: Mapping[str, Any], which: str) -> Grid | None:
    """Observed and expected numbers by tenths of predicted risk, on held-out ("test") or training rows."""
    groups = [table(one) for one in entries(table(record.get("calibration")).get(which))]
    if not groups:
        return None
    columns = ("tenth of risk", "rows", "observed", "expected", "observed %", "expected %")
    table_rows = tuple(
        (
            _tenths(one.get("first"), one.get("last")),
            count_text(one.get("rows")),
            count_text(one.get("observed")),
            to_fixed(one.get("expected"), 2),
            _percent(one.get("observed"), one.get("rows")),
            _percent(one.get("expected"), one.get("rows")),
        )
        for one in groups
    )
    return Grid(
        f"Calibration on {_SETS.get(which, which)} of all owners, by tenths of predicted risk", columns, table_rows
    )


def calibration_texts(record: Mapping[str, Any]) -> list[str]:
    """What is suppressed in a calibration, and why."""
    calibration = table(record.get("calibration"))
    if not calibration:
        return []
    least, metrics = count_text(calibration.get("min_cell")), table(record.get("metrics"))
    texts = [
        f"Tenths are joined where fewer than {least} patients of a class, but not none, are in one besides an owner's "
        "own; nobody learnt how many."
    ]
    for which, words in _SETS.items():
        if which in metrics and not entries(calibration.get(which)):
            texts.append(f"Of {words} there are too few for that, or too few of a class: nothing was told.")
    return texts


def p_text(p: Any) -> str:
    """A p-value as text."""
    if not is_number(p):
        return MISSING
    return "< 0.0001" if p < 1e-4 else to_fixed(p, 4)


def _tenths(first: Any, last: Any) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _percent(part: Any, rows: Any) -> str:
    if not (is_number(part) and is_number(rows)):
        return MISSING
    return to_fixed(100 * part / rows, 1) if rows else MISSING


def _odds(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The odds ratio and its interval, from the coefficient's."""
    ends: list[Any] = [row.get(key) for key in ("coefficient", "low", "high")]
    odds, low, high = (to_digits(math.exp(end), 3) if is_number(end) and abs(end) < 700 else MISSING for end in ends)
    return odds, low, high
