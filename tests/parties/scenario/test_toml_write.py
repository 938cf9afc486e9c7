"""What is written as TOML is read back as the same tables."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parties.scenario.toml_write import toml_text
from tests.examples import steady

ROOT = Path(__file__).resolve().parents[3]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.none() | texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
values = st.recursive(
    plain.filter(lambda one: one is not None),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@steady(200)
@given(st.dictionaries(texts, values, max_size=4))
def test_any_tables_come_back(tables: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(tables)) == tables


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.toml")), ids=lambda path: path.stem)
def test_each_scenario_that_is_shipped_comes_back(path: Path) -> None:
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    assert tomllib.loads(toml_text(tables)) == tables


def test_what_no_scenario_holds_is_no_silent_text() -> None:
    with pytest.raises(TypeError, match="bytes"):
        toml_text({"a": b"x"})
