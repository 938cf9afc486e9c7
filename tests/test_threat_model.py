"""The threat model's table of what is opened names all that any scenario's plan can reveal, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from mpc.runtime.plan import Plan
from parties.tasks.registry import Plans, load_scenario, planned
from tests.scenario_texts import STATISTICS

ROOT = Path(__file__).resolve().parent.parent
ROWS = 40

HORIZONTAL = "partition = 'horizontal'\nfeatures = ['x', 'z']\n"
VERTICAL = "partition = 'vertical'\nid = 'i'\n"
INFERENCE = "reveal = ['metrics', 'inference', 'calibration']\n"
TRAININGS = {
    "defaults": "",
    "not standardised": "standardise = false\n",
    "private": "standardise = 'private'\nl2 = 0.01\n",
    "stopped": "solver = 'newton'\niterations = 20\ntolerance = 0.01\nl2 = 0.01\n",
    "by class": "class_weights = 'balanced'\n",
    "kept": "reveal = ['metrics']\n",
    "inference": INFERENCE,
    "with an offset": INFERENCE + "offset = 'o'\n",
    "with weights": INFERENCE + "weights = 'w'\n",
}
ROWS_ONLY = {
    "missing": "reveal = ['model', 'missing']\nmissing = 'drop'\n",
    "ranges": "compare_ranges = true\n",
    "open-fisher": INFERENCE + "inference = 'open-fisher'\n",
}
LINES = {"line": "", "weighted line": "weights = 'w'\n", "line with an offset": "offset = 'o'\n"}
LINES_OF_ROWS = {
    "open-gram": "inference = 'open-gram'\n",
    "held out": "reveal = ['inference', 'metrics', 'missing']\nmissing = 'drop'\ntest_fraction = 0.2\n",
}
EVERY_STATISTIC = STATISTICS.replace(
    '["count", "sd", "max"]', '["count", "missing", "sum", "mean", "variance", "sd", "min", "max"]'
)


def scenarios() -> Iterator[tuple[str, str]]:
    """Scenarios in which every setting that has to do with what is opened has each of its values somewhere."""
    for split, only in ((HORIZONTAL, ROWS_ONLY), (VERTICAL, {})):
        for name, task in (TRAININGS | only).items():
            if split == VERTICAL and name == "private":
                continue
            yield f"{name}, {split[13:18]}", f"kind = 'logistic_regression'\ntarget = 'y'\n{split}{task}"
    for split, only in ((HORIZONTAL, LINES_OF_ROWS), (VERTICAL, {})):
        for name, task in (LINES | only).items():
            yield f"{name}, {split[13:18]}", f"kind = 'linear_regression'\ntarget = 'y'\n{split}{task}"
    yield "statistics", f"kind = 'statistics'\n{EVERY_STATISTIC}"
    yield "all statistics", f"kind = 'statistics'\nmin_cell = 0\n{EVERY_STATISTIC}"
    private = "[privacy]\nepsilon = 1\nclip = { x = [0, 1] }\n"
    yield "private", f"kind = 'statistics'\ncolumns = ['x']\n{private}"
    yield "private training", f"kind = 'logistic_regression'\ntarget = 'y'\n{private}"
    clips = private.replace("[0, 1] }", "[0, 1], y = [0, 1] }")
    yield "private line", f"kind = 'linear_regression'\ntarget = 'y'\n{clips}"
    yield "private training of columns", f"kind = 'logistic_regression'\ntarget = 'y'\n{VERTICAL}{private}"
    output = private.replace("epsilon", "method = 'output'\nepsilon")
    yield "private output", f"kind = 'logistic_regression'\ntarget = 'y'\n{output}"


def plan_of(folder: Path, task: str, owners: int) -> Plan:
    text = "schema = 1\nname = 'told'\n"
    for k in range(owners):
        width = "features = ['x']\n" if "vertical" in task else ""
        rows = "" if "privacy" in task else f"rows = {ROWS}\n"
        text += f"[parties.owner{k}]\nrole = 'owner'\n{rows}{width}"
    (folder / "told.toml").write_text(f"{text}[parties.helper]\nrole = 'helper'\n[task]\n{task}")
    return planned(load_scenario(folder / "told.toml"))[1]


@cache
def every_plan(folder: Path) -> dict[str, Plan]:
    plans = {
        f"{name}, {owners} owners": plan_of(folder, task, owners) for name, task in scenarios() for owners in (2, 3)
    }
    for name in ("predict", "split_predict"):
        for output in ("probability", "class"):
            text = (ROOT / "scenarios" / f"{name}.toml").read_text().replace("grid = 0.01", "")
            (folder / f"{name}.toml").write_text(text.replace('"probability"', f'"{output}"'))
            one = load_scenario(folder / f"{name}.toml")
            rows = dict.fromkeys(one.owners, (2, 0))
            plans[f"{name} {output}"] = Plans().of(one, rows, 10)[1]
    return plans


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Plan]:
    return every_plan(tmp_path_factory.mktemp("plans"))


def table() -> dict[str, str]:
    """What the table's rows name, each with its row."""
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = text.split("| opened | when | what it tells |\n|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    return {what: row for row in rows for what in re.findall(r"`([^`]+)`", row.split("|")[1])}


def named_in_the_protocols() -> set[str]:
    """Every text, or constant of a text, that a protocol gives as `what` of a value that is opened."""
    found = set()
    for path in (ROOT / "protocols").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") == "encode":
                continue
            for keyword in node.keywords:
                value = keyword.value
                if keyword.arg == "what" and isinstance(value, ast.Constant):
                    found.add(str(value.value))
                elif keyword.arg == "what" and isinstance(value, ast.Name) and value.id in constants:
                    found.add(str(constants[value.id]))
    return found


def test_the_scenarios_here_reach_all_that_a_protocol_opens(plans: dict[str, Plan]) -> None:
    named = named_in_the_protocols()
    assert {"model", "cells of the model", "withheld cells"} <= named
    assert sorted(named - {item.what for plan in plans.values() for item in plan.reveals}) == []


def test_the_table_names_all_that_is_opened_and_nothing_else(plans: dict[str, Plan]) -> None:
    opened = {item.what: name for name, plan in plans.items() for item in plan.reveals}
    rows = table()
    assert {what: name for what, name in opened.items() if what not in rows} == {}
    assert sorted(set(rows) - set(opened)) == []


def test_plan_and_table_agree_on_what_two_owners_learn(
    plans: dict[str, Plan],
) -> None:
    rows = table()
    for name, plan in plans.items():
        for item in plan.reveals:
            said = "of two owners" in rows[item.what]
            if said and len(plan.owners) == 2 and "verti" not in name and "split" not in name:
                assert "with two owners" in item.why, (name, item.what)
            assert len(plan.owners) == 2 or "with two owners" not in item.why
