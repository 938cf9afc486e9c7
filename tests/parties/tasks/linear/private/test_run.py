"""`kind = "linear_regression"` with [privacy]: what is refused, what is told beside the noise, what the record says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from parties.report.page import report_html
from parties.report.plan import plan_json
from parties.report.record import add_comparison, record_of
from parties.report.summary import summary_blocks
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.show.blocks import Grid
from parties.tasks.linear.run import NOISY_LINEAR
from parties.tasks.linear.show import linear_figures
from parties.tasks.privacy.figures import split_reference
from parties.tasks.registry import planned
from protocols.linear.noisy_moments import NoisyLinear
from tests.parties.asked import asked_text
from tests.parties.shown import summary_text
from tests.parties.tasks.exact_numbers import check_not_told
from tests.studies import study_of_two

TASK = """target = "pain"
features = ["age", "arm", "sex"]
missing = "drop"
[task.categories]
arm = ["a", "b", "c"]
sex = ["f", "m"]
"""
CLIP = """[privacy.clip]
age = [20, 100]
pain = [0, 100]
"""
PRIVACY = "[privacy]\nepsilon = 4\n" + CLIP
SEED = "[testing]\ninsecure_seed = 5\n"
ROWS = 300


def csv(seed: int, rows: int = ROWS) -> str:
    rng = np.random.default_rng(seed)
    lines = ["age,arm,sex,pain,expected"]
    for _ in range(rows):
        age, arm, sex = rng.normal(60, 15), "abc"[rng.integers(3)], "fm"[rng.integers(2)]
        pain = 0.5 * age + 10 * (arm == "b") + 5 * (sex == "m") + rng.normal(0, 8)
        lines.append(f"{'' if rng.random() < 0.05 else f'{age:.1f}'},{arm},{sex},{pain:.1f},{0.5 * age:.1f}")
    return "\n".join(lines) + "\n"


def scenario(folder: Path, task: str = TASK, privacy: str = PRIVACY, rows: int = ROWS) -> Scenario:
    return study_of_two(folder, "linear_regression", task + privacy, *(csv(k, rows) for k in range(2)))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, dict[str, Any]]:
    one = scenario(tmp_path_factory.mktemp("private"), privacy=PRIVACY + SEED)
    return one, record_of(one, run_in_one_thread(one))


def test_record_holds_a_noisy_fit_near_the_exact_one(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    exact = add_comparison(one, record)["comparison"]["pooled"]["inference"]
    rows = record["inference"]
    assert [row["feature"] for row in rows] == ["age", "arm=b", "arm=c", "sex=m", "(intercept)"]
    for row, true in zip(rows, exact, strict=True):
        assert row["low"] < row["coefficient"] < row["high"]
        assert row["low"] < true["coefficient"] < row["high"]
        assert row["coefficient"] != pytest.approx(true["coefficient"], rel=1e-4)
        assert true["se"] < row["noise_se"] < row["se"]
        assert row["t"] is None and row["p"] is None
    low, high = record["fit"]["r2_interval"]
    assert 0 <= low <= record["fit"]["r2"] <= high <= 1
    assert [record["fit"][key] for key in ("rows", "ridge", "weights")] == [None, 0.0, None]


def test_record_says_what_was_spent_and_tells_no_rows(ran: tuple[Scenario, dict[str, Any]]) -> None:
    _, record = ran
    told = record["privacy"]
    assert (told["epsilon"], told["delta"], told["unit"]) == (4.0, 1e-6, "patient")
    (release,) = told["releases"]
    assert release["of"] == "age, arm=b, arm=c, sex=m, pain and 1"
    assert (release["what"], release["numbers"], release["share"]) == ("products", 21, 1.0)
    assert release["error"] == pytest.approx(1.96 * told["noise"]["deviation"], rel=1e-4)
    assert "rows" not in record and not any("rows_excluded" in party for party in record["parties"].values())
    assert [item["what"] for item in record["revealed"]] == ["noisy sums of products"]


def test_no_exact_number_is_in_the_record(ran: tuple[Scenario, dict[str, Any]]) -> None:
    """Of one owner or of all: rows, and what the exact fit has."""
    one, record = ran
    tables = [NOISY_LINEAR.data.load(one, owner) for owner in one.owners]
    exact = [float(sum(table.rows for table in tables))]
    exact += [float(table.rows) for table in tables]
    beside = add_comparison(one, record)["comparison"]
    fits = [beside["pooled"], *beside["alone"].values()]
    exact += [row[key] for fit in fits for row in fit["inference"] for key in ("coefficient", "se")]
    assert len(exact) > 20
    check_not_told(record, exact, 1e-5, 50)


def test_the_plan_has_the_settings(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    settings, plan = planned(one)
    assert isinstance(settings, NoisyLinear)
    facts = plan_json(plan, settings, one)
    assert facts["rounds"] == 1
    assert facts["privacy"]["releases"][0]["numbers"] == 21
    assert 50 < facts["rows_for_intervals"] < 400


def test_summary_and_page_show_epsilon_and_intervals(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    text, page = summary_text(record), report_html(record)
    for words in (
        "epsilon = 4 and delta = 1e-06 were spent, for each patient, on 1 release",
        "(95 % for the noise: ",
        "Values beyond [privacy.clip] count as the nearer end.",
        "Not covered by epsilon: that each owner has at least min_rows = 20 rows",
        "learn only that there are min_rows at least",
    ):
        assert words in text
        assert words in re.sub(r"\s+", " ", page)
    grids = {block.title: block for block in summary_blocks(record, Path("out")) if isinstance(block, Grid)}
    grid = grids["Coefficients per unit of the feature, with noise"]
    assert grid.columns == ("feature", "coefficient", "s.e.", "of noise alone", "95 % from", "to")
    assert "do not pass it on" in summary_text(add_comparison(one, record))
    assert "do not pass it on" not in text


def test_a_fit_that_is_too_noisy_has_no_intervals(tmp_path: Path) -> None:
    one = scenario(tmp_path, privacy=PRIVACY.replace("4", "0.1") + SEED, rows=40)
    record = record_of(one, run_in_one_thread(one))
    assert all(row[key] is None for row in record["inference"] for key in ("se", "low", "high"))
    assert record["fit"]["ridge"] > 0
    assert "The noise is too large for intervals" in summary_text(record)


def test_a_sweep_has_the_lines_without_noise(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    figures = linear_figures(add_comparison(one, record))
    assert {split_reference(name) for name in figures} == {
        (name, which) for name in ("R2", "RMSE") for which in (None, "without noise", "alone")
    }
    assert figures["RMSE"] > figures["RMSE, without noise"] > 7
    assert 0 < figures["R2"] < figures["R2, without noise"] < 1


def test_an_offset_is_taken_off_before_clipping(tmp_path: Path) -> None:
    asked = TASK.replace("missing", 'offset = "expected"\nmissing')
    one = scenario(tmp_path, asked, PRIVACY.replace("pain = [0, 100]", "pain = [-30, 50]").replace("4", "20") + SEED)
    record = record_of(one, run_in_one_thread(one))
    assert abs(record["inference"][0]["coefficient"]) < 0.2
    assert "Least squares of the target less expected" in summary_text(record)


def test_features_are_those_with_a_range_if_none_is_listed(tmp_path: Path) -> None:
    one = scenario(tmp_path, TASK.replace('features = ["age", "arm", "sex"]\n', ""))
    assert planned(one)[0].names == ("age", "arm=b", "arm=c", "sex=m")


def test_an_approval_shows_the_guarantee(tmp_path: Path) -> None:
    text = asked_text(scenario(tmp_path), "a")
    assert "epsilon = 4, delta = 1e-06, for each patient" in text
    assert "age from 20 to 100; pain from 0 to 100" in text
    assert "noisy sums of products" in text


def test_an_owner_with_too_few_rows_is_refused_by_itself(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rows of data, but an owner needs at least 20"):
        NOISY_LINEAR.data.load(scenario(tmp_path, rows=20), "a")


REFUSED = {
    "columns": ('partition = "vertical"\nid = "n"', "[task] partition does not go with [privacy]"),
    "means": ('missing = "mean"', 'missing = "mean" does not go with [privacy]'),
    "metrics": ('test_fraction = 0.2\nreveal = ["metrics"]', "test_fraction does not go with [privacy]"),
    "missing": ('reveal = ["missing"]\nmissing = "drop"', 'reveal = ["missing"] does not go with [privacy]'),
    "weights": ('weights = "expected"', "[task] weights does not go with [privacy]"),
    "open": ('inference = "open-gram"', "[task] inference does not go with [privacy]"),
    "cells": ("min_cell = 10", "[task] min_cell does not go with [privacy]"),
    "rows": ("min_rows_per_feature = 9", "[task] min_rows_per_feature does not go with [privacy]"),
    "products": ('features = ["age:sex"]', "a product with a column of numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_exact_is_refused(name: str, tmp_path: Path) -> None:
    line, words = REFUSED[name]
    task = TASK.replace('missing = "drop"', line)
    if "features" in line:
        task = task.replace('features = ["age", "arm", "sex"]\n', "")
    with pytest.raises(UsageError) as caught:
        scenario(tmp_path, task)
    assert words in str(caught.value)


WRONG = {
    "no range": ("[privacy]\nepsilon = 1\n[privacy.clip]\nage = [1, 9]\n", "[privacy.clip] does not list 'pain'"),
    "no feature": (
        "[privacy]\nepsilon = 1\n[privacy.clip]\npain = [1, 9]\n",
        "[privacy.clip] has no range of a feature",
    ),
    "another column": (PRIVACY + "bmi = [1, 9]\n", "[privacy.clip] lists 'bmi', which are not in the model"),
    "narrow": (PRIVACY.replace("[20, 100]", "[1e9, 1000000001]"), "[privacy.clip] age: so narrow a range"),
    "a method": (PRIVACY.replace("4\n", '4\nmethod = "output"\n'), '[privacy] method is for kind = "logistic'),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_privacy_is_named(name: str, tmp_path: Path) -> None:
    privacy, words = WRONG[name]
    listed = 'features = ["age", "arm", "sex"]\nmissing = "drop"\n'
    task = TASK if name != "no feature" else TASK.split(listed)[0]
    with pytest.raises(UsageError) as caught:
        scenario(tmp_path, task, privacy)
    assert words in str(caught.value)
