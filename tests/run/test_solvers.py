"""Every solver over processes: the model is the twin's, and rounds and bytes are the plan's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize("name", SOLVERS)
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
    assert [item["what"] for item in fields["revealed"]][: 4 + len(count)] == [
        "feature means", "feature standard deviations", *count, "range check", "model",
    ]  # fmt: skip
