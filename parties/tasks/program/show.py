"""What the summary and the report say of a run of somebody's own protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from parties.scenario.program import is_given, is_table
from parties.show.blocks import MISSING, Block, Grid, Line, count_text, entries, is_number, table
from parties.tasks.base import Show

_MOST_SHOWN: Final = 12


def blocks(record: Mapping[str, Any]) -> list[Block]:
    """What the protocol returned, and how far it is from its plaintext reference."""
    if not (part := table(record.get("program"))):
        return []
    inputs = "; ".join(_input_text(table(one)) for one in entries(part.get("inputs")))
    digest = str(part.get("sha256") or MISSING)
    what = f"{part.get('function', MISSING)} of {part.get('file', MISSING)}"
    rows = [row for one in entries(part.get("results")) for row in result_rows(table(one))]
    grid = Grid(f"What {what} gave", ("result", "to", "shape", "values"), tuple(rows), frozenset({0, 1, 2, 3}))
    nothing = Line("The protocol returned nothing.")
    return [
        Line(f"Each owner gave: {inputs}. SHA-256 of the file: {digest}."),
        *drawn_lines(record, part),
        grid if rows else nothing,
        *comparison_lines(table(record.get("comparison"))),
    ]


def _input_text(one: Mapping[str, Any]) -> str:
    shapes = [" x ".join(map(count_text, entries(shape))) for shape in entries(one.get("shapes"))]
    return f"{one.get('input', MISSING)} ({', '.join(dict.fromkeys(shapes))})"


def drawn_lines(record: Mapping[str, Any], part: Mapping[str, Any]) -> list[Block]:
    """Which inputs are made up."""
    texts = [str(table(one).get("input")) for one in entries(part.get("inputs"))]
    drawn = [text for text in texts if not is_table(text) and not is_given(text)]
    seed = table(record.get("about")).get("seed")
    if not drawn:
        return []
    said = f" {seed}" if isinstance(seed, int) else ""
    return [Line(f"{', '.join(drawn)}: made-up numbers, drawn from the scenario's public seed{said}.")]


def result_rows(one: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Name, recipients, shape and values of one result, a row a recipient."""
    name, kind = str(one.get("name", MISSING)), one.get("kind")
    if by_owner := table(one.get("by_owner")):
        return [(name, str(owner), *_shape_values(table(own))) for owner, own in by_owner.items()]
    if kind == "share":
        shape, _ = _shape_values(one)
        return [(name, "nobody", shape, "stays shared")]
    return [(name, "all owners", *_shape_values(one))]


def _shape_values(one: Mapping[str, Any]) -> tuple[str, str]:
    shape = tuple(entries(one.get("shape")))
    if one.get("values") is None:
        return str(shape), "too many for the record"
    flat = np.asarray(one["values"], dtype=object).reshape(-1)
    shown = [f"{value:.10g}" if is_number(value) else str(value) for value in flat[:_MOST_SHOWN].tolist()]
    return str(shape), ", ".join(shown) + (f", ... ({count_text(flat.size)} in all)" if flat.size > _MOST_SHOWN else "")


def comparison_lines(found: Mapping[str, Any]) -> list[Block]:
    """How far a protocol is from its reference, or why that is not known."""
    if not found:
        return []
    name = found.get("reference", MISSING)
    if found.get("failed"):
        return [Line(f"Not compared: {name} failed, {found['failed']}", "bold red")]
    results = [table(one) for one in entries(found.get("results"))]
    known = [one["difference"] for one in results if is_number(one.get("difference"))]
    lines: list[Block] = []
    if known:
        lines.append(Line(f"Beside {name}, in the clear: the largest difference is {max(known):.2g}."))
    for one in results:
        for owner, other in table(one.get("swapped")).items():
            text = f"{owner} has as '{one.get('name')}' what {name} gives {other}: is it told to the wrong owner?"
            lines.append(Line(text, "bold red"))
        if one.get("why") and one["why"] != "it stays shared":
            lines.append(Line(f"'{one.get('name')}' was not compared with {name}: {one['why']}.", "bold red"))
    return lines


def side_facts(*, split: bool) -> str:
    """What owners learn of each other beside what is opened."""
    return "The owners also learn the shapes of each other's inputs."


def figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """Each result that is one number, and the largest difference from the reference."""
    results = [table(one) for one in entries(table(record.get("program")).get("results"))]
    single = {str(one.get("name")): np.asarray(one["values"]).reshape(-1) for one in results if one.get("values")}
    compared = [table(one) for one in entries(table(record.get("comparison")).get("results"))]
    differences = [one["difference"] for one in compared if is_number(one.get("difference"))]
    return {
        **{name: values.tolist()[0] for name, values in single.items() if values.size == 1},
        "largest difference": max(differences, default=None),
    }


SHOW: Final = Show(
    "What the protocol gave",
    blocks,
    note="The protocol is its author's own, and so is the choice of what it reveals.",
    nothing_else=(
        "Through its Party the protocol opened nothing else but under uniform masks, each used once; the helper dealt "
        "random numbers and was shown no value. Whether more can be told from what was opened is for check_view to "
        "test (docs/testing.md). The owners also learn the shapes of each other's inputs."
    ),
    side_facts=side_facts,
    figures=figures,
)
