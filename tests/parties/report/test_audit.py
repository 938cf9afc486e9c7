"""How findings of an audit read, whatever a record has."""

from __future__ import annotations

from typing import Any

import pytest

from parties.report.audit import TITLE, audit_blocks
from parties.report.page import report_html
from parties.show.blocks import Grid, Line

FOUND: dict[str, Any] = {
    "attack": "epsilon",
    "what": "the noisy sums",
    "against": "the <helper>",
    "figures": [
        {"name": "epsilon at least", "value": 2.5, "low": 2.5, "high": None, "guess": None, "share": False},
        {"name": "right guesses", "value": 0.61, "low": 0.6, "high": 0.625, "guess": 0.5, "share": True},
    ],
    "sentence": "THE CLAIM CANNOT BE TRUE.",
    "claim": 2.0,
    "contradicts": True,
}


def test_a_finding_is_a_table_with_its_claim_and_a_sentence() -> None:
    grid, attacker, sentence = audit_blocks({"found": [FOUND], "not_tried": []})
    assert isinstance(grid, Grid) and grid.title == "epsilon: the noisy sums"
    assert grid.rows == (
        ("epsilon at most, as claimed", "2.00", "", "", ""),
        ("epsilon at least", "2.50", "2.50", "-", "-"),
        ("right guesses", "61 %", "60 %", "62.5 %", "50 %"),
    )
    assert attacker == Line("Attacker: the <helper>.")
    assert sentence == Line("THE CLAIM CANNOT BE TRUE.", "bold red")


def test_the_report_shows_it_escaped() -> None:
    record = {"kind": "statistics", "status": "ok", "scenario": {"name": "study"}, "audit": {"found": [FOUND]}}
    page = report_html(record)
    assert TITLE in page and "the &lt;helper&gt;" in page and 'class="alarm"' in page


@pytest.mark.parametrize("part", [{}, {"found": None}, {"found": [3, {}]}, {"found": {"a": 1}, "not_tried": "x"}])
def test_a_part_that_is_none_does_no_harm(part: dict[str, Any]) -> None:
    assert all(isinstance(block, Line | Grid) for block in audit_blocks(part))
