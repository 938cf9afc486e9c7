"""Rows scored by a model that nobody sees, in the summary and the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import MISSING, Block, Grid, Line, count_text, files_of, is_number, table
from parties.tasks.base import Show


def predict_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Whose rows were scored, and where the scores are."""
    facts = table(record.get("predict"))
    if not facts:
        return []
    rows, so_far = table(facts.get("rows")), table(facts.get("scored_so_far"))
    files = dict(files_of(record, "scores"))
    most = count_text(facts.get("max_rows"))
    cells = tuple(
        (str(owner), count_text(count), f"{count_text(so_far.get(owner, 0))} of {most}", files.get(str(owner), MISSING))
        for owner, count in rows.items()
    )
    what = "classes" if facts.get("output") == "class" else "probabilities"
    if is_number(facts.get("grid")):
        what += f", rounded to {facts['grid']:g}"
    columns = ("owner", "rows", "scored over all runs", "file")
    whose = "Each owner has its own rows' scores alone."
    if facts.get("partition") == "vertical":
        to = ", ".join(str(owner) for owner, count in rows.items() if count)
        whose = f"Every owner has other columns of these rows, and {to} alone has their scores."
    return [
        Grid(f"New rows that were scored: {what}", columns, cells, frozenset({0, 3})),
        Line(f"Scored by model {facts.get('model')}, which nobody sees. {whose}"),
    ]


def side_facts(*, split: bool) -> str:
    """What owners learn of each other beside what is opened."""
    if split:
        return "The owners also learn how many rows they all have; each other's columns they know from the training."
    return "The owners also learn each other's numbers of rows."


SHOW: Final = Show("New rows that were scored", predict_blocks, side_facts=side_facts)
