"""Curves, correlations and t-tests with [privacy]: what plan, record and summary say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from parties.report.plan import plan_json
from parties.report.record import record_of
from parties.report.summary import summary_blocks
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.show.blocks import Grid
from parties.tasks.registry import planned
from parties.tasks.statistics.data import load_statistics_table
from protocols.statistics.private.job import PrivateSettings
from tests.parties.shown import sentences, summary_text
from tests.studies import study_of_two

ROWS = 1500
TASK = """correlations = ["age", "bmi"]
t_tests = [{ column = "bmi", between = "arm" }]
survival = [{ time = "months", event = "died", between = "arm" }]
[task.categories]
arm = ["a", "b"]
[task.grid]
months = { from = 6, to = 36, step = 6 }
[privacy]
epsilon = 8
[privacy.clip]
age = [20, 100]
bmi = [15, 45]
[testing]
insecure_seed = 5
"""


def csv(seed: int, rows: int) -> str:
    rng = np.random.default_rng(seed)
    lines = ["age,bmi,arm,months,died"]
    for _ in range(rows):
        age, arm = rng.normal(60, 15), int(rng.integers(2))
        bmi, died = 15 + 0.2 * age + arm + rng.normal(0, 2), rng.exponential(30 if arm else 60)
        lost = rng.uniform(0, 80)
        lines.append(f"{age:.1f},{bmi:.2f},{'ab'[arm]},{min(died, lost):.2f},{int(died <= lost)}")
    return "\n".join(lines) + "\n"


def scenario(folder: Path, task: str = TASK, rows: int = ROWS) -> Scenario:
    return study_of_two(folder, "statistics", task, *(csv(k, rows) for k in range(2)))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, dict[str, Any]]:
    one = scenario(tmp_path_factory.mktemp("private"))
    return one, record_of(one, run_in_one_thread(one))


def pooled(one: Scenario) -> dict[str, np.ndarray]:
    parts = [load_statistics_table(one, owner) for owner in one.owners]
    return {
        name: np.concatenate([of.values[:, of.columns.index(name)] for of in parts])
        for name in ("age", "bmi", "arm", "months", "died")
    }


def test_a_correlation_is_near_that_of_the_clipped_rows(ran: tuple[Scenario, dict[str, Any]]) -> None:
    rows, found = pooled(ran[0]), ran[1]["statistics"]["correlations"][0]["groups"][0]
    exact = np.corrcoef(np.clip(rows["age"], 20, 100), np.clip(rows["bmi"], 15, 45))[0, 1]
    low, high = found["intervals"]["r"]
    assert low < exact < high < low + 0.2 and low <= found["r"] <= high
    assert found["p"] < 1e-6
    assert found["count"] == pytest.approx(2 * ROWS, abs=40)


def test_a_t_test_is_in_the_columns_unit(ran: tuple[Scenario, dict[str, Any]]) -> None:
    rows, found = pooled(ran[0]), ran[1]["statistics"]["t_tests"][0]["groups"][0]
    bmi = np.clip(rows["bmi"], 15, 45)
    exact = [bmi[rows["arm"] == arm].mean() for arm in (0, 1)]
    assert [one["mean"] for one in found["samples"]] == pytest.approx(exact, abs=0.3)
    (test,) = found["tests"]
    assert test["levels"] == ["a", "b"]
    assert test["low"] < exact[0] - exact[1] < test["high"] < test["low"] + 1
    assert test["low"] <= test["difference"] <= test["high"] and test["p"] < 0.01


def test_curves_are_near_the_true_ones(ran: tuple[Scenario, dict[str, Any]]) -> None:
    found = ran[1]["statistics"]["survival"][0]
    (group,) = found["groups"]
    assert found["times"] == [6.0, 12.0, 18.0, 24.0, 30.0, 36.0]
    deviation = ran[1]["privacy"]["noise"]["deviation"]
    for curve, mean in zip(group["curves"], (60, 30), strict=True):
        for name, cells in (("count", 14), ("events", 6)):  # sums of so many noisy cells
            low, high = curve["intervals"][name]
            assert (high - low) / 2 == pytest.approx(1.96 * deviation * cells**0.5, abs=1) or low == 0
        true = np.exp(-np.array(found["times"]) / mean)
        told = [value is not None for value in curve["survival"]]
        assert sum(told) >= 5
        inside = [low <= s <= high for (low, high), s in zip(curve["intervals"]["survival"][:5], true, strict=False)]
        assert sum(inside) >= 4
        assert curve["survival"][2] == pytest.approx(true[2], abs=0.08)
    assert group["curves"][1]["intervals"]["median"][0] <= 24  # the stretch up to it has 20.8
    assert group["log_rank"]["p"] < 1e-3 and group["log_rank"]["of"] == "noisy counts"


def test_the_plan_says_how_exact_curves_will_be(tmp_path: Path) -> None:
    settings, plan = planned(scenario(tmp_path, rows=20))
    assert isinstance(settings, PrivateSettings)
    facts = plan_json(plan, settings, scenario(tmp_path, rows=20))
    (curves,) = facts["statistics"]["survival"]
    assert (curves["of"], curves["times"]) == ("months to died by arm", 6)
    assert curves["events_error"] == pytest.approx(1.96 * settings.deviation * 6**0.5, rel=1e-4)
    assert curves["at_risk_error"] == pytest.approx(1.96 * settings.deviation * 13.25**0.5, rel=1e-4)
    assert len(facts["privacy"]["releases"]) == 3 + 6 + 1


def test_the_summary_shows_intervals(ran: tuple[Scenario, dict[str, Any]]) -> None:
    blocks = summary_blocks(ran[1], Path("out"))
    grids = {block.title: block for block in blocks if isinstance(block, Grid)}
    curves = grids["Survival to died by arm (actuarial: times lie between points)"]
    assert curves.rows[0][1].count(" to ") == 1
    counts = {line[0]: line[1] for line in curves.rows if line[0] in ("rows", "events")}
    assert all(text.endswith(")") and " to " in text for text in counts.values()), counts
    assert [line[0] for line in curves.rows[-2:]] == ["median", "its interval"]
    assert grids["Correlations (Pearson)"].columns == ("columns", "rows", "r", "95 % interval", "p")
    text = sentences(blocks)
    assert "Log-rank: chi-square" in text and "account for sampling, too" in text


def test_little_data_tells_no_curve_and_no_test(tmp_path: Path) -> None:
    one = scenario(tmp_path, rows=25)
    record = record_of(one, run_in_one_thread(one))
    found = record["statistics"]
    (group,) = found["survival"][0]["groups"]
    assert all(value is None for curve in group["curves"] for value in curve["survival"])
    assert group["log_rank"] is None
    assert found["correlations"][0]["groups"][0]["r"] is None
    assert found["t_tests"][0]["groups"][0]["tests"][0]["p"] is None
    text = summary_text(record)
    assert (
        "A curve ends where the noise is large" in text
        and "Log-rank: chi-square: no test, as the noise is too large." in text
    )


def test_a_column_that_is_compared_needs_a_range(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\[privacy.clip\] does not list 'age'"):
        scenario(tmp_path, TASK.replace("age = [20, 100]\n", ""))


def test_groups_are_told_apart(tmp_path: Path) -> None:
    """With `by`, of each group its own samples, pairs and curves."""
    task = TASK.replace("[task.categories]", 'by = "sex"\n[task.categories]\nsex = ["f", "m"]')
    tables = []
    for k in range(2):
        lines = csv(k, ROWS).splitlines()
        rows = [[*line.split(","), "fm"[n % 2]] for n, line in enumerate(lines[1:])]
        for row in rows:
            if row[5] == "m":  # a mean above f's by 5, no correlation, no events
                row[0], row[1], row[4] = f"{30 + 37 * float(row[3]) % 60:.1f}", f"{float(row[1]) + 5:.2f}", "0"
        tables.append("\n".join((f"{lines[0]},sex", *map(",".join, rows))) + "\n")
    one = study_of_two(tmp_path, "statistics", task, *tables)
    found = record_of(one, run_in_one_thread(one))["statistics"]
    women, men = (group["samples"] for group in found["t_tests"][0]["groups"])
    for f, m in zip(women, men, strict=True):
        assert m["mean"] - f["mean"] == pytest.approx(5, abs=1)
    assert women[1]["mean"] - women[0]["mean"] == pytest.approx(1, abs=0.8)
    women, men = (group["r"] for group in found["correlations"][0]["groups"])
    assert women > 0.6 > 0.3 > abs(men)
    women, men = (group["curves"] for group in found["survival"][0]["groups"])
    assert min(curve["survival"][1] for curve in men) > 0.9 > women[1]["survival"][1]
