"""From a scenario to a data frame: three_hospitals.toml, `mpc new`, `mpc report`, and docs/results.md as written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from parties.data.table import load_owner_table
from parties.tasks.registry import load_scenario
from tests.run.command import ROOT, environment, mpc, record
from tools.make_three_hospitals import FEATURES, deal_out, write_three_hospitals

SCENARIO = ROOT / "scenarios" / "three_hospitals.toml"
DATA = ROOT / "scenarios" / "data"
OWNERS = ("north", "east", "west")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("it's made")
    write_three_hospitals(folder)
    return folder


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("three") / "record"
    ran = mpc("run", SCENARIO, "--out", out)
    assert ran.code == 0, ran.err
    return record(out)


def everything(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in the Parquet file and in the database, in their order."""
    found = {}
    with duckdb.connect(str(folder / "hospital_west.duckdb"), read_only=True) as connection:
        for name in ("images", "diagnoses"):
            found[name] = [*connection.execute(f"describe {name}").fetchall()]
            found[name] += connection.execute(f"select * from {name} order by rowid").fetchall()
    with duckdb.connect() as connection:
        table = connection.execute("select * from read_parquet(?)", [str(folder / "hospital_east.parquet")])
        found["masses"] = [tuple(column[0] for column in table.description), *table.fetchall()]
    return found


def test_the_files_hold_what_the_tool_writes(made: Path) -> None:
    name = "hospital_north.csv"
    assert (made / name).read_bytes() == (DATA / name).read_bytes()
    # Another release of DuckDB may write the same tables as other bytes.
    assert everything(made) == everything(DATA)


def test_every_patient_of_the_demo_is_at_one_of_the_hospitals() -> None:
    dealt = [(*measured.values(), malignant) for patients in deal_out().values() for measured, malignant in patients]
    demo = []
    for name in ("hospital_a.csv", "hospital_b.csv"):
        lines = (DATA / name).read_text(encoding="utf-8").splitlines()
        names = lines[0].split(",")
        rows = [dict(zip(names, line.split(","), strict=True)) for line in lines[1:]]
        demo += [(*(row[name] for name in FEATURES), row["malignant"] == "1") for row in rows]
    assert len(dealt) == 569
    assert sorted(dealt) == sorted(demo)


def test_all_three_kinds_of_table_give_the_same_columns() -> None:
    scenario = load_scenario(SCENARIO)
    sources = (scenario.data_source(owner) for owner in scenario.owners)
    kinds = {Path(one if isinstance(one, str) else one.database).suffix for one in sources}
    assert kinds == {".csv", ".parquet", ".duckdb"}
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    assert tuple(tables) == OWNERS
    dealt = deal_out()
    for owner, table in tables.items():
        assert set(table.columns) == set(FEATURES)
        assert not table.ignored
        assert table.rows == len(dealt[owner])
        values = table.select(FEATURES).values
        assert [[float(text) for text in measured.values()] for measured, _ in dealt[owner]] == values.tolist()
        assert [float(malignant) for _, malignant in dealt[owner]] == table.target.tolist()
    assert tables["east"].columns == FEATURES[::-1]  # each file's own order


def test_it_runs_as_it_is_and_the_model_is_the_references(result: dict[str, Any]) -> None:
    assert result["status"] == "ok"
    assert set(result["parties"]) == {*OWNERS, "helper"}
    pooled = result["comparison"]["pooled"]
    assert pooled["max_abs_weight_difference"] <= 1e-3
    for name in ("train", "test"):
        joint, reference = result["metrics"][name], pooled[name]
        assert joint["rows"] == reference["rows"]
        assert joint["confusion"] == reference["confusion"]
        assert abs(joint["auc"] - reference["auc"]) <= 0.005
    assert result["model"]["features"] == list(FEATURES)  # in the first owner's order


def test_it_costs_what_was_planned(result: dict[str, Any]) -> None:
    for name, party in result["parties"].items():
        assert party["bytes_sent"] == result["plan"]["bytes"][name]
        assert party["rounds"] == (result["plan"]["rounds"] if name != "helper" else 0)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as docs/results.md has it: two runs, made with its own commands, and one that failed."""
    folder = tmp_path_factory.mktemp("results")
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    for name in ("first", "second"):
        words = ("run", "scenarios/two_hospitals.toml", "--out", f"runs/{name}")
        ran = mpc(*words, cwd=folder)
        assert ran.code == 0, ran.err
    failed = folder / "scenarios" / "failed.toml"
    failed.write_text((folder / "scenarios" / "two_hospitals.toml").read_text().replace("hospital_b.csv", "none.csv"))
    assert mpc("run", failed, "--out", "runs/third", cwd=folder).code == 3
    return folder


def test_the_examples_of_the_results_page(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(results)
    found: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/results.md", "exec"), found)
    run = record(results / "runs" / "first")

    parties: pd.DataFrame = found["parties"]
    assert list(parties["party"]) == ["hospital_a", "hospital_b", "helper"]
    assert list(parties["bytes_sent"]) == [party["bytes_sent"] for party in run["parties"].values()]
    assert parties["seconds.online"].dtype == np.float64
    weights: pd.DataFrame = found["weights"]
    assert weights["weights"].to_dict() == dict(zip(run["model"]["features"], run["model"]["weights"], strict=True))
    assert weights["standardised_weights"].abs().is_monotonic_decreasing
    quality: pd.DataFrame = found["quality"]
    assert list(quality.index) == ["hospital_a", "hospital_b", "together", "pooled"]
    assert quality.loc["together", "auc"] == run["metrics"]["test"]["auc"]

    malignant = found["patients"]["malignant"]
    assert ((found["risk"] > 0.5) == (malignant == 1)).mean() > 0.9
    assert found["risk"].between(0, 1).all()

    overview: pd.DataFrame = found["overview"]
    assert list(overview["status"]) == ["ok", "ok", "failed"]
    assert overview["metrics.test.auc"].notna().tolist() == [True, True, False]
    assert overview["scenario.digest"].nunique() == 1  # the digest says nothing of where the data are
    assert list(found["both"].columns) == ["first", "second"]
    assert len(found["both"]) == 30
    assert 0 < found["difference"] < 0.1


def test_the_results_page_names_every_field_of_a_record(results: Path) -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    fields = set(record(results / "runs" / "first")) - {"schema"}
    assert {field for field in fields if f"`{field}`" not in text} == set()


def test_the_report_can_be_had_again(results: Path) -> None:
    out = results / "runs" / "first"
    before = (out / "report.html").read_text(encoding="utf-8")
    kept = (out / "result.json").read_bytes()
    (out / "report.html").unlink()
    ran = mpc("report", out)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("two-hospitals: done. 2 owners and 1 helper")
    assert f"Report: {out / 'report.html'}" in ran.out
    assert (out / "report.html").read_text(encoding="utf-8") == before
    assert (out / "result.json").read_bytes() == kept

    failed = mpc("report", results / "runs" / "third")
    assert failed.code == 0, "the report was written, whatever the run came to"
    assert "FAILED. " in failed.out
    assert "none.csv" in failed.out

    wrong = mpc("report", results)
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith(f"mpc: {results} is no record of a run: it holds no result.json\n")


def test_a_new_scenario_runs_as_its_last_lines_say(tmp_path: Path) -> None:
    made = mpc("new", "my study", cwd=tmp_path)
    assert made.code == 0, made.err
    *_, plan_line, run_line = made.out.splitlines()
    assert plan_line.split(maxsplit=2) == ["mpc", "plan", "'my study/scenario.toml'"]
    assert run_line.split(maxsplit=2) == ["mpc", "run", "'my study/scenario.toml'"]
    ran = mpc("run", "my study/scenario.toml", "--out", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    found = record(tmp_path / "out")
    assert found["scenario"]["name"] == "my study"
    assert found["comparison"]["pooled"]["max_abs_weight_difference"] <= 1e-3
    assert found["metrics"]["train"]["auc"] > 0.8
    assert [row["feature"] for row in found["inference"]][-1] == "(intercept)"
    assert all(row["odds_low"] < row["odds_ratio"] < row["odds_high"] for row in found["inference"])
    assert "columns that are not used" not in (tmp_path / "out" / "made_up_a.log").read_text()


def test_a_new_scenario_for_the_demos_own_files(tmp_path: Path) -> None:
    words = [word for name in ("hospital_north.csv", "hospital_east.parquet") for word in ("--data", DATA / name)]
    made = mpc("new", "study", *words, cwd=tmp_path)
    assert made.code == 0, made.err
    ran = mpc("run", "study/scenario.toml", "--out", "out", "--no-compare", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert set(record(tmp_path / "out")["model"]["features"]) == set(FEATURES)


def test_new_asks_nothing_but_says_what_it_lacks(tmp_path: Path) -> None:
    for name in ("x.csv", "y.csv"):
        (tmp_path / name).write_text("sex,ill,age\n" + "0,1,50\n1,0,60\n" * 10)
    ran = mpc("new", "study", "--data", "x.csv", "--data", "y.csv", cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "mpc: which column is to be predicted? 'sex' and 'ill' could be\n     name it with --target COLUMN\n"
    )
    assert not (tmp_path / "study").exists()
    ran = mpc("new", "study", "--data", "x.csv", "--data", "y.csv", "--target", "ill", cwd=tmp_path)
    assert ran.code == 0, ran.err


def test_help_loads_nothing_heavy() -> None:
    """So it answers at once, on any machine: what is loaded is counted, not the time."""
    code = (
        "import sys\nsys.argv = ['mpc', *sys.argv[1:]]\nfrom parties.cli.command import main\n"
        "try:\n    main()\nfinally:\n    import json\n    sys.stderr.write(json.dumps(sorted(sys.modules)))"
    )
    heavy = {"numpy", "duckdb", "pydantic", "pydantic_core", "rich", "zmq", "cryptography"}
    for words in (["--help"], ["--version"], ["run", "--help"], ["new", "--help"], ["report", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        loaded = set(json.loads(done.stderr))
        assert "click" in loaded
        assert not heavy & loaded, words
        ours = {name for name in loaded if name.split(".")[0] in ("mpc", "parties", "protocols")}
        assert {name for name in ours if not name.startswith("parties.cli")} == {
            "mpc", "mpc.errors", "parties", "parties.base", "parties.base.bugs", "parties.base.ending",
            "parties.base.version",
        }, words  # fmt: skip
        assert words != ["--help"] or all(f"\n  {name} " in done.stdout for name in ("new", "report", "run", "plan"))
