"""What owners agree to learn of all their data, from the plan to the record: missing values, and unlike ranges."""

from __future__ import annotations

from pathlib import Path

from tests.run.command import mpc, record
from tests.run.mistakes import cell, column
from tests.run.scenarios import FEATURES, write_scenario


def test_missing_values_and_units_are_planned_told_and_kept(tmp_path: Path) -> None:
    reveal = ["model", "metrics", "missing"]
    path = write_scenario(tmp_path, missing="mean", reveal=reveal, compare_ranges=True)
    column("years", lambda _, old: repr(1000 * float(old)))(tmp_path)
    cell("dose", "")(tmp_path)
    text = (tmp_path / "hospital_a.csv").read_text().splitlines()
    text[2:4] = [",".join((line.split(",")[0], "", *line.split(",")[2:])) for line in text[2:4]]
    (tmp_path / "hospital_a.csv").write_text("\n".join(text) + "\n")

    plan = mpc("plan", path)
    assert plan.code == 0, plan.err
    said = " ".join(plan.out.replace("|", " ").split())
    for words in ("missing values", "range comparison", "each can subtract its own part", "data summary"):
        assert words in said

    ran = mpc("run", path, "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "out")
    assert found["data"] == {
        "missing": {"years": 2, "dose": 1, "marker": 0, "outcome": 0},
        "unlike_ranges": ["years"],
    }
    assert set(found["model"]["features"]) == set(FEATURES)
    assert [item["what"] for item in found["revealed"]][1:3] == ["missing values", "range comparison"]
    assert "column years: its typical values differ 10 times or more between owners" in " ".join(ran.err.split())
    assert "Rounds and bytes sent were as planned, exactly" in ran.out
    for page in (ran.out, (tmp_path / "out" / "report.html").read_text()):
        assert "Values that were missing, over all owners" in page and "UNITS: typical values differ" in page
    for name in ("hospital_a", "hospital_b"):
        assert "column years: its typical values" in (tmp_path / "out" / f"{name}.log").read_text()
    assert "years" not in (tmp_path / "out" / "helper.log").read_text()


def test_the_hint_is_given_before_a_training_that_fails_of_it(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, compare_ranges=True, standardise=False)
    column("marker", lambda _, old: repr(10_000 * float(old)))(tmp_path)
    ran = mpc("run", path, "--out", tmp_path / "out")
    assert ran.code == 3
    assert "column marker: its typical values differ" in " ".join(ran.err.split())
    assert "data" not in record(tmp_path / "out")
