"""A plan that takes long: it is made once, while the links are looked after, and the others wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from mpc.runtime.plan import Plan
from mpc.runtime.trace import Trace
from parties.data.table import load_owner_table
from parties.report.consent import consent_blocks
from parties.scenario.file import Scenario
from parties.session.take_part import _run_in_thread
from parties.tasks.logistic import run as training
from parties.tasks.registry import Plans, job_of, load_scenario
from tests.run.scenarios import write_scenario
from tests.run.threads import run_in_threads

A, B, HELPER = "hospital_a", "hospital_b", "helper"
ROWS = {A: (24, 6), B: (24, 6)}


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load_scenario(write_scenario(tmp_path))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The settings of every plan that is made from now on."""
    settings: list[Any] = []

    def plan(how: Any) -> Plan:
        settings.append(how)
        return genuine(how)

    genuine = training.TRAINING.run.plan
    run = replace(training.TRAINING.run, plan=plan)
    monkeypatch.setattr(training, "TRAINING", replace(training.TRAINING, run=run))
    return settings


def test_a_plan_is_made_once_of_the_same_shapes(scenario: Scenario, made: list[Any]) -> None:
    plans = Plans()
    first = plans.of(scenario, ROWS, 3)
    again = plans.of(scenario, dict(ROWS), 3)
    assert again[0] is first[0] and again[1] is first[1] and len(made) == 1
    assert plans.of(scenario, ROWS, 4)[1] != first[1] and plans.of(scenario, {**ROWS, A: (23, 7)}, 3)[1] != first[1]
    assert len(made) == 3
    assert Plans().of(scenario, ROWS, 3)[1] == first[1] and len(made) == 4


@pytest.mark.parametrize(
    ("task", "steps", "setting"),
    [
        ({"epochs": 10**8}, "200,000,000", "fewer `epochs`"),
        ({"solver": "nesterov", "iterations": 10**9}, "1,000,000,000", "fewer `iterations`"),
    ],
)
def test_a_plan_that_would_take_hours_is_refused_at_once(
    tmp_path: Path, made: list[Any], task: Mapping[str, Any], steps: str, setting: str
) -> None:
    one = load_scenario(write_scenario(tmp_path, **task))
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            Plans().of(one, ROWS, 3)
        assert f"{steps} steps, and 1,000,000 are the most" in caught.value.message
        assert setting in caught.value.hint
    assert made == []


def test_the_plan_that_consent_shows_is_the_one_of_the_run(tmp_path: Path, made: list[Any]) -> None:
    path = write_scenario(tmp_path, features=["years", "dose"])
    text = path.read_text().replace('data = "hospital_b.csv"', 'data = "hospital_b.csv"\nrows = 67')
    path.write_text(text.replace('data = "hospital_a.csv"', 'data = "hospital_a.csv"\nrows = 60'))
    one, plans = load_scenario(path), Plans()
    table = load_owner_table(one, A)
    consent_blocks(one, A, dict.fromkeys(one.parties, "key"), plans=plans)
    assert len(made) == 1
    counts = job_of(one).data.counts
    plans.of(one, {A: counts(one, table.rows), B: counts(one, 67)}, 2)  # as the handshake has them
    assert len(made) == 1


def test_each_party_of_a_run_makes_one_plan(tmp_path: Path, made: list[Any]) -> None:
    results, errors = run_in_threads(load_scenario(write_scenario(tmp_path)), tmp_path)
    assert not errors and len(results) == 3
    assert len(made) == 3, "nor is another made to say what was done"


@dataclass
class Attended:
    """A channel that notes whether it was attended, and then lets the work go on."""

    go_on: threading.Event = field(default_factory=threading.Event)
    stages: list[str] = field(default_factory=list)
    attended: bool = False

    @property
    def trace(self) -> Trace:
        return Trace(lambda name, done, total: self.stages.append(name))

    def attend(self, done: Callable[[], bool]) -> None:
        self.attended = True
        assert not done()
        self.go_on.set()
        while not done():
            self.go_on.wait()


def test_links_are_attended_while_a_plan_takes_long() -> None:
    channel = Attended()

    def work() -> str:
        assert channel.go_on.wait(60.0), "nobody looks after the links"
        return "made"

    assert _run_in_thread(channel, "planning", work) == "made"  # type: ignore[arg-type]
    assert channel.attended and channel.stages == ["planning"]


def test_a_plan_that_cannot_be_made_is_refused_where_it_is_asked() -> None:
    def work() -> Mapping[str, Any]:
        raise UsageError("too many steps", "set fewer")

    with pytest.raises(UsageError, match="too many steps"):
        _run_in_thread(Attended(), "planning", work)  # type: ignore[arg-type]
