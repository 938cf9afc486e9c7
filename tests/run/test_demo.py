"""The README's scenario, run as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.run.command import Ran, mpc, record

SCENARIO = "scenarios/two_hospitals.toml"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    out = tmp_path_factory.mktemp("demo") / "record"
    return mpc("run", SCENARIO, "--out", out, new=True), out


@pytest.fixture(scope="module")
def result(demo: tuple[Ran, Path]) -> dict[str, Any]:
    return record(demo[1])


def test_it_ends_well_and_says_where_the_record_is(demo: tuple[Ran, Path], result: dict[str, Any]) -> None:
    ran, out = demo
    assert ran.code == 0, ran.err
    assert result["status"] == "ok"
    assert result["error"] is None
    assert str(out) in ran.out
    assert {path.name for path in out.iterdir()} == {
        "result.json",
        "report.html",
        "hospital_a.log",
        "hospital_b.log",
        "helper.log",
    }


def test_every_party_is_a_process_of_its_own(result: dict[str, Any]) -> None:
    assert len({party["pid"] for party in result["parties"].values()}) == 3


def test_the_model_is_the_references(result: dict[str, Any]) -> None:
    pooled = result["comparison"]["pooled"]
    assert pooled["max_abs_weight_difference"] <= 1e-3
    for name in ("train", "test"):
        joint, reference = result["metrics"][name], pooled[name]
        assert joint["rows"] == reference["rows"]
        assert abs(joint["accuracy"] - reference["accuracy"]) * joint["rows"] <= 1 + 1e-9
        assert abs(joint["auc"] - reference["auc"]) <= 0.005
    assert set(result["comparison"]["alone"]) == {"hospital_a", "hospital_b"}


def test_measured_equals_planned_for_every_party(result: dict[str, Any]) -> None:
    ran = mpc("plan", SCENARIO, "--json")
    assert ran.code == 0, ran.err
    plan = json.loads(ran.out)
    assert plan["rounds"] == result["plan"]["rounds"]
    for name, party in result["parties"].items():
        assert party["bytes_sent"] == plan["bytes"][name]
        assert party["messages"] == plan["messages"][name]
        assert party["rounds"] == (plan["rounds"] if party["role"] == "owner" else 0)
    sent = sum(party["bytes_sent"] for party in result["parties"].values())
    assert sent == sum(party["bytes_received"] for party in result["parties"].values())


def test_what_was_revealed_is_what_the_plan_said(result: dict[str, Any]) -> None:
    plan = json.loads(mpc("plan", SCENARIO, "--json").out)
    assert [item["what"] for item in result["revealed"]] == [item["what"] for item in plan["reveals"]]
    assert {item["what"] for item in result["revealed"]} == {
        "cells of the model",
        "feature means",
        "feature standard deviations",
        "range check",
        "model",
        "metric sums (train)",
        "metric sums (test)",
        "AUC pairs (train)",
        "AUC pairs (test)",
    }


def test_the_logs_hold_no_row(demo: tuple[Ran, Path]) -> None:
    rows = Path("scenarios/data/hospital_a.csv").read_text().splitlines()[1:20]
    values = {value for row in rows for value in row.split(",") if len(value) > 4}
    logs = "".join(path.read_text() for path in demo[1].glob("*.log"))
    assert values
    assert not [value for value in values if value in logs]
