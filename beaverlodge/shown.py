"""What a notebook shows: the project's own tables as pieces of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpc.runtime.plan import Plan
from mpc.testing.shown_plan import plan_lines
from parties.show.blocks import Block, Grid
from parties.show.html import escape, grid_table, paragraph
from parties.tasks.program.show import comparison_lines, result_rows


def framed(title: str, *parts: str, insecure_seed: int | None = None) -> str:
    """Pieces below a heading; with a warning where a test seed made all randomness known."""
    alarm = ""
    if insecure_seed is not None:
        alarm = (
            f"<p><strong>INSECURE: test seed {insecure_seed}. All shares and masks of this run are known.</strong></p>"
        )
    return f"<div><h4>{escape(title)}</h4>{alarm}{''.join(parts)}</div>"


def table_html(title: str, columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """A table."""
    return grid_table(Grid(title, tuple(columns), tuple(rows), frozenset(range(len(columns)))))


def blocks_html(blocks: Sequence[Block]) -> str:
    """Lines and tables, as a terminal has them."""
    return "".join(grid_table(one) if isinstance(one, Grid) else paragraph(one.text) for one in blocks)


def plan_html(plan: Plan) -> str:
    """Rounds, bytes, correlations and reveals."""
    return f"<pre>{'<br>'.join(escape(line) for line in plan_lines(plan))}</pre>"


def results_html(results: Sequence[Mapping[str, Any]], comparison: Mapping[str, Any]) -> str:
    """What a protocol returned, and how far it is from its reference."""
    rows = [row for one in results for row in result_rows(one)]
    shown = table_html("Results", ("result", "to", "shape", "values"), rows) if rows else paragraph("No results.")
    return shown + blocks_html(comparison_lines(comparison))
