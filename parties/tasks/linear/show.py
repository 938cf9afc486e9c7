"""A linear regression in the summary and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.base.record_files import RESULT
from parties.show.blocks import MISSING, Block, Grid, Line, count_text, entries, is_number, table, to_digits, to_fixed
from parties.tasks.base import Show
from parties.tasks.coefficients import MEAN_NOTE, coefficients_grid, p_text
from parties.tasks.data_summary import data_blocks
from parties.tasks.linear.private.show import EXACT_BESIDE, private_blocks
from parties.tasks.privacy.figures import own_figures, reference_figures

EXACT_TEXT = (
    "The features determine the target, to ten digits of its spread: standard errors are of rounding, and tests and "
    "intervals are left out. Look whether the target is worked out from the features."
)


def linear_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The coefficients, how well they fit, and how it compares, as lines and tables."""
    fit = table(record.get("fit"))
    if not fit:
        return []
    if table(record.get("privacy")):
        return [*private_blocks(record), *_comparison_blocks(record)]
    rows = [table(row) for row in entries(record.get("inference"))]
    blocks: list[Block] = [coefficients_grid(rows, "t")]
    if rows and table(record.get("about")).get("missing") == "mean":
        blocks.append(Line(MEAN_NOTE))
    blocks += [Line(text) for text in _fit_texts(fit)]
    held_out = table(table(record.get("metrics")).get("test"))
    if held_out:
        root, absolute = to_digits(held_out.get("rmse")), to_digits(held_out.get("mae"))
        text = f"On {count_text(held_out.get('rows'))} held-out rows: R2 {to_fixed(held_out.get('r2'))}, "
        blocks.append(Line(f"{text}root mean square error {root}, mean absolute error {absolute}."))
    return [*blocks, *_comparison_blocks(record), *data_blocks(record)]


def _fit_texts(fit: Mapping[str, Any]) -> list[str]:
    less = f" of the target less {fit['offset']}" if isinstance(fit.get("offset"), str) else ""
    kind, weighted = "Ordinary", ""
    if is_number(fit.get("weight")):
        kind, weighted = "Weighted", f", weighted by {fit.get('weights')} ({fit['weight']:,.10g} in all)"
    texts = [
        f"{kind} least squares{less} on {count_text(fit.get('rows'))} rows{weighted}: R2 {to_fixed(fit.get('r2'))}, "
        f"adjusted {to_fixed(fit.get('adjusted_r2'))}; residual standard error {to_digits(fit.get('residual_se'))} "
        f"with {count_text(fit.get('residual_df'))} degrees of freedom."
    ]
    if is_number(fit.get("f")):
        texts.append(
            f"F test of all features: F {to_fixed(fit['f'], 2)} with {count_text(fit.get('df'))} and "
            f"{count_text(fit.get('residual_df'))} degrees of freedom, p {p_text(fit.get('p'))}."
        )
    if fit.get("exact"):
        texts.append(EXACT_TEXT)
    return texts


def _comparison_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Each owner's own standard errors beside the joint ones; and the run's difference from a fit in the clear."""
    compared = table(record.get("comparison"))
    pooled, alone = table(compared.get("pooled")), table(compared.get("alone"))
    if not pooled:
        return []
    joint = [table(row) for row in entries(record.get("inference"))]
    fits = {
        f"{owner} alone": {table(row).get("feature"): table(row) for row in entries(table(one).get("inference"))}
        for owner, one in alone.items()
    }
    rows = tuple(
        (
            str(row.get("feature", MISSING)),
            _with_error(row),
            *(_with_error(own.get(row.get("feature"), {})) for own in fits.values()),
        )
        for row in joint
    )
    grid = Grid("Coefficient (standard error), together and alone", ("feature", "together", *fits), rows)
    largest = to_digits(pooled.get("max_difference_in_se"), 2)
    text = f"Largest difference from the fit to all rows in the clear: {largest} standard errors."
    if table(record.get("privacy")):
        return [_exact_grid(joint, pooled), Line(f"{text} {EXACT_BESIDE}")]
    return [grid, Line(text)]


def _exact_grid(joint: list[Mapping[str, Any]], pooled: Mapping[str, Any]) -> Grid:
    exact = {table(row).get("feature"): table(row) for row in entries(pooled.get("inference"))}
    rows = tuple(
        (str(row.get("feature", MISSING)), _with_error(row), _with_error(exact.get(row.get("feature"), {})))
        for row in joint
    )
    return Grid(
        "Coefficient (standard error), with noise and of all rows in the clear",
        ("feature", "with noise", "exact"),
        rows,
    )


def _with_error(row: Mapping[str, Any]) -> str:
    if not row:
        return MISSING
    return f"{to_digits(row.get('coefficient'))} ({to_digits(row.get('se'), 3)})"


_NOTE: Final = (
    "A coefficient is what one unit more of the feature adds to the target, all others being the same. t, if it is "
    "there, is the coefficient divided by its standard error, p the two-sided chance of a t as far from 0 if the "
    "coefficient were 0 and the residuals normal and of one variance. Features that go together share their effect, so "
    f"a single coefficient is no evidence of a cause. {RESULT} holds every number in full precision."
)


def linear_figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """How well the model fits the rows that it was fitted to, and those that were held out."""
    fit, held_out = table(record.get("fit")), table(table(record.get("metrics")).get("test"))
    if table(record.get("privacy")):
        named = {"R2": "r2", "RMSE": "rmse"}
        own = own_figures(record, "train")
        return {**{name: own.get(key) for name, key in named.items()}, **reference_figures(record, "train", named)}
    return {
        "R2": fit.get("r2"),
        "residual standard error": fit.get("residual_se"),
        "R2 (test)": held_out.get("r2"),
        "RMSE (test)": held_out.get("rmse"),
        "MAE (test)": held_out.get("mae"),
    }


SHOW: Final = Show("The linear regression", linear_blocks, note=_NOTE, figures=linear_figures)
