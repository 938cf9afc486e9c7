"""What a run's record says of all owners' data together, where the scenario lets it be disclosed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import Block, Grid, Line, count_text, entries, is_number, table

MOST_ROWS: Final = 20
"""The most columns with missing values that are shown; the record has all."""


def data_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Missing values and differing ranges, where the scenario lets them be disclosed; else nothing."""
    data = table(record.get("data"))
    blocks: list[Block] = []
    if isinstance(data.get("missing"), Mapping):
        blocks += _missing(data["missing"])
    if data.get("unlike_ranges") is not None:
        blocks += [Line(""), Line(_ranges_text([str(name) for name in entries(data["unlike_ranges"])]))]
    return blocks


def _missing(counts: Mapping[str, Any]) -> list[Block]:
    found = sorted(((str(name), n) for name, n in counts.items() if is_number(n) and n > 0), key=lambda one: -one[1])
    if not found:
        return [Line(""), Line("No value was missing at any owner.")]
    rows = tuple((name, count_text(n)) for name, n in found[:MOST_ROWS])
    grid = Grid("Values that were missing, over all owners", ("column", "missing"), rows)
    left = len(found) - len(rows)
    return [grid, Line(f"And in {left} more columns: see the record.")] if left else [grid]


def _ranges_text(names: list[str]) -> str:
    if not names:
        return "In every column, typical values are within 10 times of each other at all owners."
    return (
        f"UNITS: typical values differ 10 times or more between owners in {', '.join(names)}. See whether all owners "
        "give these in the same unit: if not, the model means nothing."
    )
