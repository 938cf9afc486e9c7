"""A training in `report.html`: the summary, with all weights, a chart of them, and notes on how to read each part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.base.record_files import RESULT
from parties.show.blocks import MISSING, Grid, count_text, is_number, table, to_digits, to_fixed
from parties.show.html import bar_chart, blocks_section, escape, grid_table, paragraph, section
from parties.tasks.coefficients import calibration_grid, calibration_texts, fit_texts, inference_grid
from parties.tasks.data_summary import data_blocks
from parties.tasks.logistic.private.show import noisy_blocks, noisy_notes
from parties.tasks.logistic.show import (
    UNRANKED,
    RowSet,
    auc_text,
    difference_text,
    models,
    no_metrics_text,
    optimum_lines,
    quality_grid,
    ranked_weights,
    scale_of,
    shared_model_blocks,
    weights_grid,
)

CHART_BARS: Final = 40
"""The most weights in the chart; the table has all."""
_SETS: Final[tuple[RowSet, ...]] = ("train", "test")
_SET_NAMES: Final[Mapping[RowSet, str]] = {"train": "training rows", "test": "held-out rows"}
_CONFUSION: Final = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def training_sections(record: Mapping[str, Any]) -> list[str]:
    """All sections of a training that succeeded, in their order."""
    if record.get("status") != "ok":
        return []
    if table(record.get("privacy")):
        notes = blocks_section("What the guarantee does not cover", noisy_notes(record))
        return [blocks_section("How good the model is", noisy_blocks(record)), _weights(record), notes]
    return [_quality(record), _confusion(record), _inference(record), _weights(record), _data(record)]


def _quality(record: Mapping[str, Any]) -> str:
    sets: list[RowSet] = [which for which in _SETS if any(metrics for _, metrics in models(record, which))]
    if not sets:
        return section("How good the model is", paragraph(no_metrics_text(record)))
    compared = bool(table(record.get("comparison")))
    parts = [
        paragraph(
            "Each line is one model: each owner's own, from its own training rows only; the joint one of this run; "
            "and the one that the same training gives on all rows in the clear."
            + (
                " Held-out rows took no part in any training, and are the same rows for every line, so the lines can "
                "be compared with each other."
                if "test" in sets
                else " No rows were held out: the lines say how well each model fits rows that it was made of."
            )
            if compared
            else "The joint model of this run."
            + (" Held-out rows took no part in the training." if "test" in sets else " No rows were held out.")
        )
    ]
    for which in reversed(sets):
        parts += [grid_table(quality_grid(record, which)), paragraph(auc_text(record, which))]
    parts.append(paragraph(difference_text(record)))
    rows = next((m["rows"] for _, m in models(record, "test") if is_number(m.get("rows")) and m["rows"] > 0), None)
    worth = f" With {count_text(rows)} held-out rows, one patient more or less is {100 / rows:.1g} %." if rows else ""
    parts.append(
        paragraph(
            f"Accuracy counts a probability of 1/2 or more as a yes.{worth} AUC is the chance that a patient with the "
            "outcome gets a higher score than one without: 1 is perfect, 0.5 is a coin. Log-loss and Brier score judge "
            "the probabilities themselves; lower is better. On training rows every model looks better than it is"
            + (", and there an owner alone is judged by its own rows only." if compared else "."),
            "note",
        )
    )
    return section("How good the model is", *parts)


def _confusion(record: Mapping[str, Any]) -> str:
    metrics = table(record.get("metrics"))
    matrices = [_matrix(record, table(table(metrics.get(which)).get("confusion")), which) for which in reversed(_SETS)]
    if not any(matrices):
        return ""
    which: RowSet = "test" if matrices[0] else "train"
    rows = tuple((name, *_rates(table(m.get("confusion")))) for name, m in models(record, which) if m)
    columns = ("trained", "sensitivity", "specificity", "positive predictive value", "negative predictive value")
    return section(
        "Right and wrong answers",
        '<div class="side">' + "".join(matrices) + "</div>",
        grid_table(Grid(f"Rates on {_SET_NAMES[which]}", columns, rows)),
        paragraph(
            "The small tables are the joint model's. Sensitivity is the part of the patients with the outcome that the "
            "model finds, specificity the part of those without it that it leaves alone, both at probability 1/2. "
            "Predictive values depend on how common the outcome is among these patients.",
            "note",
        ),
    )


def _matrix(record: Mapping[str, Any], counts: Mapping[str, Any], which: RowSet) -> str:
    if not counts:
        return ""
    cell = {key: count_text(counts.get(key)) for key in _CONFUSION}
    outcome = str(table(table(record.get("about")).get("outcome")).get("column") or "outcome")
    rows = (
        (f"{outcome} 1", cell["true_positives"], cell["false_negatives"]),
        (f"{outcome} 0", cell["false_positives"], cell["true_negatives"]),
    )
    return grid_table(Grid(f"Joint model, {_SET_NAMES[which]}", ("", "model says 1", "model says 0"), rows))


def _rates(counts: Mapping[str, Any]) -> tuple[str, str, str, str]:
    tp, fp, tn, fn = (counts.get(key) for key in _CONFUSION)
    return _rate(tp, fn), _rate(tn, fp), _rate(tp, fp), _rate(tn, fn)


def _rate(right: Any, wrong: Any) -> str:
    if not (is_number(right) and is_number(wrong)) or right + wrong == 0:
        return MISSING
    return to_fixed(right / (right + wrong), 3)


def _weights(record: Mapping[str, Any]) -> str:
    shared = shared_model_blocks(record)
    if shared:
        return blocks_section("The model", shared)
    grid = weights_grid(record)
    if grid is None:
        return ""
    ranked = ranked_weights(record)
    standardised = any(size is not None for _, _, size in ranked)
    bars = [(name, weight if size is None else size) for name, weight, size in ranked[:CHART_BARS]]
    model = table(record.get("model"))
    unit = scale_of(record) if standardised else "per unit of the feature"
    odds = (
        ": so much the log-odds differ between its ends"
        if table(record.get("privacy"))
        else "; an odds ratio says by what the odds are multiplied when the feature is one standard deviation higher "
        "and all others are the same, and is told of a training that is known to have converged"
    )
    caption = f"Weights {unit}" + (f", the {CHART_BARS} largest of {len(ranked)}" if len(ranked) > CHART_BARS else "")
    return section(
        "The model",
        f"<figure>{bar_chart(bars, caption)}<figcaption>{escape(caption)}</figcaption></figure>",
        grid_table(grid),
        paragraph(f"Intercept {to_digits(model.get('intercept'), 6)}, for features in their own units."),
        *(paragraph(line.text) for line in optimum_lines(record)),
        paragraph(
            "The log-odds of the outcome are the intercept plus each feature times its weight per unit. Weights "
            f"{unit} can be compared with each other{odds}."
            if standardised
            else f"The log-odds of the outcome are the intercept plus each feature times its weight. {UNRANKED}",
            "note",
        ),
        paragraph(
            "Features that go together share their effect, so a single weight is no evidence of a cause. "
            + ("" if record.get("inference") else "The run gives no standard errors or p-values. ")
            + f"{RESULT} holds every weight in full precision.",
            "note",
        ),
    )


def _inference(record: Mapping[str, Any]) -> str:
    grid = inference_grid(record, wide=True)
    if grid is None:
        return ""
    return section(
        "Coefficients and their errors",
        grid_table(grid),
        *(paragraph(text) for text in fit_texts(record)),
        paragraph(
            "A coefficient is what one unit more of the feature adds to the log-odds of the outcome, all others being "
            "the same; its standard error is from the inverse of the pooled Fisher matrix. z is the coefficient "
            "divided by it, p the two-sided chance of a z as far from 0 if the coefficient were 0 (Wald). The first "
            "interval is the coefficient +- 1.96 standard errors; the odds ratio is the coefficient's exponential, and "
            "the interval behind it those of the first one's ends. All of this holds for the "
            "maximum-likelihood fit of a model that was chosen before the data were seen.",
            "note",
        ),
        *_calibration(record),
    )


def _calibration(record: Mapping[str, Any]) -> list[str]:
    """Observed and expected numbers by tenths of predicted risk; nothing where that was not asked for."""
    grids = [grid for which in reversed(_SETS) if (grid := calibration_grid(record, which)) is not None]
    texts = calibration_texts(record)
    if not texts:
        return []
    note = (
        "All tenths have about as many rows; the first has those of the lowest predicted risk. Of a calibrated model, "
        "as many have the outcome as were expected to, but for chance."
    )
    return [*map(grid_table, grids), paragraph(" ".join((note, *texts)), "note")]


def _data(record: Mapping[str, Any]) -> str:
    blocks = data_blocks(record)
    return blocks_section("The data of all owners", blocks) if blocks else ""
