"""What a curious owner tried with results: each was told by a run once, and is withheld now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.run.command import mpc, record
from tests.run.tables import write_tables


def run_of(folder: Path, tables: dict[str, pd.DataFrame], task: str) -> dict[str, Any]:
    """The record of a run that must be done."""
    path = write_tables(folder, tables, task)
    ran = mpc("run", path, "--out", folder / "run")
    assert ran.code == 0, ran.err
    return record(folder / "run")


def flags(ones: int, rows: int = 100) -> pd.DataFrame:
    """A column of zeros and so many ones."""
    return pd.DataFrame({"fracture": np.repeat([1, 0], (ones, rows - ones)), "age": np.arange(rows) % 61 + 30})


def test_the_mean_of_a_flag_does_not_tell_anothers_two_fractures(tmp_path: Path) -> None:
    task = 'kind = "statistics"\ncolumns = ["fracture", "age"]\ncorrelations = ["age", "fracture"]\n'
    task += '[[task.t_tests]]\ncolumn = "fracture"\nbetween = "arm"\n[task.categories]\narm = ["old", "new"]\n'
    tables = {name: flags(ones).assign(arm=["old", "new"] * 50) for name, ones in (("a", 10), ("b", 2))}
    found = run_of(tmp_path, tables, task)["statistics"]
    (fracture,), (age,) = (found["columns"][name] for name in ("fracture", "age"))
    assert (fracture["count"], fracture["mean"], fracture["sd"]) == (200, None, None)
    assert fracture["withheld"] == ["mean", "sd"] and age["mean"] > 50
    assert found["correlations"][0]["groups"][0]["r"] is None and found["correlations"][0]["groups"][0]["count"] == 200
    assert found["t_tests"][0]["groups"][0]["samples"][0]["mean"] is None


def test_a_median_above_two_patients_of_another_is_withheld(tmp_path: Path) -> None:
    mine = [*range(40, 66)] * 4 + [66] * 6
    tables = {
        "a": pd.DataFrame({"age": mine}),
        "b": pd.DataFrame({"age": [50, 51, 66, *[70 + k % 20 for k in range(97)]]}),
    }
    task = 'kind = "statistics"\ncolumns = ["age"]\nquantiles = [0.5, 0.3333333333333333]\n'
    (age,) = run_of(tmp_path, tables, f"{task}[task.grid]\nage = {{ from = 0, to = 110, step = 1 }}\n")["statistics"][
        "columns"
    ]["age"]
    assert age["count"] == 210 and age["mean"] > 60 and age["withheld"] == ["quantiles"]
    assert set(age["quantiles"].values()) == {None}


def test_sums_over_two_rows_of_an_owner_are_not_opened(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    whole = pd.DataFrame({"age": rng.normal(60, 9, 46).round(1), "ill": np.arange(46) % 2})
    tables = {"a": whole[:36], "b": whole[36:]}  # of ten rows of b two are left to train on
    task = 'kind = "logistic_regression"\ntarget = "ill"\ntest_fraction = 0.8\nreveal = ["model"]\nl2 = 0.1\n'
    ran = mpc("run", write_tables(tmp_path, tables, task), "--out", tmp_path / "run")
    assert ran.code == 3 and "min_rows = 20" in ran.err
    revealed = record(tmp_path / "run")["revealed"]
    assert not any("means" in one["what"] for one in revealed)


def test_metrics_are_not_told_of_two_held_out_rows_of_an_owner(tmp_path: Path) -> None:
    """The plan says so too. Where nothing is told of held-out rows, or an owner has none, the run goes on."""
    rng = np.random.default_rng(7)
    whole = pd.DataFrame({"age": rng.normal(60, 9, 120).round(1), "ill": rng.integers(0, 2, 120)})
    tables = {"a": whole[:96], "b": whole[96:]}  # of 24 rows of b two are held out
    task = 'kind = "logistic_regression"\ntarget = "ill"\ntest_fraction = 0.1\nreveal = ["model"%s]\nl2 = 0.1\n'
    path = write_tables(tmp_path, tables, task % ', "metrics"')
    ran, planned = mpc("run", path, "--out", tmp_path / "run"), mpc("plan", path)
    for refused in (ran, planned):
        assert refused.code == 3 and "b has 2 held-out rows, and min_cell = 5" in refused.err
    assert record(tmp_path / "run")["revealed"] == []
    assert mpc("run", write_tables(tmp_path, tables, task % ""), "--out", tmp_path / "other").code == 0
