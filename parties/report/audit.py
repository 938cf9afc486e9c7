"""What `mpc audit` found, as lines and grids: on the screen, in the summary and in the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import MISSING, Block, Grid, Line, entries, is_number, table, to_digits

TITLE: Final = "What attacks gained"
NOTE: Final = (
    "mpc audit attacked what is disclosed, with more knowledge than most attackers have: the patients' rows, and data "
    "like the owners'. Intervals are of 95 %. What these attacks do not gain, others might."
)


def audit_blocks(part: Mapping[str, Any]) -> list[Block]:
    """The findings of a record's `audit`; nothing of an empty one."""
    blocks: list[Block] = []
    for one in map(table, entries(part.get("found"))):
        blocks += _found(one)
    rows = tuple((str(one.get("attack")), str(one.get("why"))) for one in map(table, entries(part.get("not_tried"))))
    if rows:
        blocks.append(Grid("Not tried", ("attack", "why"), rows, frozenset({0, 1})))
    return blocks


def _found(one: Mapping[str, Any]) -> list[Block]:
    rows = [_figure(table(figure)) for figure in entries(one.get("figures"))]
    if is_number(one.get("claim")):
        rows.insert(0, ("epsilon at most, as claimed", to_digits(one["claim"], 3), "", "", ""))
    return [
        Grid(f"{one.get('attack')}: {one.get('what')}", ("", "value", "95 % from", "to", "guessing"), tuple(rows)),
        Line(f"Attacker: {one.get('against')}."),
        Line(str(one.get("sentence")), "bold red" if one.get("contradicts") else ""),
    ]


def _figure(one: Mapping[str, Any]) -> tuple[str, ...]:
    shown = [_number(one.get(key), share=bool(one.get("share"))) for key in ("value", "low", "high", "guess")]
    return str(one.get("name")), *shown


def _number(value: Any, *, share: bool) -> str:
    if not is_number(value):
        return MISSING
    return f"{100 * value:.3g} %" if share else to_digits(value, 3)
