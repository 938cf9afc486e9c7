"""solver = "auto": the plan's own estimate decides, and says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mpc.errors import UsageError
from mpc.runtime.plan import make_plan
from parties.scenario.network import NetworkSpec
from parties.tasks.logistic.plan_solver import solver_text, training_facts
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.solver_choice import STEPS, candidates, choose, prices
from parties.tasks.registry import load_scenario, planned
from protocols.rows.settings import TrainingSettings
from protocols.training.form import constants_digest
from protocols.training.rows_job import training_job
from tests.helpers import ROOT, example_tables, job
from tests.run.scenarios import write_scenario

WAN = NetworkSpec(latency_ms=20.0, bandwidth_mbit=100.0)
THIN = NetworkSpec(latency_ms=0.1, bandwidth_mbit=1.0)


def settings(rows: int = 100, features: int = 5, **changes: object) -> TrainingSettings:
    _, how = job(example_tables([20, 20], 2, 1), l2=0.01)
    return replace(how, train_rows=(rows, rows), test_rows=(0, 0), features=features, **changes)  # type: ignore[arg-type]


def test_few_rows_far_apart_take_the_fewest_steps() -> None:
    how = choose(settings(), WAN)
    assert (how.solver, how.step_count, how.learning_rate) == ("newton", STEPS["newton"], 1.0)


def test_many_rows_over_a_thin_line_take_mini_batches() -> None:
    how = choose(settings(rows=10_000), THIN)
    assert (how.solver, how.batch_size) == ("sgd", 128)
    assert how.step_count >= STEPS["sgd"]


def test_what_a_solver_cannot_do_is_not_chosen() -> None:
    seconds = prices(settings(features=600), WAN)
    assert "newton" not in seconds and len(seconds) == 2


def test_where_no_solver_can_the_reason_is_told() -> None:
    with pytest.raises(UsageError, match="sigmoid_range"):
        choose(settings(sigmoid_range=1e4), WAN)


@pytest.mark.parametrize("solver", STEPS)
def test_the_choice_does_not_depend_on_what_was_set_before(solver: str) -> None:
    how = candidates(settings())[solver]
    assert candidates(how) == candidates(settings())
    assert choose(how, WAN) == choose(settings(), WAN)


def test_the_seconds_are_the_plans() -> None:
    for solver, how in candidates(settings()).items():

        def program(p, how=how):  # type: ignore[no-untyped-def]
            return training_job(p, None, how)

        plan = make_plan(program, how.owners, how.helper, constants_digest(how))
        assert prices(settings(), WAN)[solver] == plan.seconds(0.04, 12.5e6)


def test_very_many_mini_batches_are_priced_by_fewer() -> None:
    how = settings(rows=40_000)
    long = candidates(how)["sgd"]
    assert long.step_count == 625
    plan = make_plan(lambda p: training_job(p, None, long), long.owners, long.helper, constants_digest(long))
    for link in (WAN, THIN):
        exact = plan.seconds(2 * link.latency_ms / 1000, (link.bandwidth_mbit or 0) * 1e6 / 8)
        assert prices(how, link)["sgd"] == pytest.approx(exact, rel=0.05)


def test_what_the_last_mini_batch_refuses_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[TrainingSettings] = []
    monkeypatch.setattr("parties.tasks.logistic.settings.solver_choice.descent_for", seen.append)
    how = settings(rows=40_000)
    prices(how, WAN)
    assert seen == [candidates(how)["sgd"]]


def test_the_plan_and_the_record_say_why(tmp_path: Path) -> None:
    path = tmp_path / "auto.toml"
    path.write_text(
        """
schema = 1
name = "auto"
[parties.a]
role = "owner"
rows = 60
[parties.b]
role = "owner"
rows = 70
[parties.h]
role = "helper"
[task]
kind = "logistic_regression"
target = "ill"
features = ["x", "y"]
solver = "auto"
[network]
latency_ms = 20.0
"""
    )
    scenario = load_scenario(path)
    how, plan = planned(scenario)
    assert how == settings_for(scenario, {"a": (48, 12), "b": (56, 14)}, 2)
    facts = training_facts(how, scenario)
    assert facts["choice"]["network"] == "scenario"
    assert facts["choice"]["seconds"][how.solver] == min(facts["choice"]["seconds"].values())
    assert facts["choice"]["seconds"][how.solver] == pytest.approx(plan.seconds(0.04, float("inf")))
    text = solver_text(facts)
    assert 'Chosen by solver = "auto": seconds on the wire on the scenario\'s network' in text
    assert text.index(f"{how.solver} ") < text.index("sgd ")


def test_a_process_prices_the_solvers_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of the choice is handed on: by the settings, and by a run's record to what it is compared with."""
    how = choose(settings(), WAN)
    assert dict(how.choice) == prices(settings(), WAN)
    scenario = load_scenario(write_scenario(tmp_path, solver="auto"))
    rows = dict.fromkeys(scenario.owners, (48, 12))
    found = settings_for(scenario, rows, 3)

    def again(*_: object) -> float:
        raise AssertionError("priced again")

    monkeypatch.setattr("parties.tasks.logistic.settings.solver_choice._seconds", again)
    assert training_facts(found, scenario)["choice"]["seconds"] == dict(found.choice)
    assert replace(found, choice=()) == settings_for(scenario, rows, 3, found.solver)


def test_few_steps_on_a_wan_take_half_the_time_of_mini_batches() -> None:
    """By the plan; docs/solvers.md has it measured."""
    scenario = load_scenario(ROOT / "scenarios" / "wan_auto.toml")
    how, _ = planned(scenario)
    seconds = prices(how, scenario.network)
    assert seconds["sgd"] > 2 * seconds[how.solver]
