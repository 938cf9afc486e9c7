"""The run's `report.html`: one file without scripts or anything from elsewhere, to read on a screen or print.

It says what the summary says, with all weights, a chart of them, and how to read each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from parties.base.private_files import replace_file
from parties.report.about_text import about_facts, about_line, is_of
from parties.report.record import REPORT, RESULT
from parties.report.summary import (
    UNRANKED,
    RowSet,
    auc_text,
    correlations_grid,
    difference_text,
    insecure_text,
    is_insecure,
    models,
    no_metrics_text,
    not_told_text,
    nothing_else,
    owners_of,
    plan_line,
    quality_grid,
    ranked_weights,
    revealed_grid,
    seconds_grid,
    status_lines,
    traffic_grid,
    unsettled_lines,
    weights_grid,
)
from parties.show.blocks import MISSING, Block, Grid, count_text, entries, fixed, is_number, significant, table
from parties.show.html import bar_chart, escaped, grid_table, paragraph, section, whole_page
from parties.tasks.coefficients import calibration_grid, calibration_texts, fit_texts, inference_grid
from parties.tasks.data_summary import data_blocks
from parties.tasks.linear.show import is_linear, linear_blocks
from parties.tasks.predict.show import predict_blocks, shared_model_blocks
from parties.tasks.secure_sum.show import cost_blocks, sums_blocks
from parties.tasks.statistics.show import statistics_blocks

CHART_BARS: Final = 40
"""So many weights in the chart at most; the table has all."""


def write_report(record: Mapping[str, Any], out: Path) -> Path:
    """Writes the report of a record next to it, whole or not at all; returns where it is.

    Raises:
        UsageError: it cannot be written.
    """
    path = out / REPORT
    replace_file(path, report_html(record).encode("utf-8", "backslashreplace"), sync=False)
    return path


def report_html(record: Mapping[str, Any]) -> str:
    """The whole page. Every text from the record is escaped."""
    name = str(table(record.get("scenario")).get("name") or "run")
    ok = record.get("status") == "ok"
    sections = [_head(record, name, ok=ok)]
    if table(record.get("sums")):
        sections += [_sums(record)]
    elif table(record.get("statistics")):
        sections += [_blocks("What all owners' rows say", statistics_blocks(record))]
    elif is_linear(record):
        sections += [_blocks("The linear regression", linear_blocks(record)), _linear_note()]
    elif table(record.get("predict")):
        sections += [_blocks("New rows that were scored", predict_blocks(record))]
    elif ok and not is_of(record, "logistic_regression"):
        sections += [section("The result", paragraph(not_told_text(record)))]
    elif ok:
        sections += [_quality(record), _confusion(record), _inference(record), _weights(record), _data(record)]
    if table(record.get("parties")) and not table(record.get("sums")):
        sections += [_cost(record, ok=ok)]
    if entries(record.get("revealed")):
        sections += [_revealed(record)]
    sections += [_about(record)]
    return whole_page(name, sections)


def _head(record: Mapping[str, Any], name: str, *, ok: bool) -> str:
    first, *others = [line.text for line in status_lines(record) if line.text != insecure_text(record)]
    parts = [f"<h1>{escaped(name)}</h1>"]
    if is_insecure(record):
        parts.append(f'<p class="alarm" role="alert">{escaped(insecure_text(record))}</p>')
    ending = first.removeprefix(f"{name}: ")
    parts.append(f'<p class="{"status" if ok else "alarm"}">{escaped(ending[:1].upper() + ending[1:])}</p>')
    parts += [paragraph(text) for text in (about_line(record) if ok else "", *others) if text]
    if not ok:
        parts.append(paragraph("No result was kept. Each party's log, next to this file, says what it did until then."))
    return "<header>\n" + "\n".join(parts) + "\n</header>"


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


_SETS: Final[tuple[RowSet, ...]] = ("train", "test")
_SET_NAMES: Final[Mapping[RowSet, str]] = {"train": "training rows", "test": "held-out rows"}


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


_CONFUSION: Final = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def _rates(counts: Mapping[str, Any]) -> tuple[str, str, str, str]:
    tp, fp, tn, fn = (counts.get(key) for key in _CONFUSION)
    return _rate(tp, fn), _rate(tn, fp), _rate(tp, fp), _rate(tn, fn)


def _rate(right: Any, wrong: Any) -> str:
    if not (is_number(right) and is_number(wrong)) or right + wrong == 0:
        return MISSING
    return fixed(right / (right + wrong), 3)


def _weights(record: Mapping[str, Any]) -> str:
    shared = shared_model_blocks(record)
    if shared:
        return _blocks("The model", shared)
    grid = weights_grid(record)
    if grid is None:
        return ""
    ranked = ranked_weights(record)
    standardised = any(size is not None for _, _, size in ranked)
    bars = [(name, weight if size is None else size) for name, weight, size in ranked[:CHART_BARS]]
    model = table(record.get("model"))
    unit = "per standard deviation" if standardised else "per unit of the feature"
    caption = f"Weights {unit}" + (f", the {CHART_BARS} largest of {len(ranked)}" if len(ranked) > CHART_BARS else "")
    return section(
        "The model",
        f"<figure>{bar_chart(bars, caption)}<figcaption>{escaped(caption)}</figcaption></figure>",
        grid_table(grid),
        paragraph(f"Intercept {significant(model.get('intercept'), 6)}, for features in their own units."),
        *(paragraph(line.text) for line in unsettled_lines(record)),
        paragraph(
            "The log-odds of the outcome are the intercept plus each feature times its weight per unit. Weights per "
            "standard deviation can be compared with each other; an odds ratio says by what the odds are multiplied "
            "when the feature is one standard deviation higher and all others are the same, and is told of a training "
            "that is known to have converged."
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


def _linear_note() -> str:
    return paragraph(
        "A coefficient is what one unit more of the feature adds to the target, all others being the same. t is the "
        "coefficient divided by its standard error, p the two-sided chance of a t as far from 0 if the coefficient "
        "were 0 and the residuals normal and of one variance. Features that go together share their effect, so a "
        f"single coefficient is no evidence of a cause. {RESULT} holds every number in full precision.",
        "note",
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


def _sums(record: Mapping[str, Any]) -> str:
    """A secure sum's result and cost, as its summary has them."""
    return "\n".join((_blocks("The sums", sums_blocks(record)), _blocks("What it cost", cost_blocks(record))))


def _blocks(title: str, blocks: Sequence[Block]) -> str:
    """A section of the same lines and tables as the summary's."""
    shown = [block for block in blocks if isinstance(block, Grid) or block.text]
    return section(title, *(grid_table(block) if isinstance(block, Grid) else paragraph(block.text) for block in shown))


def _data(record: Mapping[str, Any]) -> str:
    blocks = data_blocks(record)
    return _blocks("The data of all owners", blocks) if blocks else ""


def _cost(record: Mapping[str, Any], *, ok: bool) -> str:
    correlations = table(table(record.get("plan")).get("correlations"))
    parts = [grid_table(traffic_grid(record)), grid_table(seconds_grid(record))]
    if ok:
        line = plan_line(record)
        parts.append(paragraph(line.text, "alarm" if line.style else ""))
    if any(isinstance(row, Mapping) for row in correlations.values()):
        parts.append(grid_table(correlations_grid(correlations, "Random numbers that the helper dealt")))
    parts.append(
        paragraph(
            "A round is one wait for the other owners, so on a slow network rounds times the delay is what a run "
            "takes at least. Bytes are those of this program's own messages; encryption and the network add a little. "
            "Setup is the agreement of all parties on what is run; online is everything after it.",
            "note",
        )
    )
    return section("What it cost", *parts)


def _revealed(record: Mapping[str, Any]) -> str:
    return section(
        "What was revealed",
        grid_table(revealed_grid(record, "Opened on purpose")),
        paragraph(nothing_else(record)),
        paragraph(
            "This list is complete for parties that follow the protocol, as long as the helper sides with no owner; "
            "any owners may put what they know together. A party that alters its own numbers is not detected. Results "
            "say something about the patients they come from: two runs that differ by a few patients reveal their "
            "difference.",
            "note",
        ),
    )


def _about(record: Mapping[str, Any]) -> str:
    scenario = table(record.get("scenario"))
    facts = {
        **about_facts(record),
        "Scenario": scenario.get("digest"),
        "Plan": table(record.get("plan")).get("digest"),
        "Session": record.get("session"),
        "Owners": ", ".join(owners_of(record)),
        "Numbers in full": RESULT,
    }
    rows = "".join(f"<dt>{escaped(key)}</dt><dd>{escaped(str(value))}</dd>" for key, value in facts.items() if value)
    return section("About this run", f"<dl>{rows}</dl>")
