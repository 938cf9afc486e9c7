"""The tables of settings in docs/ say what the models say that read a scenario file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.settings_tables import DOCS, lacking, renewed, tables

PAGES = [page for page in sorted(DOCS.glob("*.md")) if any(tables(page.read_text(encoding="utf-8")))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_tables_are_as_the_models_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == renewed(text), f"is {page.name} as it is meant to be after `make expected`?"
    assert [row.label for _, rows in tables(text) for row in rows if not row.meaning] == []


def test_each_setting_of_each_kind_has_a_row() -> None:
    assert lacking() == []


def test_what_differs_from_the_models_is_seen() -> None:
    table = "<!-- settings: logistic_regression -->\n| setting | value | meaning |\n|---|---|---|\n"
    row, wrong, gone = (
        "| `epochs` | a whole number from 1; default `10` | how often |\n",
        "| `epochs` | a whole number from 1; default `11` | how often |\n",
        "| `epoch_count` | a whole number | how often |\n",
    )
    assert renewed(table + row) == table + row
    assert renewed(table + wrong + gone) == table + row
