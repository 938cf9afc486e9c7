"""`kind = "logistic_regression"` with [privacy]: what is told beside the noise, and what the record says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from parties.report.page import report_html
from parties.report.plan import plan_json
from parties.report.record import record_of
from parties.report.summary import summary_blocks
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.show.blocks import Grid
from parties.tasks.logistic.private.compare import compare_noisy
from parties.tasks.privacy.rows import load_private_table
from parties.tasks.registry import planned
from protocols.training.private.noisy_descent import NoisySettings
from tests.parties.asked import asked_text
from tests.parties.shown import sentences
from tests.parties.tasks.exact_numbers import check_not_told
from tests.parties.tasks.logistic.private.scenarios import SEED, TASK, scenario

ROWS = 900


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, dict[str, Any]]:
    one = scenario(tmp_path_factory.mktemp("private"), SEED)
    return one, record_of(one, run_in_one_thread(one))


def test_the_model_is_near_the_one_without_noise(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    exact = compare_noisy(one, record)
    assert record["model"]["features"] == ["age", "bmi", "sex=m"]
    widths = [80.0, 30.0, 1.0]
    assert record["model"]["range_weights"] == pytest.approx(np.array(record["model"]["weights"]) * widths)
    assert record["model"]["weights"][0] > 0 > record["model"]["weights"][1]
    for key in ("accuracy", "auc"):
        assert exact["run"]["test"][key] == pytest.approx(exact["pooled"]["test"][key], abs=0.05)
        assert record["metrics"]["test"][key] == pytest.approx(exact["run"]["test"][key], abs=0.1)


def test_record_says_what_was_spent_and_tells_no_rows(ran: tuple[Scenario, dict[str, Any]]) -> None:
    _, record = ran
    told = record["privacy"]
    assert (told["epsilon"], told["delta"], told["unit"]) == (8.0, 1e-6, "patient")
    assert [(item["what"], item["numbers"], item["share"]) for item in told["releases"]] == [
        ("gradients", 5, 1.0),
        ("counts", 32, 1.0),
    ]
    assert "rows" not in record and record["training"]["steps"] == 20
    assert {item["what"] for item in record["revealed"]} == {"noisy gradients", "noisy counts of held-out rows"}


def test_no_exact_number_is_in_the_record(ran: tuple[Scenario, dict[str, Any]]) -> None:
    """Of one owner or of all: rows, rows of a class, and what comes of scores that are counted exactly."""
    one, record = ran
    parts = [load_private_table(one, owner) for owner in one.owners]
    exact = [float(ROWS), 2.0 * ROWS]
    sets = [(part.values, part.target) for part in parts]
    sets.append((np.concatenate([x for x, _ in sets]), np.concatenate([y for _, y in sets])))
    for x, y in sets:
        z = x @ np.array(record["model"]["weights"]) + record["model"]["intercept"]
        exact += map(float, (y.sum(), y.mean(), ((z >= 0) == y).mean(), x[:, 0].mean(), x[:, 1].mean()))
    check_not_told(record, exact, 1e-5, 60)


def test_the_plan_has_the_settings(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    settings, plan = planned(one)
    assert isinstance(settings, NoisySettings)
    facts = plan_json(plan, settings, one)
    assert facts["rounds"] == 21
    assert facts["privacy"]["noise"]["norm"] == 1.0


def test_summary_and_report_show_epsilon_and_what_is_outside(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    compared = {**record, "comparison": compare_noisy(one, record)}
    for shown, lines in ((record, 1), (compared, 5)):
        blocks = summary_blocks(shown, Path("out"))
        text = sentences(blocks)
        assert "epsilon = 8 and delta = 1e-06 were spent, for each patient, on 2 releases" in text
        assert "Not covered by epsilon: that each owner has at least min_rows = 20 rows" in text
        grids = {block.title: block for block in blocks if isinstance(block, Grid)}
        weights = next(grid for title, grid in grids.items() if title.startswith("The model's weights"))
        assert weights.columns == ("feature", "per unit", "over the agreed range")
        assert [row[0] for row in weights.rows] == ["age", "bmi", "sex=m"]
        (quality,) = (grid for title, grid in grids.items() if title.startswith("How good"))
        assert len(quality.rows) == lines
        assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", quality.rows[0][2])
        page = report_html(shown)
        assert "epsilon = 8" in page and "How good the model is" in page
        assert "Weights over the agreed range can be compared" in page and "odds ratio" not in page


def test_an_approval_shows_the_guarantee(tmp_path: Path) -> None:
    text = asked_text(scenario(tmp_path), "a")
    assert "epsilon = 8, delta = 1e-06, for each patient" in text
    assert "age from 20 to 100" in text
    assert "each is held out with chance 0.2" in text
    assert "noisy gradients" in text


def test_an_owner_with_too_few_rows_is_refused_by_itself(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="19 rows of data, but an owner needs at least 20"):
        load_private_table(scenario(tmp_path, rows=19), "a")


def test_settings_go_into_the_steps(tmp_path: Path) -> None:
    task = TASK.replace("iterations = 20", "learning_rate = 0.3\nl2 = 0.1\nclass_weights = [1.0, 2.0]")
    task = task.replace("epsilon = 8", "epsilon = 8\nnorm = 2\nrate = 0.1")
    settings, plan = planned(scenario(tmp_path, task=task + SEED))
    assert (settings.steps, settings.step_size, settings.momentum, settings.l2) == (100, 0.3, 0.9, 0.1)
    assert (settings.rate, settings.clipping.norm, settings.class_scale) == (0.1, 2.0, 2.0)
    assert settings.clipping.class_weights == (0.5, 1.0)
    assert len(plan.rounds) == 101


def test_a_default_step_keeps_to_the_loss_it_is_for(tmp_path: Path) -> None:
    task = TASK.replace("iterations = 20", "l2 = 50.0\nclass_weights = [1.0, 8.0]")
    settings, _ = planned(scenario(tmp_path, task=task))
    steepest = 8.0 * (len(settings.features) + 1) / 4 + 50.0
    assert settings.step_size * steepest == pytest.approx(1.0)


def test_too_many_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="10,001 steps with noise, and 10,000 are the most"):
        planned(scenario(tmp_path, task=TASK.replace("iterations = 20", "iterations = 10001")))
