"""`beaverlodge.plan`, `run` and `read`: the same as the command's, as objects and tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import beaverlodge
from beaverlodge.tables import tables_of
from mpc.errors import UsageError
from tests.helpers import ROOT

STUDY = ROOT / "scenarios" / "two_hospitals.toml"


def test_a_study_is_planned_run_and_read(tmp_path: Path) -> None:
    planned = beaverlodge.plan(STUDY)
    slower = beaverlodge.plan(STUDY, network="wan").facts["seconds"]
    assert slower["network"] == slower["wan"] > slower["lan"]
    done = beaverlodge.run(STUDY, out=tmp_path / "run", trace=True, compare=False)
    assert planned.facts["rounds"] == done.record["plan"]["rounds"] == len(done.trace.lanes[0].protocol)
    read = beaverlodge.read(tmp_path / "run")
    assert read.record == done.record == json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    model = read.tables["model"]
    assert [row["weights"] for row in model] == read.record["model"]["weights"]
    frame = read.frame("parties").set_index("name")
    assert frame.loc["hospital_a", "bytes_sent"] == planned.facts["bytes"]["hospital_a"]
    assert frame.loc["helper", "seconds.online"] > 0
    assert "What it cost" in read._repr_html_() and "hospital_a" in planned._repr_html_()
    with pytest.raises(UsageError, match="no table 'none'") as raised:
        read.frame("none")
    assert "parties" in raised.value.hint


def test_a_sum_is_planned() -> None:
    """A server and its clients have no shares: another class of scenario, the same call."""
    planned = beaverlodge.plan(ROOT / "scenarios" / "devices.toml")
    assert planned.tables and "sum" in planned._repr_html_()


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no result"):
        beaverlodge.read(tmp_path)


def test_tables_are_found_by_their_form() -> None:
    record = {
        "status": "ok",
        "empty": {},
        "list": [{"a": 1, "b": {"c": 2}}, {"a": 3}],
        "columns": {"name": ["x", "y"], "value": [1, 2], "single": 7},
        "objects": {"p": {"u": 1, "v": {"w": 2}}, "q": {"u": 3, "v": {"w": 4}}},
        "values": {"k": 1, "l": None},
        "deep": {"inner": {"rows": [{"z": 1}], "n": 2}, "words": ["no", "table"]},
    }
    assert tables_of(record) == {
        "list": [{"a": 1, "b.c": 2}, {"a": 3}],
        "columns": [{"name": "x", "value": 1}, {"name": "y", "value": 2}],
        "objects": [{"name": "p", "u": 1, "v.w": 2}, {"name": "q", "u": 3, "v.w": 4}],
        "values": [{"name": "k", "value": 1}, {"name": "l", "value": None}],
        "deep.inner.rows": [{"z": 1}],
    }
