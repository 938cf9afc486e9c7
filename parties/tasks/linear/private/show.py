"""A linear regression with [privacy] in the summary and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    count_text,
    entries,
    is_number,
    table,
    to_digits,
    to_fixed,
)
from parties.tasks.privacy.guarantee import outside_line, spent_text

CLIPPED: Final = (
    "Values beyond [privacy.clip] count as the nearer end. What that changes is in the coefficients, and no interval "
    "covers it; how many values it was is not told."
)
EXACT_BESIDE: Final = (
    "This comparison is with exact results, as only a run on one machine has them: it is not covered by epsilon, so do "
    "not pass it on."
)
_TOO_NOISY: Final = (
    "The noise is too large for intervals: the sums of products are not clear of it. Coefficients were kept small by a "
    "ridge, and may be far off. A larger epsilon, fewer features or narrower ranges make them more exact."
)


def private_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The guarantee, the coefficients with what noise adds to their errors, how well they fit, and what is outside."""
    privacy, fit = table(record.get("privacy")), table(record.get("fit"))
    rows = [table(row) for row in entries(record.get("inference"))]
    blocks: list[Block] = [Line(""), Line(spent_text(privacy, "patients")), _grid(rows)]
    if not any(is_number(row.get("se")) for row in rows):
        blocks.append(Line(_TOO_NOISY, "bold"))
    return [*blocks, Line(_fit_text(fit)), Line(CLIPPED), outside_line(privacy)]


def _grid(rows: list[Mapping[str, Any]]) -> Grid:
    columns = ("feature", "coefficient", "s.e.", "of noise alone", "95 % from", "to")
    keys = ("coefficient", "se", "noise_se", "low", "high")
    found = tuple((str(row.get("feature", MISSING)), *(to_digits(row.get(key)) for key in keys)) for row in rows)
    return Grid("Coefficients per unit of the feature, with noise", columns, found)


def _fit_text(fit: Mapping[str, Any]) -> str:
    less = f" of the target less {fit['offset']}" if isinstance(fit.get("offset"), str) else ""
    counted = fit["counted"] if is_number(fit.get("counted")) else None
    rows = "the rows" if counted is None else f"about {count_text(max(0, round(counted)))} rows"
    text = f"Least squares{less} on {rows}, scaled rows counting less, from noisy sums."
    low, high = (*entries(fit.get("r2_interval")), None, None)[:2]
    if is_number(fit.get("r2")):
        text += f" R2 {to_fixed(fit.get('r2'))} (95 % for the noise: {to_fixed(low)} to {to_fixed(high)})."
    else:
        text += " R2 is too noisy to tell."
    if is_number(fit.get("residual_se")):
        text += f" Residual standard error {to_digits(fit.get('residual_se'))}, rather too large."
    return text
