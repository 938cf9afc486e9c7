"""[privacy] method = "output": columns split and rows split; what is told beside the noise; what the record says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpc.errors import DataError, UsageError
from mpc.randomness.streams import Stream
from parties.report.page import report_html
from parties.report.plan import plan_json
from parties.report.record import record_of
from parties.report.summary import summary_blocks
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.show.blocks import Grid
from parties.tasks.logistic.private.agreed import held_out, load_agreed_table
from parties.tasks.logistic.private.compare import compare_noisy
from parties.tasks.privacy.rows import own_stream
from parties.tasks.registry import planned
from protocols.training.private.perturbed_job import PerturbedSettings
from tests.parties.asked import asked_text
from tests.parties.shown import sentences
from tests.parties.tasks.exact_numbers import check_not_told
from tests.parties.tasks.logistic.private.scenarios import PRIVACY, ROWS_SPLIT, SPLIT, loaded, split_columns, split_rows
from tests.run.command import mpc
from tests.run.command import record as result
from tests.scenario_texts import two_owners

ROWS = 600

BOTH = pytest.mark.parametrize("make", [split_columns, split_rows], ids=["columns", "rows"])


@pytest.fixture(scope="module", params=[split_columns, split_rows], ids=["columns", "rows"])
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Scenario, dict[str, Any]]:
    """Each party a process of its own, where columns are split."""
    folder = tmp_path_factory.mktemp("output")
    one = request.param(folder)
    if not one.vertical:
        return one, record_of(one, run_in_one_thread(one))
    assert mpc("run", folder / "output.toml", "--out", folder / "out").code == 0
    found = result(folder / "out")
    found.pop("comparison")
    return one, found


def test_the_model_is_near_the_one_without_noise(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    assert record["model"]["features"] == ["age", "bmi", "dose", "sex=m"]
    age, bmi, dose, _ = record["model"]["weights"]
    assert age > 0 > bmi and dose > 0
    exact, which = compare_noisy(one, record), "test" if one.vertical else "train"
    assert exact["run"][which]["auc"] == pytest.approx(exact["pooled"][which]["auc"], abs=0.04)
    assert exact["run"][which]["rows"] == (held_out(load_agreed_table(one, "a"), one).sum() if one.vertical else 1200)


def test_record_says_what_was_spent_and_tells_no_rows(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    told = record["privacy"]
    assert (told["epsilon"], told["delta"], told["noise"]["method"]) == (20.0, 1e-6, "output")
    assert [(item["what"], item["numbers"], item["share"]) for item in told["releases"]] == [("weights", 5, 1.0)]
    assert record["metrics"] is None and "rows" not in record
    aligned = {"row alignment"} if one.vertical else set()
    assert {item["what"] for item in record["revealed"]} == {"noisy model", *aligned}
    facts = record["training"]
    assert told["noise"]["sensitivity"] * told["noise"]["unit"] > facts["sensitivity"] + 2 * facts["distance"]


def test_no_exact_number_is_in_the_record(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    exact = [float(ROWS), 2.0 * ROWS]
    for owner in one.owners:
        mine = load_agreed_table(one, owner)
        exact += [*map(float, mine.values.mean(axis=0)), *([float(mine.target.sum())] if mine.has_target else [])]
    check_not_told(record, exact, 1e-5, 40)


@BOTH
def test_the_plan_has_the_settings(make: Any, tmp_path: Path) -> None:
    one = make(tmp_path)
    settings, plan = planned(one)
    assert isinstance(settings, PerturbedSettings)
    facts = plan_json(plan, settings, one)
    assert facts["rounds"] == 3 * facts["training"]["steps"] + 3 + 2 * one.vertical
    assert facts["training"]["rows"] == 700 * (1 if one.vertical else 2)


def test_summary_and_report_show_epsilon_and_what_is_outside(ran: tuple[Scenario, dict[str, Any]]) -> None:
    one, record = ran
    compared = {**record, "comparison": compare_noisy(one, record)}
    for shown, lines in ((record, 0), (compared, 3 if one.vertical else 4)):
        blocks = summary_blocks(shown, Path("out"))
        text = sentences(blocks)
        assert "epsilon = 20 and delta = 1e-06 were spent, for each patient, on 1 release" in text
        assert "One patient moves the minimum by at most" in text
        assert "Not covered by epsilon: that each owner has 20 (min_rows) to 700 (most_rows) rows" in text
        quality = [one for one in blocks if isinstance(one, Grid) and one.title.startswith("How good")]
        assert sum(len(grid.rows) for grid in quality) == lines
        assert ("No metrics are told" in text) == (lines == 0)
        assert "epsilon = 20" in report_html(shown)


@BOTH
def test_an_approval_shows_the_guarantee(make: Any, tmp_path: Path) -> None:
    one = make(tmp_path)
    text = asked_text(one, "a")
    assert "epsilon = 20, delta = 1e-06, for each patient" in text
    assert "most_rows = 700 at most" in text
    assert "are held out, by their ids" in text or not one.vertical
    assert "noisy model" in text


def test_a_row_is_held_out_whatever_the_others_are(tmp_path: Path) -> None:
    one = split_columns(tmp_path)
    whole = load_agreed_table(one, "a")
    few = load_agreed_table(split_columns(tmp_path, rows=40), "a")
    assert few.ids == whole.ids[:40]
    assert (held_out(few, one) == held_out(whole, one)[:40]).all()
    assert 80 < held_out(whole, one).sum() < 160


def test_noise_of_two_sessions_differs(tmp_path: Path) -> None:
    one = split_rows(tmp_path)
    first, second = (own_stream(one, "a", session).take(64) for session in (b"1" * 16, b"2" * 16))
    assert isinstance(own_stream(one, "a", b"1" * 16), Stream) and (first != second).any()


# -- what is refused


def test_more_rows_than_were_agreed_are_refused(tmp_path: Path) -> None:
    one = split_rows(tmp_path, rows=701)
    with pytest.raises(DataError, match="701 rows of data, and 700 are the most that were agreed") as caught:
        load_agreed_table(one, "a")
    assert "raise most_rows" in caught.value.hint


REFUSED = {
    "steps": ("iterations = 5\n", "", "'iterations' has no part in"),
    "metrics": ('reveal = ["model", "metrics"]\n', "", '["metrics"] is not there with'),
    "held out": ("test_fraction = 0.5\n", "", "test_fraction has no part in"),
    "norm": ("", "norm = 0.5\n", "norm = 0.5 leaves no room"),
    "rate": ("", "rate = 0.5\n", 'rate is for method = "gradients"'),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_with_it_is_refused(name: str, tmp_path: Path) -> None:
    task, privacy, message = REFUSED[name]
    with pytest.raises(UsageError) as caught:
        split_rows(tmp_path, task=task + ROWS_SPLIT, privacy=PRIVACY.replace("epsilon", privacy + "epsilon", 1))
    assert message in str(caught.value)


def test_most_rows_are_for_this_method_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match='most_rows is for method = "output"'):
        loaded(tmp_path, two_owners("logistic_regression") + ROWS_SPLIT + PRIVACY.replace("output", "gradients"))


LACKING = {
    "no range": (PRIVACY.replace("dose = [0, 10]\n", ""), SPLIT, "does not list 'dose', which are features"),
    "not used": (PRIVACY + "size = [0, 1]\n", SPLIT, "lists 'size', which are not features"),
    "weak": (PRIVACY, SPLIT.replace("id", "l2 = 1e-6\nid", 1), "needs more of a penalty than l2 = 1e-06"),
}


@pytest.mark.parametrize("name", LACKING)
def test_columns_and_penalty_are_checked_by_the_plan(name: str, tmp_path: Path) -> None:
    privacy, task, message = LACKING[name]
    with pytest.raises(UsageError) as caught:
        planned(split_columns(tmp_path, privacy=privacy, task=task))
    assert message in str(caught.value)


def test_columns_of_an_owner_have_to_be_listed(tmp_path: Path) -> None:
    one = split_columns(tmp_path)
    text = (tmp_path / "output.toml").read_text().replace('features = ["dose", "sex"]\n', "")
    with pytest.raises(UsageError, match="needs the names of b's columns before the run"):
        planned(loaded(tmp_path, text))
    assert one.vertical
