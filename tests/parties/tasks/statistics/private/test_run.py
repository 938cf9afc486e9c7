"""`kind = "statistics"` with [privacy]: what is refused, what is told beside the noise, and what the record says."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from parties.data.plain_table import PlainTable
from parties.report.plan import plan_json
from parties.report.record import record_of
from parties.report.summary import summary_blocks
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.show.blocks import Grid
from parties.tasks.privacy.rows import own_stream
from parties.tasks.registry import load_scenario, planned
from parties.tasks.statistics.data import load_statistics_table
from protocols.statistics.private.job import PrivateSettings
from tests.parties.asked import asked_text
from tests.parties.shown import sentences
from tests.parties.tasks.exact_numbers import check_not_told
from tests.studies import study_of_two

TASK = """columns = ["age"]
statistics = ["count", "missing", "sum", "mean", "sd"]
quantiles = [0.5]
by = "sex"
tables = [["arm", "smoker"]]
[task.grid]
age = { from = 0, to = 90, step = 10 }
[task.categories]
sex = ["f", "m"]
arm = ["a", "b"]
smoker = ["never", "now"]
[task.histograms]
age = [20, 50, 80]
"""
PRIVACY = """[privacy]
epsilon = 3
[privacy.clip]
age = [0, 100]
"""
SEED = "[testing]\ninsecure_seed = 5\n"
ROWS = 400


def csv(seed: int, rows: int = ROWS) -> str:
    rng = np.random.default_rng(seed)
    lines = ["age,sex,arm,smoker"]
    for _ in range(rows):
        age = "" if rng.random() < 0.1 else f"{rng.normal(60, 20):.1f}"
        words = (("f", "m")[rng.integers(2)], ("a", "b")[rng.integers(2)], ("never", "now")[rng.integers(2)])
        lines.append(",".join((age, *words)))
    return "\n".join(lines) + "\n"


def scenario(folder: Path, task: str = TASK, privacy: str = PRIVACY, rows: int = ROWS) -> Scenario:
    return study_of_two(folder, "statistics", task + privacy, *(csv(k, rows) for k in range(2)))


def test_without_its_package_it_is_refused_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    with pytest.raises(UsageError, match="needs the package dp-accounting") as refused:
        scenario(tmp_path)
    assert refused.value.hint == "pip install 'beaverlodge[privacy]'"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, dict[str, Any]]:
    one = scenario(tmp_path_factory.mktemp("private"), privacy=PRIVACY + SEED)
    return one, record_of(one, run_in_one_thread(one))


def pooled(one: Scenario) -> PlainTable:
    parts = [load_statistics_table(one, owner) for owner in one.owners]
    values = np.concatenate([table.values for table in parts])
    return PlainTable("all", "", parts[0].columns, values)


def test_record_holds_noisy_numbers_near_the_pooled_ones(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    table = pooled(one)
    age, sex = (table.values[:, table.columns.index(name)] for name in ("age", "sex"))
    deviation = record["privacy"]["noise"]["deviation"]
    offs = []
    for code, group in enumerate(record["statistics"]["columns"]["age"]):
        there = (sex == code) & ~np.isnan(age)
        clipped = np.clip(age[there], 0, 100)
        offs.append((group["count"] - there.sum()) / deviation)
        assert group["mean"] == pytest.approx(clipped.mean(), abs=6 * deviation * 70 / there.sum())
        assert group["sum"] == pytest.approx(clipped.sum(), abs=6 * deviation * 71)
        exact = np.clip(10 * np.ceil(age[there] / 10), 0, 90)  # beyond its grid at the nearer end
        low, high = group["intervals"]["quantiles"]["0.5"]
        assert low <= np.quantile(exact, 0.5, method="inverted_cdf") <= high
        assert low <= group["quantiles"]["0.5"] <= high <= low + 20
        assert 0 <= group["intervals"]["sd"][0] <= group["sd"] <= group["intervals"]["sd"][1] <= 51
        low, high = group["intervals"]["count"]
        assert low <= group["count"] <= high and high - low == pytest.approx(2 * 1.96 * deviation, abs=2)
    assert max(abs(off) for off in offs) < 6 and any(off != 0 for off in offs)


def test_record_says_what_was_spent_and_tells_no_rows(ran: tuple[Scenario, dict[str, Any]]) -> None:
    _, record = ran
    told = record["privacy"]
    assert (told["epsilon"], told["delta"], told["unit"]) == (3.0, 1e-6, "patient")
    assert [item["of"] for item in told["releases"]] == [
        "rows by sex",
        "values of age",
        "sum of age",
        "squares of age",
        "histogram of age",
        "arm x smoker",
        *(f"age in blocks of {width}" for width in (8, 4, 2, 1)),
    ]
    assert sum(item["share"] for item in told["releases"]) == pytest.approx(1)
    assert "rows" not in record and record["statistics"]["rows"] is None
    assert [item["what"] for item in record["revealed"]] == ["noisy counts and sums"]


def test_no_exact_number_is_in_the_record(ran: tuple[Scenario, dict[str, Any]]) -> None:
    """Of one owner or of all: rows, and sums and means of clipped values, however they are rounded."""
    one, record = ran
    exact = [float(ROWS), 2.0 * ROWS]
    for table in (*(load_statistics_table(one, owner) for owner in one.owners), pooled(one)):
        age = np.clip(table.values[:, table.columns.index("age")], 0, 100)
        exact += map(
            float, (np.count_nonzero(~np.isnan(age)), np.nansum(age), np.nanmean(age), np.nansum(age / 50 - 1))
        )
    check_not_told(record, exact, 1e-4, 100)


def test_the_plan_has_the_settings(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    settings, plan = planned(one)
    assert isinstance(settings, PrivateSettings)
    facts = plan_json(plan, settings, one)
    assert facts["rounds"] == 1
    (tree,) = facts["statistics"]["quantiles"]
    assert (tree["column"], tree["points"], tree["degree"], tree["levels"]) == ("age", 10, 2, 4)
    assert 0.5 < tree["error"] / (1.96 * settings.deviation) < 1
    assert facts["privacy"]["releases"][2] == {
        "what": "sum",
        "of": "sum of age",
        "numbers": 2,
        "share": pytest.approx(1 / 10),
        "error": pytest.approx(settings.deviation * 1.96 * 50 * 2**0.5, rel=1e-2),
    }


def test_summary_shows_epsilon_estimates_and_what_is_outside(ran: tuple[Scenario, dict[str, Any]]) -> None:
    _, record = ran
    blocks = summary_blocks(record, Path("out"))
    text = sentences(blocks)
    assert "epsilon = 3 and delta = 1e-06 were spent, for each patient, on 10 releases" in text
    assert "Not covered by epsilon: that each owner has at least min_rows = 20 rows" in text
    assert "learn only that there are min_rows at least" in text
    assert "Chi-square" in text and "min_cell" not in text and "Rows: " not in text
    grids = {block.title: block for block in blocks if isinstance(block, Grid)}
    assert len(grids["Columns, with intervals for the noise"].rows) == 2 * 6
    assert re.search(r"\d to \d", grids["Columns, with intervals for the noise"].rows[0][-1])


def test_an_approval_shows_the_guarantee(tmp_path: Path) -> None:
    text = asked_text(scenario(tmp_path), "a")
    assert "epsilon = 3, delta = 1e-06, for each patient" in text
    assert "age from 0 to 100" in text and "age from 0 to 90" in text
    assert "noisy counts and sums" in text


def test_an_owner_with_too_few_rows_is_refused_by_itself(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="19 rows of data, but an owner needs at least 20"):
        load_statistics_table(scenario(tmp_path, rows=19), "a")


def test_noise_is_an_owners_and_a_sessions_own(tmp_path: Path) -> None:
    seeded = scenario(tmp_path, privacy=PRIVACY + SEED)
    taken = {own_stream(seeded, o, session).take(32).tobytes() for o in "ab" for session in (b"one", b"two")}
    assert len(taken) == 4
    assert own_stream(seeded, "a", b"one").take(32).tobytes() in taken
    secret = scenario(tmp_path)
    assert own_stream(secret, "a", b"one").take(32).tobytes() != own_stream(secret, "a", b"one").take(32).tobytes()


REFUSED = {
    "too fine": (
        'statistics = ["count"]\nquantiles = [0.5]\ngrid = { age = { from = 0, to = 600, step = 0.01 } }\n',
        "about 120002 noisy numbers; 100000 are the most",
    ),
    "largest": ('statistics = ["count", "max"]\n', "max cannot be told with [privacy]"),
    "cells": ('statistics = ["count"]\nmin_cell = 5\n', "min_cell does not go with [privacy]"),
    "dominance": ('statistics = ["count"]\ndominance = 75\n', "dominance does not go with [privacy]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_told_with_noise_is_refused(name: str, tmp_path: Path) -> None:
    task, words = REFUSED[name]
    with pytest.raises(UsageError) as caught:
        scenario(tmp_path, 'columns = ["age"]\n' + task, "[privacy]\nepsilon = 1\n")
    assert words in str(caught.value)


WRONG = {
    "no range": ("[privacy]\nepsilon = 1\n", "[privacy.clip] does not list 'age'"),
    "a range upside down": ("[privacy]\nepsilon = 1\nclip = { age = [9, 1] }\n", "is not below the second"),
    "another column": ("[privacy]\nepsilon = 1\nclip = { age = [1, 9], bmi = [1, 9] }\n", "lists 'bmi'"),
    "no epsilon": ("[privacy]\nclip = { age = [1, 9] }\n", "epsilon"),
    "too large": ("[privacy]\nepsilon = 30\nclip = { age = [1, 9] }\n", "a number from 0.01 to 20"),
    "a slip": ("[privacy]\nepsilom = 1\n", "did you mean 'epsilon'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_privacy_is_named(name: str, tmp_path: Path) -> None:
    privacy, words = WRONG[name]
    with pytest.raises(UsageError) as caught:
        scenario(tmp_path, 'columns = ["age"]\n', privacy)
    assert words in str(caught.value)


def test_exact_rows_in_the_scenario_are_refused(tmp_path: Path) -> None:
    path = scenario(tmp_path).path
    path.write_text(path.read_text().replace('data = "a.csv"', 'data = "a.csv"\nrows = 400'))
    with pytest.raises(UsageError, match="rows tells an exact number of patients"):
        load_scenario(path)


STRATA = """exposure = "e"
outcome = "o"
strata = "s"
categories = { e = [0, 1], o = [0, 1], s = ["a", "b"] }
"""


def test_another_kind_refuses_privacy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'\[privacy\] is for kind = .*"statistics"'):
        study_of_two(tmp_path, "mantel_haenszel", STRATA + "[privacy]\nepsilon = 1\n")


def test_privacy_is_part_of_what_all_agree_on(tmp_path: Path) -> None:
    one, other = (scenario(tmp_path, privacy=PRIVACY.replace("3", e)) for e in "34")
    assert one.digest != other.digest
    assert one.agreement()["privacy"]["delta"] == 1e-6
