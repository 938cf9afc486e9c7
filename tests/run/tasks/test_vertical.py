"""scenarios/vertical.toml as it is typed: the reference's model, nothing more revealed; owners whose rows differ."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.examples import sample
from tests.helpers import ROOT
from tests.run.command import Ran, mpc, record
from tests.run.tasks.test_solvers import as_planned
from tools.make_split_columns import TABLES, write_split_columns

SCENARIO = ROOT / "scenarios" / "vertical.toml"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, Path]:
    out = tmp_path_factory.mktemp("vertical") / "record"
    return mpc("run", SCENARIO, "--out", out), out


@pytest.fixture(scope="module")
def result(demo: tuple[Ran, Path]) -> dict[str, Any]:
    assert demo[0].code == 0, demo[0].err
    return record(demo[1])


def test_the_data_are_what_the_tool_writes(tmp_path: Path) -> None:
    write_split_columns(tmp_path)
    for name in TABLES:
        assert (tmp_path / f"{name}.csv").read_bytes() == (SCENARIO.parent / "data" / f"{name}.csv").read_bytes()


def test_the_model_is_the_references_of_the_joined_table(result: dict[str, Any]) -> None:
    assert result["comparison"]["pooled"]["max_abs_weight_difference"] <= 1e-4
    assert len(result["model"]["weights"]) == len(result["model"]["features"]) == 30
    assert result["model"]["standardised_weights"] is None
    assert set(result["comparison"]["alone"]) == {"pathology"}


def test_the_metrics_are_the_references_and_stand_in_the_summary(
    demo: tuple[Ran, Path], result: dict[str, Any]
) -> None:
    for name, rows in (("train", 455), ("test", 114)):
        got, wanted = result["metrics"][name], result["comparison"]["pooled"][name]
        assert got["rows"] == rows
        assert got["confusion"] == wanted["confusion"]
        for key, slack in (("log_loss", 1e-5), ("brier", 1e-5), ("auc", 1e-3)):
            assert abs(got[key] - wanted[key]) < slack, key
    assert f"{result['metrics']['test']['auc']:.3f}" in demo[0].out


def test_measured_is_planned_and_revealed_is_what_the_plan_says(demo: tuple[Ran, Path], result: dict[str, Any]) -> None:
    plan = json.loads(mpc("plan", SCENARIO, "--json").out)
    for name, party in result["parties"].items():
        assert party["bytes_sent"] == plan["bytes"][name]
        assert party["rounds"] == (plan["rounds"] if party["role"] == "owner" else 0)
    sums = [f"{what} ({name})" for what in ("metric sums", "AUC pairs") for name in ("train", "test")]
    whats = ["row alignment", "cells of the model", "range check", "model", *sums]
    assert [item["what"] for item in result["revealed"]] == whats
    assert [item["what"] for item in plan["reveals"]] == whats
    assert "names of each other's columns" in " ".join(demo[0].out.split())


OTHER_SOLVERS: dict[str, dict[str, Any]] = {
    "weighted": {"class_weights": "balanced", "epochs": 2, "batch_size": 128, "learning_rate": 0.5},
    "auto": {"solver": "auto", "l2": 0.01, "class_weights": "balanced"},
    "stopped": {"solver": "newton", "l2": 0.1, "tolerance": 0.001},
}


@pytest.mark.parametrize("name", sample(OTHER_SOLVERS, "weighted"))
def test_every_solver_takes_split_columns(tmp_path: Path, name: str) -> None:
    copied(tmp_path)
    fields = tomllib.loads(SCENARIO.read_text())
    kept = ("partition", "target", "id")
    fields["task"] = {"kind": fields["task"]["kind"], **{k: fields["task"][k] for k in kept}, **OTHER_SOLVERS[name]}
    (tmp_path / "v.toml").write_text(toml_of(fields))
    ran = mpc("run", "v.toml", "--out", tmp_path / "record", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "Rounds and bytes sent were as planned, exactly, for every party." in " ".join(ran.out.split())
    result = record(tmp_path / "record")
    assert result["comparison"]["pooled"]["max_abs_weight_difference"] < 1e-3
    count = ["class count"] if "class_weights" in OTHER_SOLVERS[name] else []
    stops = ["stop test"] * (result["training"]["steps"] // 10) if name == "stopped" else []
    checks = ["range check", *(["convergence check"] if result["training"]["solver"] == "newton" else [])]
    whats = ["row alignment", "cells of the model", *count, *stops, *checks, "model"]
    assert [item["what"] for item in result["revealed"]][: len(whats)] == whats
    if name == "stopped":
        as_planned(result, result["training"]["steps"])
    if name == "auto":
        assert (
            min(result["training"]["choice"]["seconds"], key=result["training"]["choice"]["seconds"].get)
            == (result["training"]["solver"])
        )


def toml_of(tables: dict[str, Any], prefix: str = "") -> str:
    """A scenario's tables as TOML."""
    plain = {key: value for key, value in tables.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in tables.items():
        if isinstance(value, dict):
            lines += [f"[{prefix}{key}]", toml_of(value, f"{prefix}{key}.")]
    return "\n".join(lines)


def copied(folder: Path) -> Path:
    (folder / "data").mkdir()
    write_split_columns(folder / "data")
    (folder / "v.toml").write_text(SCENARIO.read_text())
    return folder / "data" / "laboratory.csv"


def test_another_patient_stops_the_run_and_nobody_learns_which(tmp_path: Path) -> None:
    file = copied(tmp_path)
    file.write_text(file.read_text().replace("A0017,", "X9999,"))
    out = tmp_path / "record"
    ran = mpc("run", "v.toml", "--out", out, cwd=tmp_path)
    assert ran.code == 3
    assert "the owners' lists of ids differ" in ran.err
    said = ran.out + ran.err + "".join(path.read_text() for path in out.iterdir())
    assert not [word for word in ("A0017", "X9999", "a0017", "x9999") if word in said]
    assert record(out)["revealed"] == []


def test_another_number_of_patients_stops_the_run_at_once(tmp_path: Path) -> None:
    file = copied(tmp_path)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    ran = mpc("run", "v.toml", "--out", tmp_path / "record", cwd=tmp_path)
    assert ran.code == 3
    assert "the owners have different numbers of rows: imaging 569, laboratory 568, pathology 569" in ran.err


def test_a_target_that_two_have_stops_the_run(tmp_path: Path) -> None:
    file = copied(tmp_path)
    file.write_text(file.read_text().replace("worst_symmetry", "malignant", 1))
    lines = file.read_text().splitlines()
    place = lines[0].split(",").index("malignant")
    rows = [line.split(",") for line in lines[1:]]
    file.write_text("\n".join([lines[0], *(",".join([*r[:place], "1", *r[place + 1 :]]) for r in rows)]) + "\n")
    ran = mpc("run", "v.toml", "--out", tmp_path / "record", cwd=tmp_path)
    assert ran.code == 3
    assert "laboratory and pathology have the target, but exactly one owner must have it" in ran.err
