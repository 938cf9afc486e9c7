"""The plan as a newcomer reads it: several owners, many columns, long runs."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rich.console import Console

from mpc.runtime.plan import Plan
from parties.report.plan import plan_json, print_plan
from parties.scenario.file import Scenario
from parties.tasks.logistic.plan import USES
from parties.tasks.registry import load_scenario, planned
from protocols.rows.settings import TrainingSettings

SIZES = [(2, 30, 300, 10), (3, 100, 30_000, 4), (5, 80, 500, 2)]


@lru_cache
def plan_of(owners: int, columns: int, rows: int, epochs: int) -> tuple[TrainingSettings, Plan, Scenario]:
    text = ['schema = 1\nname = "read"']
    text += [f'[parties.the_university_hospital_of_{k}]\nrole = "owner"\nrows = {rows}' for k in "abcdef"[:owners]]
    text += ['[parties.helper]\nrole = "helper"\n[task]\nkind = "logistic_regression"\ntarget = "ill"']
    text += [f"epochs = {epochs}\nbatch_size = 1000\nfeatures = {[f'column_{k}' for k in range(columns)]}"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "read.toml"
        path.write_text("\n".join(text))
        scenario = load_scenario(path)
    return *planned(scenario), scenario


def lines(size: tuple[int, int, int, int]) -> list[str]:
    settings, plan, scenario = plan_of(*size)
    file = io.StringIO()
    print_plan(plan, settings, scenario, console=Console(file=file, width=100, color_system=None))
    return file.getvalue().splitlines()


@pytest.mark.parametrize("size", SIZES)
def test_cost_and_what_is_learnt_come_before_the_details(size: tuple[int, int, int, int]) -> None:
    text = lines(size)
    _, plan, _ = plan_of(*size)
    order = ["What each party sends", "Time on the wire", "What the owners will learn", "What helper will learn",
             "Random numbers that helper deals", "How exactly numbers are held"]  # fmt: skip
    places = [next(k for k, line in enumerate(text) if line.startswith(title)) for title in order]
    assert places == sorted(places)
    head = " ".join(text[:5])
    assert f"{size[0]} owners and a helper" in head
    assert f"{len(plan.rounds):,} rounds; each owner sends " in head
    assert "on a wide-area network." in head
    assert text[-1] == plan.digest
    assert max(map(len, text)) <= 100
    assert len(text) <= 106


@pytest.mark.parametrize("size", SIZES)
def test_every_kind_of_random_number_says_what_it_is_for(size: tuple[int, int, int, int]) -> None:
    settings, plan, scenario = plan_of(*size)
    assert set(plan_json(plan, settings, scenario)["correlations"]) <= set(USES)


def test_a_check_in_many_parts_is_one_line() -> None:
    text = lines(SIZES[1])
    _, plan, _ = plan_of(*SIZES[1])
    parts = [item for item in plan.reveals if item.what == "range check"]
    assert len(parts) > 1
    assert len([line for line in text if line.startswith("range check (")]) == 1
    row = next(line for line in text if line.startswith("range check ("))
    assert row.split()[:5] == ["range", "check", f"({len(parts)}", "times)", str(len(parts))]
