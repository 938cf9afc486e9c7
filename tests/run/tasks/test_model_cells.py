"""What a model gives back of the other owner's patients: by the command, without the test of its cells and with it."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parties.report.consent import consent_blocks
from parties.show.blocks import Grid
from parties.tasks.registry import load_scenario
from tests.run.command import mpc, record
from tests.scenario_texts import two_owners

A, B = (20, 30, 30, 40), (2, 18, 30, 50)
"""Rows with both smoker and stroke, with smoker alone, with stroke alone, with neither."""

SETTINGS = """target = "TARGET"
features = ["smoker"]
test_fraction = 0.0
reveal = ["inference"]
"""


def written(folder: Path, b: Sequence[int] = B, *, task: str = "", linear: bool = False) -> Path:
    rng = np.random.default_rng(1)
    for name, cells in (("a", A), ("b", b)):
        pairs = np.repeat([(1, 1), (1, 0), (0, 1), (0, 0)], cells, axis=0)
        rows = [(x, y, round(float(v), 3)) for (x, y), v in zip(pairs, rng.normal(30, 5, len(pairs)), strict=True)]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("smoker", "stroke", "stay"), *rows])
    kind, target = ("linear_regression", "stay") if linear else ("logistic_regression", "stroke")
    (folder / "flag.toml").write_text(two_owners(kind, "one flag") + SETTINGS.replace("TARGET", target) + task)
    return folder / "flag.toml"


def taken_apart(told: dict[str, Any]) -> list[int]:
    """b's table, as a works it out from the coefficients and their standard errors, less its own."""
    slope, intercept = told["inference"]
    p = [1 / (1 + math.exp(-z)) for z in (intercept["coefficient"], intercept["coefficient"] + slope["coefficient"])]
    v = intercept["se"] ** 2, slope["se"] ** 2 - intercept["se"] ** 2
    n = [1 / (v[k] * p[k] * (1 - p[k])) for k in range(2)]
    pooled = [n[1] * p[1], n[1] * (1 - p[1]), n[0] * p[0], n[0] * (1 - p[0])]
    return [round(count - own) for count, own in zip(pooled, A, strict=True)]


def smokers(told: dict[str, Any], rows: int) -> list[int]:
    """How many rows of b have 1 and 0 in the one feature of a line, by its errors."""
    scale = told["fit"]["residual_se"] ** 2
    none = scale / told["inference"][1]["se"] ** 2
    return [round(rows - none - A[0] - A[1]), round(none - A[2] - A[3])]


@pytest.mark.parametrize("how", ["open-fisher", pytest.param("shared", marks=pytest.mark.soak)])
def test_untested_cells_of_one_flag_give_back_a_table(tmp_path: Path, how: str) -> None:
    asked = f'inference = "{how}"\n'
    ran = mpc("run", written(tmp_path, task=asked + "min_cell = 1\n"), "--out", tmp_path / "before")
    assert ran.code == 0, ran.err
    assert taken_apart(record(tmp_path / "before")) == list(B)

    ran = mpc("run", written(tmp_path, task=asked), "--out", tmp_path / "after")
    assert ran.code == 3
    said = " ".join(ran.err.split())
    assert "column smoker: some value" in said and "min_cell = 5" in said and "join rare levels" in said
    told = record(tmp_path / "after")
    assert told["model"] is None and told["revealed"] == [] and told["error"]["code"] == "data"
    helper = (tmp_path / "after" / "helper.log").read_text()
    assert "smoker" not in helper and "min_cell" not in helper

    ran = mpc("run", written(tmp_path, (6, 14, 30, 50), task=asked), "--out", tmp_path / "fine")
    assert ran.code == 0, ran.err
    told = record(tmp_path / "fine")
    assert taken_apart(told) == [6, 14, 30, 50]  # all of which may be told
    assert told["revealed"][0]["what"] == "cells of the model"
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out


def test_a_line_tells_how_many_have_the_flag(tmp_path: Path) -> None:
    few = (1, 2, 30, 50)
    ran = mpc("run", written(tmp_path, few, task="min_cell = 1\n", linear=True), "--out", tmp_path / "before")
    assert ran.code == 0, ran.err
    assert smokers(record(tmp_path / "before"), sum(A) + sum(few)) == [3, 80]
    ran = mpc("run", written(tmp_path, few, linear=True), "--out", tmp_path / "after")
    assert ran.code == 3 and "column smoker: some value" in " ".join(ran.err.split())
    ran = mpc("run", written(tmp_path, B, linear=True), "--out", tmp_path / "fine")
    assert ran.code == 0, ran.err  # 20 and 80, of no class


def written_split(folder: Path) -> Path:
    """One has the stroke, the other the smoker, of the same patients."""
    pairs = np.repeat([(1, 1), (1, 0), (0, 1), (0, 0)], B, axis=0)
    for name, column, k in (("a", "stroke", 1), ("b", "smoker", 0)):
        rows = [(i, int(pair[k])) for i, pair in enumerate(pairs)]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("patient", column), *rows])
    text = two_owners("logistic_regression", "one flag") + SETTINGS.replace("TARGET", "stroke")
    text = text.replace('features = ["smoker"]\n', 'partition = "vertical"\nid = "patient"\nsolver = "newton"\n')
    path = folder / "flag.toml"
    path.write_text(text.replace('"inference"', '"model"') + "l2 = 0.01\n")
    return path


def test_split_columns_tell_a_flag_by_class(tmp_path: Path) -> None:
    path = written_split(tmp_path)
    path.write_text(path.read_text() + "min_cell = 1\n")
    ran = mpc("run", path, "--out", tmp_path / "before")
    assert ran.code == 0, ran.err
    path.write_text(path.read_text().replace("min_cell = 1\n", ""))
    ran = mpc("run", path, "--out", tmp_path / "after")
    assert ran.code == 3 and "column smoker: some value" in " ".join(ran.err.split())
    path.write_text(path.read_text() + "min_cell = 3\n")
    assert mpc("run", path, "--out", tmp_path / "three").code == 3
    few = (tmp_path / "a.csv").read_text().splitlines()
    (tmp_path / "a.csv").write_text(
        "\n".join([few[0], *(f"{i},{int(i < 5 or 40 < i < 60)}" for i in range(100))]) + "\n"
    )
    ran = mpc("run", path, "--out", tmp_path / "fine")
    assert ran.code == 0, ran.err
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out


def test_consent_and_plan_say_which_cells_are_too_small(tmp_path: Path) -> None:
    plan = mpc("plan", written(tmp_path, task="min_cell = 7\n"), "--json")
    (first, *_) = json.loads(plan.out)["reveals"]
    assert first["what"] == "cells of the model" and "too small; with two owners" in first["why"]
    off = json.loads(mpc("plan", written(tmp_path, task="min_cell = 1\n"), "--json").out)
    assert "cells of the model" not in [one["what"] for one in off["reveals"]]
    assert json.loads(plan.out)["rounds"] == off["rounds"] + 2


def test_plan_and_approval_say_what_split_columns_leave_untested(tmp_path: Path) -> None:
    path = written_split(tmp_path)
    planned = {one["what"]: one["why"] for one in json.loads(mpc("plan", path, "--json").out)["reveals"]}
    blocks = consent_blocks(load_scenario(path), "a", dict.fromkeys(("a", "b", "helper"), "key"))
    shown = {row[0]: row[-1] for block in blocks if isinstance(block, Grid) for row in block.rows}
    for told in (planned, shown):
        said = "Not tested: combinations of two owners' columns, nor a column of many values by the classes"
        assert said in told["cells of the model"]
