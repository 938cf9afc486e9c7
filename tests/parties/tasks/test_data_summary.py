"""What the summary says of all owners' data: as much as was agreed on, and in words that say what to do."""

from __future__ import annotations

from typing import Any

from parties.show.blocks import Grid
from parties.tasks.data_summary import MOST_ROWS, data_blocks


def words(data: Any) -> str:
    return " ".join(block.title if isinstance(block, Grid) else block.text for block in data_blocks({"data": data}))


def test_nothing_is_said_of_what_was_not_asked_for() -> None:
    assert data_blocks({}) == [] == data_blocks({"data": None})
    assert words({"missing": None, "unlike_ranges": None}) == ""


def test_columns_with_most_missing_come_first() -> None:
    (grid,) = data_blocks({"data": {"missing": {"a": 1, "b": 0, "c": 2500}, "unlike_ranges": None}})
    assert isinstance(grid, Grid)
    assert grid.rows == (("c", "2,500"), ("a", "1"))


def test_many_columns_are_cut_short_and_said_to_be() -> None:
    many = {f"x{k}": k + 1 for k in range(MOST_ROWS + 3)}
    grid, line = data_blocks({"data": {"missing": many, "unlike_ranges": None}})
    assert isinstance(grid, Grid) and len(grid.rows) == MOST_ROWS
    assert not isinstance(line, Grid) and line.text == "And in 3 more columns: see the record."


def test_what_is_well_is_said_too() -> None:
    assert "No value was missing at any owner." in words({"missing": {"a": 0}, "unlike_ranges": []})
    assert "within 10 times of each other at all owners" in words({"missing": None, "unlike_ranges": []})
    assert "differ 10 times or more between owners in a, b." in words({"missing": None, "unlike_ranges": ["a", "b"]})
