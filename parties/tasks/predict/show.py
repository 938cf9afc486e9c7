"""What the summary and the report say of a model that nobody sees, and of rows that were scored by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parties.show.blocks import MISSING, Block, Grid, Line, count_text, is_number, table


def shared_model_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Where the shares of a model are; empty if the model was opened."""
    model = table(record.get("model"))
    if not model.get("id"):
        return []
    files = _files(record, "model_share")
    return [
        Grid("Nobody sees the model: each owner keeps a share of it", ("owner", "file"), files, frozenset({0, 1})),
        Line(
            f"The model's id is {model['id']}. A share says nothing by itself; each is sealed under its owner's key, "
            "and stays with that owner (docs/shared_model.md)."
        ),
    ]


def predict_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Whose rows were scored, and where the scores are."""
    facts = table(record.get("predict"))
    rows, so_far = table(facts.get("rows")), table(facts.get("scored_so_far"))
    files = dict(_files(record, "scores"))
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


def _files(record: Mapping[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    """Each owner's file, beside the record."""
    parties = table(record.get("parties"))
    return tuple((str(name), str(table(one)[key])) for name, one in parties.items() if table(one).get(key))
