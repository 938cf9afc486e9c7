"""`mpc audit`, as a user calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from parties.cli.command import carry_out
from protocols.statistics.private import job as private
from tests.parties.audit.test_membership import rows
from tests.run.command import mpc, record
from tests.scenario_texts import two_owners

TASK = 'target = "y"\nmin_rows_per_feature = 1\nsolver = "newton"\niterations = 8\nl2 = 0.01\ntest_fraction = 0.5\n'
PRIVATE = 'columns = ["x0"]\nstatistics = ["count", "sum"]\n[privacy]\nepsilon = 1\n[privacy.clip]\nx0 = [-3, 3]\n'


def study(folder: Path, kind: str = "logistic_regression", task: str = TASK) -> Path:
    for k, name in enumerate("ab"):
        (folder / f"{name}.csv").write_text(rows(k, 60, 6) + "\n")
    path = folder / "study.toml"
    path.write_text(two_owners(kind) + task)
    return path


def test_a_run_is_attacked_and_the_report_says_so(tmp_path: Path) -> None:
    path = study(tmp_path)
    assert mpc("run", path, "--out", tmp_path / "run").code == 0
    before = record(tmp_path / "run")
    ran = mpc("audit", tmp_path / "run", "--shadows", "32", "--attack", "membership", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "the model's weights of this run: 60 patients in it, 60 held out" in ran.out
    assert "audit: membership" in ran.err
    after = record(tmp_path / "run")
    assert {key: after[key] for key in before} == before
    assert [one["attack"] for one in after["audit"]["found"]] == ["membership", "membership"]
    assert "What attacks gained" in (tmp_path / "run" / "report.html").read_text()
    assert "What attacks gained" not in ran.out and "Attacker: a and b" in mpc("report", tmp_path / "run").out


def test_a_study_is_attacked_without_a_run(tmp_path: Path) -> None:
    path = study(tmp_path)
    quick = ("--shadows", "16", "--attack", "epsilon", "--attack", "membership")
    first, again = (mpc("audit", path, *quick, "--json") for _ in range(2))
    found, other = json.loads(first.out), json.loads(again.out)
    assert found["of"] == "study" and not found["contradicts"]
    assert found["not_tried"][0]["attack"] == "epsilon"
    assert found["found"] == other["found"]  # it comes out the same again
    seeded = json.loads(mpc("audit", path, *quick, "--json", "--seed", "2").out)
    assert seeded["found"] != found["found"]


def test_a_run_of_another_scenario_is_refused(tmp_path: Path) -> None:
    path = study(tmp_path)
    assert mpc("run", path, "--out", tmp_path / "run").code == 0
    path.write_text(path.read_text().replace("0.01", "0.02"))
    ran = mpc("audit", tmp_path / "run", cwd=tmp_path)
    assert ran.code == 2 and "the scenario of the run" in ran.err and "--scenario FILE" in ran.err
    ran = mpc("audit", tmp_path / "run", "--scenario", path)
    assert ran.code == 2 and "is not the scenario of the run" in ran.err
    ran = mpc("audit", path, "--scenario", path)
    assert ran.code == 2 and "goes with the folder of a run" in ran.err


def test_what_cannot_be_attacked_is_said(tmp_path: Path) -> None:
    path = study(tmp_path)
    ran = mpc("audit", path, "--attack", "guessing")
    assert ran.code == 2 and "there is no attack 'guessing'" in ran.err and "membership" in ran.err
    path.write_text(path.read_text().replace(TASK, 'target = "nobody"\n'))
    assert mpc("audit", path).code == 3


def test_a_claim_that_cannot_be_true_ends_with_a_code_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study(tmp_path, "statistics", PRIVATE)
    monkeypatch.setattr(sys, "argv", ["mpc", "audit", str(path), "--attack", "epsilon", "--draws", "1000"])
    assert carry_out() == 0
    assert "Nothing contradicts the claim" in capsys.readouterr().out

    def unclipped(clip: private.Clip, values: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.rint((values - clip.centre) / clip.half * 2.0**private.FINE).astype(np.int64)

    monkeypatch.setattr(private.Clip, "fine", unclipped)
    assert carry_out() == 10
    told = capsys.readouterr()
    assert "THE CLAIM CANNOT BE TRUE" in told.out and "contradicts the scenario's claim" in told.err


def test_one_owner_asks_with_its_own_rows(tmp_path: Path) -> None:
    """As of a record of `mpc party`: the others' data are elsewhere."""
    path = study(tmp_path)
    assert mpc("run", path, "--out", tmp_path / "run").code == 0
    (tmp_path / "b.csv").unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.csv").rename(tmp_path / "elsewhere" / "mine.csv")
    own = ("--as", "a", "--data", tmp_path / "elsewhere" / "mine.csv")
    ran = mpc("audit", tmp_path / "run", *own, "--scenario", path, "--json")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    (one,) = found["found"]
    assert "by the rows of a alone: 30 in the run, 30 held out" in one["what"]
    assert one["figures"][0]["low"] < one["figures"][0]["value"] < one["figures"][0]["high"]
    assert mpc("audit", tmp_path / "run", "--scenario", path).code == 3  # b's data are not here
    ran = mpc("audit", path, *own)
    assert ran.code == 0 and "it takes a run that disclosed a model" in ran.out.replace("\n", " ")
    ran = mpc("audit", path, "--as", "nobody")
    assert ran.code == 2 and "no party 'nobody'" in ran.err
