"""`kind = "statistics"` by the command, each party a process: what hospitals have, beside the pooled rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from parties.doctor.checks import check_data
from parties.doctor.estimate import PlanEstimate, estimate_plan
from parties.tasks.registry import load_scenario, planned
from tests.pooled_statistics import check_statistics
from tests.run.command import ROOT, mpc, record
from tests.run.tables import DATA, each_by_a_command, hips, write_tables

REGISTRY = ROOT / "scenarios" / "registry_statistics.toml"
SURVIVAL = 18 + 61 + 3 * 10
"""Rounds of its curves: of three owners, at 61 points of its grid, in four windows."""


def test_the_registry_gives_what_the_pooled_rows_give(tmp_path: Path) -> None:
    ran = mpc("run", REGISTRY, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    told = record(tmp_path / "run")
    settings, plan = planned(load_scenario(REGISTRY))
    rows = hips()
    assert rows.isna().to_numpy().sum() > 200
    assert check_statistics(told["statistics"], rows, settings) > 100
    assert told["model"] is None
    assert told["plan"]["digest"] == plan.digest and told["plan"]["rounds"] == 17 + SURVIVAL + 5 + 28
    kinds = {"withheld cells", "counts", "sums", "centred squares", "values on grids"}
    kinds |= {"times between points", "stretches", "expected events"}
    assert {item["what"] for item in told["revealed"]} == kinds
    of_women = told["statistics"]["columns"]["pain_before"][0]  # beside north, two hospitals lack it in 3 women
    assert of_women["count"] is None and of_women["mean"] is None and "missing" in of_women["withheld"]
    assert told["statistics"]["columns"]["pain_before"][1]["mean"] > 50
    assert told["statistics"]["histograms"]["age"]["groups"][0]["merged"] == [{"from": None, "to": 60.0, "count": 87}]
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
    for words in (
        "Rows in each group",
        "Histogram of age, by sex",
        "Correlations (Pearson)",
        "Log-rank",
        "Kaplan-Meier",
        "Bins together: sex f, under 60: 87.",
        "* withheld: for some owner, the others have 1 to 4 patients",
    ):
        assert words in ran.out
    report = (tmp_path / "run" / "report.html").read_text()
    assert "Kaplan-Meier" in report and "Differences of means (Welch)" in report and "* withheld" in report


def test_a_small_group_is_withheld_with_all_that_gives_it_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    tables = {}
    for name, rare in (("a", 2), ("b", 1)):
        ward = np.repeat(["north", "south", "east"], (30, rare, 40))
        tables[name] = pd.DataFrame({"ward": ward, "dose": rng.normal(5, 2, len(ward)).round(3)})
    path = write_tables(
        tmp_path,
        tables,
        'kind = "statistics"\ncolumns = ["dose"]\nstatistics = ["mean"]\nby = "ward"\n'
        '[task.categories]\nward = ["east", "north", "south"]\n',
    )
    ran = mpc("run", path, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "run")["statistics"]
    assert found["by"]["rows"] == [80, None, None] and found["by"]["without"] is None
    assert found["columns"]["dose"][2] == {"group": "south", "count": None, "mean": None, "withheld": ["count", "mean"]}
    assert found["columns"]["dose"][0]["mean"] > 4 and found["columns"]["dose"][1]["mean"] is None
    assert "Rounds and bytes sent were as planned" in ran.out


def test_the_plan_says_that_two_owners_learn_others_addends(tmp_path: Path) -> None:
    text = REGISTRY.read_text().replace("data/", f"{DATA}/")
    two = tmp_path / "two.toml"
    two.write_text(text.replace(f'[parties.west]\nrole = "owner"\ndata = "{DATA}/hips_west.csv"\n', ""))
    ran = mpc("plan", two)
    assert ran.code == 0, ran.err
    assert "With two owners, each learns the other's part" in ran.out
    assert "each can subtract its own part and" in " ".join(ran.out.split())  # in the table of what is revealed
    facts = json.loads(mpc("plan", two, "--json").out)
    assert facts["rounds"] == 11 + SURVIVAL - 4 + 5 + 28 and facts["statistics"]["cells"]["fixation x smoker"] == [
        2,
        2,
        3,
    ]
    assert facts["helper"]["opened"] == [] and facts["statistics"]["min_cell"] == 5
    for words in (
        "Small cells (min_cell = 5)",
        "11 rounds of comparisons under sharing",
        "Dominance (75 %)",
        "in a loop: bmi",
    ):
        assert words in ran.out.replace("\n", " ")


def test_both_owners_get_the_same_and_the_helper_nothing(tmp_path: Path) -> None:
    told = each_by_a_command(tmp_path, REGISTRY)
    assert told["north"]["statistics"] == told["east"]["statistics"] == told["west"]["statistics"]
    assert check_statistics(told["west"]["statistics"], hips(), planned(load_scenario(REGISTRY))[0]) > 100
    assert "statistics" not in told["helper"] and told["helper"]["revealed"] == []
    (first, _) = (json.loads(line) for line in (tmp_path / "keys" / "releases.jsonl").read_text().splitlines()[:2])
    assert "sums" in first["revealed"] and "bmi" in first["columns"]


def test_a_doctor_and_a_plan_know_what_the_file_states(tmp_path: Path) -> None:
    text = REGISTRY.read_text().replace("data/", f"{DATA}/")
    for name, rows in (("north", 420), ("east", 310), ("west", 180)):
        text = text.replace(f'data = "{DATA}/hips_{name}.csv"', f"rows = {rows}")
    path = tmp_path / "stated.toml"
    path.write_text(text)
    assert planned(load_scenario(path))[1].rounds == planned(load_scenario(REGISTRY))[1].rounds
    one = load_scenario(REGISTRY)
    table, findings = check_data(one, "east")
    assert table is not None and "310 rows, 9 columns that are used" in findings[0].text
    known = estimate_plan(one, table)
    assert isinstance(known, PlanEstimate) and known.assumed == ", as if north, west had 310 rows"
