"""What `mpc plan` prints, against the plan itself."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from mpc.links.meeting.backlog import kept
from mpc.runtime.plan import Plan, make_plan
from mpc.runtime.round import HEADER_BYTES
from parties.report.plan import plan_json, print_plan
from parties.scenario.file import Scenario
from parties.show.blocks import short_bytes
from parties.tasks.logistic.plan import USES
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.registry import load_scenario
from parties.tasks.registry import planned as plan_of_scenario
from protocols.rows.settings import TrainingSettings
from protocols.training.form import choose_fit, constants_digest
from protocols.training.rows_job import training_job

OWNERS = ("east", "west", "north")
ROWS = {"east": (61, 15), "west": (40, 10), "north": (27, 7)}
HEAD = """
schema = 1
name = "planned"
[parties.helper]
role = "helper"
[task]
kind = "logistic_regression"
target = "ill"
epochs = 3
batch_size = 50
"""


def scenario(folder: Path, owners: int = 3, task: str = "", tail: str = "") -> Scenario:
    parties = "".join(f'[parties.{name}]\nrole = "owner"\ndata = "x.csv"\n' for name in OWNERS[:owners])
    path = folder / "planned.toml"
    path.write_text(HEAD + task + parties + tail)
    return load_scenario(path)


@lru_cache
def _plan(settings: TrainingSettings) -> Plan:
    return make_plan(
        lambda p: training_job(p, None, settings), settings.owners, settings.helper, constants_digest(settings)
    )


def planned(one: Scenario) -> tuple[Plan, TrainingSettings, Scenario]:
    settings = settings_for(one, ROWS, 5)
    return _plan(settings), settings, one


def printed(one: Scenario, **how: Any) -> str:
    file = io.StringIO()
    print_plan(*planned(one), console=Console(file=file, width=100, color_system=None), **how)
    return file.getvalue()


def row_of(text: str, title: str, start: str) -> list[str]:
    """The words of a table's row."""
    lines = text[text.index(title) :].splitlines()
    return next(line for line in lines if line.startswith(start)).split()


@pytest.mark.parametrize("owners", [2, 3])
def test_json_is_the_plan(tmp_path: Path, owners: int) -> None:
    one = scenario(tmp_path, owners)
    plan, settings, _ = planned(one)
    facts = json.loads(printed(one, as_json=True))
    assert facts == json.loads(json.dumps(plan_json(plan, settings, one)))
    assert list(facts)[:9] == [
        "schema", "scenario", "digest", "rounds", "stages", "bytes", "messages", "correlations", "masks",
    ]  # fmt: skip
    assert facts["schema"] == 1
    assert facts["digest"] == plan.digest
    assert facts["scenario"]["digest"] == one.digest
    assert facts["scenario"]["rows"] == {name: {"train": ROWS[name][0], "test": ROWS[name][1]} for name in one.owners}
    assert facts["rounds"] == len(plan.rounds) == sum(stage["rounds"] for stage in facts["stages"])
    assert facts["bytes"] == plan.bytes_sent
    assert facts["messages"] == plan.messages_sent
    assert facts["correlations"] == plan.correlations
    assert [item["what"] for item in facts["reveals"]] == [item.what for item in plan.reveals]
    assert facts["helper"]["opened"] == []
    assert facts["kept"] == kept(plan) and list(facts["kept"]) == [*plan.owners, plan.helper]
    row = " ".join(row_of(printed(one), "What each party sends", one.owners[-1]))
    assert row.endswith(f"at most {short_bytes(facts['kept'][one.owners[-1]])}")

    # The stages cover all that an owner sends; the last one besides asks the helper for more.
    assert sum(stage["bytes"] for stage in facts["stages"]) == plan.bytes_sent[one.owners[0]]
    training = next(stage for stage in facts["stages"] if stage["stage"] == "training")
    assert training["rounds"] == 3 * settings.step_count
    model = next(stage for stage in facts["stages"] if stage["stage"] == "model")
    assert model == {"stage": "model", "rounds": 1, "bytes": (HEADER_BYTES + 6 * 8) * (owners - 1)}


def test_seconds_are_those_of_the_networks(tmp_path: Path) -> None:
    plan, settings, one = planned(scenario(tmp_path, tail="[network]\nlatency_ms = 40.0\n"))
    seconds = plan_json(plan, settings, one)["seconds"]
    assert seconds["lan"] == plan.seconds(0.0002, 125e6)
    assert seconds["wan"] == plan.seconds(0.02, 12.5e6)
    assert seconds["network"] == pytest.approx((len(plan.rounds) + 1) * 0.04)  # the first waits for the helper
    assert seconds["handling"] == plan.handling == pytest.approx(len(plan.rounds) * 4e-4 + sum(plan.windows) / 1e8)
    text = printed(one)
    assert f"Handling the messages takes about {plan.handling:.2g} seconds besides" in " ".join(text.split())
    assert row_of(text, "Time on the wire", "the scenario's")[3:] == [
        "80", "ms,", "no", "limit", f"{seconds['network']:.3f}",
    ]  # fmt: skip

    bare = scenario(tmp_path)
    assert plan_json(*planned(bare))["seconds"]["network"] is None
    assert "scenario's network" not in printed(bare)


def test_a_training_that_may_end_early_costs_at_most(tmp_path: Path) -> None:
    head = HEAD.replace("epochs = 3\nbatch_size = 50\n", "")
    (tmp_path / "planned.toml").write_text(
        head + 'solver = "newton"\niterations = 35\ntolerance = 0.01\n'
        + "".join(f'[parties.{name}]\nrole = "owner"\ndata = "x.csv"\n' for name in OWNERS)
    )  # fmt: skip
    plan, settings, one = planned(load_scenario(tmp_path / "planned.toml"))
    facts = plan_json(plan, settings, one)
    assert facts["training"]["steps"] == 35 == facts["training"]["most_steps"]
    assert facts["training"]["stopped"] is None and len(plan.forks) == 3
    (training,) = (stage for stage in facts["stages"] if stage["stage"] == "training")
    assert training["rounds"] == 3 * 35 + 9 * 3
    text = " ".join(printed(one).split())
    assert f"at most {len(plan.rounds)} rounds; each owner sends" in text
    assert "at most 35 steps of all rows" in text
    assert "ends as soon as no weight moved by more than 0.0100 in 10 steps; one bit tells after every 10" in text
    assert plan.on((False, True)).bytes_sent["east"] < plan.bytes_sent["east"]


def test_bits_are_those_of_the_training(tmp_path: Path) -> None:
    from protocols.training.form import descent_for

    for rate in (0.01, 0.5, 4.0):
        one = scenario(tmp_path, task=f"learning_rate = {rate}\n")
        plan, settings, _ = planned(one)
        bits = plan_json(plan, settings, one)["bits"]
        used = descent_for(settings).bits
        assert {key: bits[key] for key in ("x", "w", "e", "waves", "coefficients", "e_shift", "w_shift")} == vars(used)


@pytest.mark.parametrize(
    ("network", "round_bytes", "form"),
    [
        ("", 12_500, "primal"),
        ("latency_ms = 0.0\n", 12_500, "primal"),
        ("bandwidth_mbit = 1.0\n", 12, "primal"),
        ("latency_ms = 10.0\nbandwidth_mbit = 100.0\n", 125_000, "primal"),
        ("latency_ms = 10.0\n", 1_250_000, "dual"),
    ],
)
def test_the_form_is_that_of_the_network(tmp_path: Path, network: str, round_bytes: int, form: str) -> None:
    from protocols.training.form import choose_form

    one = scenario(tmp_path, owners=2, tail=f"[network]\n{network}" if network else "")
    rows = dict.fromkeys(OWNERS[:2], (228, 0))
    settings = settings_for(one, rows, 30)
    assert settings.round_bytes == round_bytes
    assert choose_form(settings) == form


def test_the_sigmoids_range_is_explained(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    _, settings, _ = planned(one)
    fit = choose_fit(settings)
    text = " ".join(printed(one).split())
    assert f'Scores may reach |z| = {fit.reach:g} (sigmoid_range = "auto": learning_rate x steps = 4.5)' in text
    assert f"{len(fit.coefficients)} sines of period {fit.period}" in text

    asked = " ".join(printed(scenario(tmp_path, task="sigmoid_range = 150.0\n")).split())
    assert "(the scenario asks for sigmoid_range = 150)" in asked
    assert "period 512" in asked


def test_without_metrics_fewer_things_are_revealed(tmp_path: Path) -> None:
    facts = plan_json(*planned(scenario(tmp_path, task='reveal = ["model"]\n')))
    assert [item["what"] for item in facts["reveals"]][-1] == "model"
    assert not [stage for stage in facts["stages"] if stage["stage"] == "evaluation"]


def test_wide_data_are_planned_in_the_dual_form(tmp_path: Path) -> None:
    """Many columns and few rows, planned from what the scenario states, without any data."""
    names = ", ".join(f'"gene_{k}"' for k in range(400))
    path = tmp_path / "wide.toml"
    path.write_text(
        'schema = 1\nname = "wide"\n'
        'parties.a = { role = "owner", rows = 40 }\nparties.b = { role = "owner", rows = 50 }\n'
        'parties.helper = { role = "helper" }\n'
        f'[task]\nkind = "logistic_regression"\ntarget = "y"\nfeatures = [{names}]\nepochs = 30\nlearning_rate = 0.01\n'
        "min_rows_per_feature = 0\n"
    )
    one = load_scenario(path)
    settings, plan = plan_of_scenario(one)
    facts = plan_json(plan, settings, one)
    assert facts["bits"]["form"] == "dual"
    training = next(stage for stage in facts["stages"] if stage["stage"] == "training")
    assert training["rounds"] == 2 * settings.step_count
    file = io.StringIO()
    print_plan(plan, settings, one, console=Console(file=file, width=100, color_system=None))
    text = " ".join(file.getvalue().split())
    assert "two rounds a step" in text
    assert all(kind in USES for kind in facts["correlations"])
