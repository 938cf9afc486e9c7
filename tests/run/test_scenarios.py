"""scenarios/three_hospitals.toml: its data are what the tool writes, and it runs as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from parties.data import load_owner_table
from parties.scenario import load_scenario
from tests.run.command import ROOT, mpc, record
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
    kinds = {scenario.data_path(owner).suffix for owner in scenario.owners}
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


def test_it_runs_as_it_is_and_the_model_is_the_twins(result: dict[str, Any]) -> None:
    assert result["status"] == "ok"
    assert set(result["parties"]) == {*OWNERS, "helper"}
    pooled = result["comparison"]["pooled"]
    assert pooled["max_abs_weight_difference"] <= 1e-3
    for name in ("train", "test"):
        joint, twin = result["metrics"][name], pooled[name]
        assert joint["rows"] == twin["rows"]
        assert joint["confusion"] == twin["confusion"]
        assert abs(joint["auc"] - twin["auc"]) <= 0.005
    assert result["model"]["features"] == list(FEATURES)  # in the first owner's order


def test_it_costs_what_was_planned(result: dict[str, Any]) -> None:
    for name, party in result["parties"].items():
        assert party["bytes_sent"] == result["plan"]["bytes"][name]
        assert party["rounds"] == (result["plan"]["rounds"] if name != "helper" else 0)
