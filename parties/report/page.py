"""The run's `report.html`: one file without scripts or anything from elsewhere, to read on a screen or print.

It has the content of the summary, with all weights, a chart of them, and notes on how to read each part.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parties.base.private_files import replace_text
from parties.base.record_files import REPORT, RESULT
from parties.report.about_text import about_facts, about_line
from parties.report.audit import NOTE, TITLE, audit_blocks
from parties.report.summary import (
    correlations_grid,
    faults_blocks,
    insecure_text,
    is_insecure,
    no_result_text,
    nothing_else,
    plan_line,
    reveals_grid,
    seconds_grid,
    status_lines,
    traffic_grid,
)
from parties.show.blocks import (
    entries,
    owners_of,
    table,
)
from parties.show.html import blocks_section, escape, grid_table, paragraph, section, whole_page
from parties.show.plots import PLOT_STYLE
from parties.tasks.registry import kind_of_record


def write_report(record: Mapping[str, Any], out: Path) -> Path:
    """Write the report of a record next to it, whole or not at all; returns its path.

    Raises:
        UsageError: it cannot be written.
    """
    path = out / REPORT
    replace_text(path, report_html(record))
    return path


def report_html(record: Mapping[str, Any]) -> str:
    """The whole page. Every text from the record is escaped."""
    name = str(table(record.get("scenario")).get("name") or "run")
    ok = record.get("status") == "ok"
    sections = [_head(record, name, ok=ok)]
    show = kind_of_record(record).show()
    if show.sections is not None:
        result = show.sections(record)
    else:
        blocks = show.blocks(record)
        result = [blocks_section(show.title, blocks, show.note)] if blocks else []
    if ok and not result:
        result = [section("The result", paragraph(no_result_text(record)))]
    sections += result
    if table(record.get("parties")) and not (show.costs and result):
        sections += [_cost(record, ok=ok, trains=show.trains)]
    if faults := faults_blocks(record):
        sections += [blocks_section("Faults", faults, "Who ran this asked for them, in the scenario's [faults].")]
    if entries(record.get("revealed")):
        sections += [_reveals_section(record)]
    if attacks := audit_blocks(table(record.get("audit"))):
        sections += [blocks_section(TITLE, attacks, NOTE)]
    sections += [_about(record)]
    plots = any('<svg class="plot"' in one for one in sections)
    return whole_page(name, sections, PLOT_STYLE if plots else "")


def _head(record: Mapping[str, Any], name: str, *, ok: bool) -> str:
    first, *others = [line.text for line in status_lines(record) if line.text != insecure_text(record)]
    parts = [f"<h1>{escape(name)}</h1>"]
    if is_insecure(record):
        parts.append(f'<p class="alarm" role="alert">{escape(insecure_text(record))}</p>')
    ending = first.removeprefix(f"{name}: ")
    parts.append(f'<p class="{"status" if ok else "alarm"}">{escape(ending[:1].upper() + ending[1:])}</p>')
    parts += [paragraph(text) for text in (about_line(record) if ok else "", *others) if text]
    if not ok:
        parts.append(paragraph("No result was kept. Each party's log, next to this file, says what it did until then."))
    return "<header>\n" + "\n".join(parts) + "\n</header>"


def _cost(record: Mapping[str, Any], *, ok: bool, trains: bool) -> str:
    correlations = table(table(record.get("plan")).get("correlations"))
    parts = [grid_table(traffic_grid(record)), grid_table(seconds_grid(record, trains=trains))]
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


def _reveals_section(record: Mapping[str, Any]) -> str:
    complete = (
        "This list is complete for parties that follow the protocol, as long as the helper sides with no owner; any "
        "owners may put what they know together. "
    )
    if kind_of_record(record).show().declared:
        complete = "This list is its author's: nothing checks that it is complete. "
    return section(
        "What was revealed",
        grid_table(reveals_grid(record, "Opened on purpose")),
        paragraph(nothing_else(record)),
        paragraph(
            f"{complete}A party that alters its own numbers is not detected. Results say something about the patients "
            "they come from: two runs that differ by a few patients reveal their difference.",
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
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(str(value))}</dd>" for key, value in facts.items() if value)
    return section("About this run", f"<dl>{rows}</dl>")
