"""The run's `report.html`: one file without scripts or anything from elsewhere, to read on a screen or print.

It says what the summary says, with all weights, a chart of them, and how to read each part.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.blocks import MISSING, Block, Grid, count_text, entries, fixed, is_number, significant, table
from parties.record import REPORT, RESULT
from parties.statistics_summary import statistics_blocks
from parties.sum_summary import cost_blocks, sums_blocks
from parties.summary import (
    RowSet,
    correlations_grid,
    difference_text,
    insecure_text,
    is_insecure,
    models,
    no_metrics_text,
    nothing_else,
    owners_of,
    plan_line,
    quality_grid,
    ranked_weights,
    revealed_grid,
    seconds_grid,
    status_lines,
    traffic_grid,
    weights_grid,
)
from parties.summary_data import data_blocks
from parties.summary_inference import fit_texts, inference_grid

CHART_BARS: Final = 40
"""So many weights in the chart at most; the table has all."""


def write_report(record: Mapping[str, Any], out: Path) -> Path:
    """Writes the report of a record next to it, whole or not at all; returns where it is.

    Raises:
        UsageError: the folder cannot be written to.
    """
    path, temporary = out / REPORT, out / f".{REPORT}.{os.getpid()}"
    try:
        try:
            temporary.write_text(report_html(record), encoding="utf-8", errors="backslashreplace")
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"the report cannot be written to {out}: {reason}", "make that folder writable") from None
    return path


def report_html(record: Mapping[str, Any]) -> str:
    """The whole page. Every text from the record is escaped."""
    name = str(table(record.get("scenario")).get("name") or "run")
    ok = record.get("status") == "ok"
    sections = [_head(record, name, ok=ok)]
    if table(record.get("sums")):
        sections += [_sums(record)]
    elif table(record.get("statistics")):
        sections += [_page("What all owners' rows say", statistics_blocks(record))]
    elif ok:
        sections += [_quality(record), _confusion(record), _inference(record), _weights(record), _data(record)]
    if table(record.get("parties")) and not table(record.get("sums")):
        sections += [_cost(record, ok=ok)]
    if entries(record.get("revealed")):
        sections += [_revealed(record)]
    sections += [_about(record)]
    return _PAGE.format(title=escape(name), style=_STYLE, body="\n".join(part for part in sections if part))


def _head(record: Mapping[str, Any], name: str, *, ok: bool) -> str:
    first, *others = [line.text for line in status_lines(record) if line.text != insecure_text(record)]
    parts = [f"<h1>{escape(name)}</h1>"]
    if is_insecure(record):
        parts.append(f'<p class="alarm" role="alert">{escape(insecure_text(record))}</p>')
    ending = first.removeprefix(f"{name}: ")
    parts.append(f'<p class="{"status" if ok else "alarm"}">{escape(ending[:1].upper() + ending[1:])}</p>')
    parts += [_paragraph(text) for text in others]
    if not ok:
        parts.append(
            _paragraph("No result was kept. Each party's log, next to this file, says what it did until then.")
        )
    return "<header>\n" + "\n".join(parts) + "\n</header>"


def _quality(record: Mapping[str, Any]) -> str:
    sets: list[RowSet] = [which for which in _SETS if any(metrics for _, metrics in models(record, which))]
    if not sets:
        return _section("How good the model is", _paragraph(no_metrics_text(record)))
    compared = bool(table(record.get("comparison")))
    parts = [
        _paragraph(
            "Each line is one model: each owner's own, from its own training rows only; the joint one of this run; "
            "and the one that the same training gives on all rows in the clear. Held-out rows took no part in any "
            "training, and are the same rows for every line, so the lines can be compared with each other."
            if compared
            else "The joint model of this run. Held-out rows took no part in the training."
        )
    ]
    parts += [_grid(quality_grid(record, which)) for which in reversed(sets)]
    parts.append(_paragraph(difference_text(record)))
    rows = next((m["rows"] for _, m in models(record, "test") if is_number(m.get("rows")) and m["rows"] > 0), None)
    worth = f" With {count_text(rows)} held-out rows, one patient more or less is {100 / rows:.1g} %." if rows else ""
    parts.append(
        _paragraph(
            f"Accuracy counts a probability of 1/2 or more as a yes.{worth} AUC is the chance that a patient with the "
            "outcome gets a higher score than one without: 1 is perfect, 0.5 is a coin. Log-loss and Brier score judge "
            "the probabilities themselves; lower is better. On training rows every model looks better than it is"
            + (", and there an owner alone is judged by its own rows only." if compared else "."),
            "note",
        )
    )
    return _section("How good the model is", *parts)


_SETS: Final[tuple[RowSet, ...]] = ("train", "test")
_SET_NAMES: Final[Mapping[RowSet, str]] = {"train": "training rows", "test": "held-out rows"}


def _confusion(record: Mapping[str, Any]) -> str:
    metrics = table(record.get("metrics"))
    matrices = [_matrix(table(table(metrics.get(which)).get("confusion")), which) for which in reversed(_SETS)]
    if not any(matrices):
        return ""
    which: RowSet = "test" if matrices[0] else "train"
    rows = tuple((name, *_rates(table(m.get("confusion")))) for name, m in models(record, which) if m)
    columns = ("trained", "sensitivity", "specificity", "positive predictive value", "negative predictive value")
    return _section(
        "Right and wrong answers",
        '<div class="side">' + "".join(matrices) + "</div>",
        _grid(Grid(f"Rates on {_SET_NAMES[which]}", columns, rows)),
        _paragraph(
            "The small tables are the joint model's. Sensitivity is the part of the patients with the outcome that the "
            "model finds, specificity the part of those without it that it leaves alone, both at probability 1/2. "
            "Predictive values depend on how common the outcome is among these patients.",
            "note",
        ),
    )


def _matrix(counts: Mapping[str, Any], which: RowSet) -> str:
    if not counts:
        return ""
    cell = {key: count_text(counts.get(key)) for key in _CONFUSION}
    rows = (
        ("outcome 1", cell["true_positives"], cell["false_negatives"]),
        ("outcome 0", cell["false_positives"], cell["true_negatives"]),
    )
    return _grid(Grid(f"Joint model, {_SET_NAMES[which]}", ("", "model says 1", "model says 0"), rows))


_CONFUSION: Final = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def _rates(counts: Mapping[str, Any]) -> tuple[str, str, str, str]:
    tp, fp, tn, fn = (counts.get(key) for key in _CONFUSION)
    return _rate(tp, fn), _rate(tn, fp), _rate(tp, fp), _rate(tn, fn)


def _rate(right: Any, wrong: Any) -> str:
    if not (is_number(right) and is_number(wrong)) or right + wrong == 0:
        return MISSING
    return fixed(right / (right + wrong), 3)


def _weights(record: Mapping[str, Any]) -> str:
    grid = weights_grid(record)
    if grid is None:
        return ""
    ranked = ranked_weights(record)
    standardised = any(size is not None for _, _, size in ranked)
    bars = [(name, weight if size is None else size) for name, weight, size in ranked[:CHART_BARS]]
    model = table(record.get("model"))
    unit = "per standard deviation" if standardised else "per unit of the feature"
    caption = f"Weights {unit}" + (f", the {CHART_BARS} largest of {len(ranked)}" if len(ranked) > CHART_BARS else "")
    return _section(
        "The model",
        f"<figure>{_chart(bars, caption)}<figcaption>{escape(caption)}</figcaption></figure>",
        _grid(grid),
        _paragraph(f"Intercept {significant(model.get('intercept'), 6)}, for features in their own units."),
        _paragraph(
            "The log-odds of the outcome are the intercept plus each feature times its weight per unit. Weights per "
            "standard deviation can be compared with each other; the odds ratio says by what the odds are multiplied "
            "when the feature is one standard deviation higher and all others are the same."
            if standardised
            else "The log-odds of the outcome are the intercept plus each feature times its weight. The weights depend "
            "on the features' units, so their sizes cannot be compared with each other.",
            "note",
        ),
        _paragraph(
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
    return _section(
        "Coefficients and their errors",
        _grid(grid),
        *(_paragraph(text) for text in fit_texts(record)),
        _paragraph(
            "A coefficient is what one unit more of the feature adds to the log-odds of the outcome, all others being "
            "the same; its standard error is from the inverse of the pooled Fisher matrix. z is the coefficient "
            "divided by it, p the two-sided chance of a z as far from 0 if the coefficient were 0 (Wald), and the "
            "intervals are the coefficient +- 1.96 standard errors and their exponentials. All of this holds for the "
            "maximum-likelihood fit of a model that was chosen before the data were seen.",
            "note",
        ),
    )


def _sums(record: Mapping[str, Any]) -> str:
    """A secure sum's result and cost, as its summary has them."""
    return "\n".join((_page("The sums", sums_blocks(record)), _page("What it cost", cost_blocks(record))))


def _page(title: str, blocks: Sequence[Block]) -> str:
    """A section of the same lines and tables as the summary's."""
    shown = [block for block in blocks if isinstance(block, Grid) or block.text]
    return _section(title, *(_grid(block) if isinstance(block, Grid) else _paragraph(block.text) for block in shown))


def _data(record: Mapping[str, Any]) -> str:
    blocks = data_blocks(record)
    return _page("The data of all owners", blocks) if blocks else ""


def _chart(bars: Sequence[tuple[str, Any]], caption: str) -> str:
    """Horizontal bars to both sides of zero, as inline SVG."""
    height, label, width, value_room = 20, 230, 720, 64
    middle, reach = label + (width - label) / 2, (width - label) / 2 - value_room
    largest = max((abs(size) for _, size in bars if is_number(size)), default=0.0) or 1.0
    rows = []
    for place, (name, size) in enumerate(bars):
        y = place * height
        length = reach * abs(size) / largest if is_number(size) else 0.0
        left = is_number(size) and size < 0
        start, end = (middle - length, middle - length - 4) if left else (middle, middle + length + 4)
        short = name if len(name) <= 30 else name[:29] + "…"
        rows.append(
            f"<g><title>{escape(name)}: {significant(size)}</title>"
            f'<text x="{label - 8}" y="{y + 14}" text-anchor="end">{escape(short)}</text>'
            f'<rect class="{"minus" if left else "plus"}" x="{start:.1f}" y="{y + 3}" width="{length:.1f}" '
            f'height="{height - 6}"/>'
            f'<text x="{end:.1f}" y="{y + 14}" text-anchor="{"end" if left else "start"}">{significant(size, 3)}</text>'
            "</g>"
        )
    total = len(bars) * height
    axis = f'<line class="axis" x1="{middle}" x2="{middle}" y1="0" y2="{total}"/>'
    return (
        f'<svg viewBox="0 0 {width} {total}" role="img" aria-label="{escape(caption)}">'
        + "".join(rows)
        + axis
        + "</svg>"
    )


def _cost(record: Mapping[str, Any], *, ok: bool) -> str:
    correlations = table(table(record.get("plan")).get("correlations"))
    parts = [_grid(traffic_grid(record)), _grid(seconds_grid(record))]
    if ok:
        line = plan_line(record)
        parts.append(_paragraph(line.text, "alarm" if line.style else ""))
    if any(isinstance(row, Mapping) for row in correlations.values()):
        parts.append(_grid(correlations_grid(correlations, "Random numbers that the helper dealt")))
    parts.append(
        _paragraph(
            "A round is one wait for the other owners, so on a slow network rounds times the delay is what a run "
            "takes at least. Bytes are those of this program's own messages; encryption and the network add a little. "
            "Setup is the agreement of all parties on what is run; online is everything after it.",
            "note",
        )
    )
    return _section("What it cost", *parts)


def _revealed(record: Mapping[str, Any]) -> str:
    return _section(
        "What was revealed",
        _grid(revealed_grid(record, "Opened on purpose")),
        _paragraph(nothing_else(record)),
        _paragraph(
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
        "Scenario": scenario.get("digest"),
        "Plan": table(record.get("plan")).get("digest"),
        "Session": record.get("session"),
        "Owners": ", ".join(owners_of(record)),
        "Numbers in full": RESULT,
    }
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in facts.items() if value)
    return _section("About this run", f"<dl>{rows}</dl>")


def _section(title: str, *parts: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def _paragraph(text: str, kind: str = "") -> str:
    if not text:
        return ""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def _grid(grid: Grid) -> str:
    def kind(place: int) -> str:
        return "" if place in grid.left else ' class="n"'

    heads = "".join(f'<th scope="col"{kind(k)}>{escape(text)}</th>' for k, text in enumerate(grid.columns))
    rows = []
    for first, *others in grid.rows:
        cells = "".join(f"<td{kind(k)}>{escape(text)}</td>" for k, text in enumerate(others, 1))
        rows.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table><caption>{escape(grid.title)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

_STYLE: Final = """
:root { --ink: #1c2329; --soft: #5a6670; --paper: #fff; --line: #d5dce1; --plus: #1f6fb2; --minus: #b5541c;
  --alarm: #a01616; --alarm-paper: #fdecec; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8eb; --soft: #9aa7b1; --paper: #15191d; --line: #353d44;
  --plus: #5aa9e6; --minus: #e8935c; --alarm: #ff9a9a; --alarm-paper: #3a1c1c; } }
@media print { :root { --ink: #000; --soft: #444; --paper: #fff; --line: #bbb; --plus: #1f6fb2; --minus: #b5541c;
  --alarm: #a01616; --alarm-paper: #fff; } figure, tr { break-inside: avoid; }
  h2, caption { break-after: avoid; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 56rem; margin: 0 auto; padding: 2rem 1rem; }
h1 { margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { margin: 2.5rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line); }
p { max-width: 46rem; overflow-wrap: anywhere; }
.status { font-size: 1.1rem; }
.note { color: var(--soft); font-size: .92rem; }
.alarm { color: var(--alarm); background: var(--alarm-paper); border-left: 4px solid var(--alarm);
  padding: .6rem .9rem; font-weight: 600; }
.scroll { overflow-x: auto; margin: 1rem 0; }
.side { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
table { border-collapse: collapse; font-size: .92rem; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .9rem .25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 400; overflow-wrap: anywhere; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; }
figcaption { color: var(--soft); font-size: .92rem; }
svg { width: 100%; max-width: 46rem; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .plus { fill: var(--plus); }
svg .minus { fill: var(--minus); }
svg .axis { stroke: var(--soft); stroke-width: 1; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0 0 .4rem; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: .85rem; }
"""
