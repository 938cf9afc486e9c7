"""Every solver over processes: the model is the reference's, and rounds and bytes are the plan's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.examples import sample
from tests.run.command import mpc, record
from tests.run.scenarios import write_scenario

SOLVERS: dict[str, dict[str, Any]] = {
    "nesterov": {"solver": "nesterov", "iterations": 20, "l2": 0.01},
    "newton": {"solver": "newton", "iterations": 8, "l2": 0.01},
    "newton without a penalty": {"solver": "newton", "iterations": 8},
    "auto": {"solver": "auto", "l2": 0.01},
    "weighted": {"solver": "newton", "iterations": 8, "l2": 0.01, "class_weights": "balanced"},
    "sgd at a rate of its own": {"learning_rate": "auto"},
}


def as_planned(fields: dict[str, Any], steps: int) -> None:
    """Rounds and bytes of a run that its stop tests ended are those of the plan of so many steps."""
    assert fields["training"]["stopped"] is True
    assert fields["training"]["steps"] == steps < fields["training"]["most_steps"]
    assert fields["plan"]["ways"] == [False] * (steps // 10 - 1) + [True]
    for name, party in fields["parties"].items():
        assert party["bytes_sent"] == fields["plan"]["bytes"][name]
        assert party["messages"] == fields["plan"]["messages"][name]
        assert party["rounds"] == (fields["plan"]["rounds"] if party["role"] == "owner" else 0)
    assert [item["what"] for item in fields["revealed"]].count("stop test") == steps // 10


def test_a_run_that_its_stop_tests_end(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, 3, solver="newton", iterations=60, l2=0.1, tolerance=0.001)
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    said = " ".join(ran.out.split())
    assert "Rounds and bytes sent were as planned, exactly, for every party." in said
    assert "It ended before its 60 steps were over, as no weight moved by more than 0.00100 in 10 steps." in said
    fields = record(tmp_path / "record")
    as_planned(fields, 20)
    assert fields["comparison"]["pooled"]["max_abs_weight_difference"] < 1e-4
    plan = " ".join(mpc("plan", path).out.split())
    most = fields["plan"]["rounds"] + (60 - 20) * 3 + 3 * 9  # 3 tests more: after 30, 40 and 50 steps
    assert "at most 60 steps of all rows" in plan and f"at most {most} rounds; each owner sends" in plan
    assert "It ends as soon as no weight moved by more than 0.00100 in 10 steps; one bit tells" in plan
    assert "after how many steps the training ends" in plan


@pytest.mark.parametrize("name", sample(SOLVERS, "weighted", "auto"))
def test_a_run_by_each_solver(tmp_path: Path, name: str) -> None:
    owners = 3 if "without" in name else 2
    ran = mpc("run", write_scenario(tmp_path, owners, **SOLVERS[name]), "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
    assert "Trained by " in ran.out
    fields = record(tmp_path / "record")
    solver = SOLVERS[name].get("solver", "sgd")
    assert fields["training"]["solver"] == {"auto": "newton"}.get(solver, solver)
    assert ('Chosen by solver = "auto"' in ran.out.replace("\n", " ")) == (solver == "auto")
    steps = SOLVERS[name].get("iterations") or fields["training"]["steps"]
    assert fields["training"]["steps"] == steps
    assert fields["comparison"]["pooled"]["max_abs_weight_difference"] < 1e-4
    count = ["class count"] if name == "weighted" else []
    rest = [] if solver == "sgd" else ["convergence check"]
    assert (fields["training"]["converged"] is None) == (solver == "sgd")
    assert [item["what"] for item in fields["revealed"]][: 5 + len(count) + len(rest)] == [
        "cells of the model", "feature means", "feature standard deviations", *count, "range check", *rest, "model",
    ]  # fmt: skip
