"""[privacy] of split columns by noisy gradients: what is told beside the noise, and what the record says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.report.page import report_html
from parties.report.plan import plan_json
from parties.scenario.file import Scenario
from parties.scenario.privacy import PrivacySpec
from parties.tasks.logistic.private.agreed import held_out, load_agreed_table
from parties.tasks.logistic.private.settings import columns_iterations
from parties.tasks.registry import planned
from protocols.training.private.shared_gradients import SharedGradients
from tests.parties.asked import asked_text
from tests.parties.shown import summary_text
from tests.parties.tasks.logistic.private.scenarios import PRIVACY, SEED, SPLIT, split_columns
from tests.run.command import mpc
from tests.run.command import record as result

GRADIENTS = PRIVACY.replace('method = "output"\n', "")


def scenario(folder: Path, task: str = SPLIT, privacy: str = GRADIENTS, rows: int = 600) -> Scenario:
    return split_columns(folder, rows, privacy + SEED, task)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, dict[str, Any]]:
    """Each party a process of its own."""
    folder = tmp_path_factory.mktemp("columns")
    one = scenario(folder)
    assert mpc("run", folder / "output.toml", "--out", folder / "out").code == 0
    return one, result(folder / "out")


def test_the_model_is_near_the_one_without_noise(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    assert record["model"]["features"] == ["age", "bmi", "dose", "sex=m"]
    age, bmi, dose, _ = record["model"]["weights"]
    assert age > 0 > bmi and dose > 0
    exact = record["comparison"]
    for key, most in (("auc", 0.03), ("accuracy", 0.06)):
        assert exact["run"]["test"][key] == pytest.approx(exact["pooled"]["test"][key], abs=most)
    assert exact["run"]["test"]["rows"] == held_out(load_agreed_table(one, "a"), one).sum()


def test_record_says_what_was_spent_and_tells_no_rows(ran: tuple[Scenario, dict[str, Any]]) -> None:
    _, record = ran
    told = record["privacy"]
    assert (told["epsilon"], told["delta"], told["noise"]["method"]) == (20.0, 1e-6, "gradients")
    assert [(item["what"], item["numbers"], item["share"]) for item in told["releases"]] == [("gradients", 5, 1.0)]
    assert "each owner has a part" in told["neighbours"]
    assert record["metrics"] is None and "rows" not in record and record["training"]["rows"] == 700
    assert [item["what"] for item in record["revealed"]].count("noisy gradients") >= 1
    assert {item["what"] for item in record["revealed"]} == {"row alignment", "noisy gradients"}


def test_summary_and_report_show_how_it_was_made(ran: tuple[Scenario, dict[str, Any]]) -> None:
    _, record = ran
    text = summary_text(record)
    assert "epsilon = 20 and delta = 1e-06 were spent" in text
    assert "Gradients are made under sharing" in text and "held out by their ids" in text
    assert "Gradients are made under sharing" in report_html(record)


def test_the_plan_has_the_settings(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    settings, plan = planned(one)
    assert isinstance(settings, SharedGradients)
    assert plan_json(plan, settings, one)["rounds"] == 3 * 100 + 3


@pytest.mark.parametrize(
    ("epsilon", "rows", "steps"),
    [(0.1, 600, 20), (3.0, 600, 21), (10.0, 600, 71), (20.0, 600, 100), (3.0, None, 35), (0.3, 20_000, 71)],
)
def test_more_exact_sums_are_worth_more_steps(epsilon: float, rows: int | None, steps: int) -> None:
    assert columns_iterations(PrivacySpec(epsilon=epsilon, most_rows=rows)) == steps


def test_settings_go_into_the_steps(tmp_path: Path) -> None:
    task = SPLIT.replace("id =", "iterations = 7\nlearning_rate = 0.3\nmomentum = 0.5\nl2 = 0.1\nid =")
    settings, _ = planned(scenario(tmp_path, task, GRADIENTS.replace("epsilon", "norm = 3\nepsilon", 1)))
    assert (settings.steps, settings.step_size, settings.momentum, settings.l2) == (7, 0.3, 0.5, 0.1)
    assert (settings.norm, settings.rows, settings.widths) == (3.0, 700, (2, 2))


def test_an_approval_shows_the_guarantee(tmp_path: Path) -> None:
    text = asked_text(scenario(tmp_path), "a")
    assert "of which each owner has a part" in text and "noisy gradients" in text


REFUSED = {
    "rate": ("", "rate = 0.5\n", "of owners with rows of their own"),
    "classes": ("class_weights = [1.0, 2.0]\n", "", "'class_weights' has no part in"),
    "metrics": ('reveal = ["model", "metrics"]\n', "", '["metrics"] is not there with'),
    "norm": ("", "norm = 1.0\n", "leaves no room"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_with_it_is_refused(name: str, tmp_path: Path) -> None:
    task, privacy, message = REFUSED[name]
    with pytest.raises(UsageError) as caught:
        scenario(tmp_path, task + SPLIT, GRADIENTS.replace("epsilon", privacy + "epsilon", 1))
    assert message in str(caught.value)


def test_noise_too_wide_to_be_drawn_is_refused(tmp_path: Path) -> None:
    task = SPLIT.replace("id =", "iterations = 100000\nid =")
    with pytest.raises(UsageError, match="too wide to be drawn"):
        planned(scenario(tmp_path, task, GRADIENTS.replace("epsilon = 20", "norm = 60\nepsilon = 0.01")))
