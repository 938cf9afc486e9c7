"""Cables that are pulled: a cut that ends in time costs nothing but time, a longer one ends the run everywhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.hosts.machines import Command
from tests.hosts.study import PARTIES, PORT, SCENARIO, SEED, Study, done, ends
from tests.run.command import Ran, mpc, record
from tests.run.scenarios import write_scenario

RESET = "reject with tcp reset"
SILENCE = 12.0  # after so many seconds the heartbeats see that nobody answers


@dataclass(frozen=True)
class Training:
    """A training of some seconds on three hosts, and what it gives on one machine."""

    study: Study
    model: Any
    text: str

    def begun(self, patience: float) -> dict[str, Command]:
        """The parties, when they are in the middle of it."""
        for name in PARTIES:
            text = f"{self.text}[session]\npatience = {patience}\n"
            (self.study.world[name].folder / SCENARIO).write_text(text)
        runs = {name: self.study.start(name) for name in PARTIES}
        self.study.wait_for(runs["hospital_b"], "hospital_b", "training")
        return runs


@pytest.fixture(scope="module")
def training(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Training:
    scenario = write_scenario(tmp_path_factory.mktemp("local"), epochs=20, extra=SEED)
    ran = mpc("run", scenario, "--out", scenario.parent / "record", "--no-compare")
    assert ran.code == 0, ran.err
    addresses = {name: f"{study.world[name].ipv4}:{PORT}" for name in ("hospital_a", "helper")}
    text = study.text(scenario, addresses)
    study.copy(scenario, text)
    study.world.wire(delay=0.01)
    return Training(study, record(scenario.parent / "record")["model"], text)


@pytest.mark.parametrize(("how", "noticed"), [pytest.param("drop", False, marks=pytest.mark.soak), (RESET, True)])
def test_a_cut_that_ends_in_time_changes_no_bit(training: Training, how: str, noticed: bool) -> None:
    study = training.study
    runs = training.begun(patience=20)
    study.world.cut("hospital_b", how=how)
    time.sleep(1.5)  # so long is the cable out
    study.world.mend()
    done(ends(runs))
    for name in ("hospital_a", "hospital_b"):
        fields = study.record(name)
        assert fields["model"] == training.model
        assert fields["parties"][name]["bytes_sent"] == fields["plan"]["bytes"][name], "what came again is no new work"
    assert ("lost contact with hospital_b; waiting up to 20 s" in study.log("hospital_a")) == noticed
    assert ("in contact with hospital_a again" in study.log("hospital_b")) == noticed


def check_lost(ran: dict[str, Ran]) -> None:
    """hospital_b lost the others, and they lost it: each says whom, and ends with 4.

    Whoever of the others notices first tells the other, which then says who told it.
    """
    assert {name: one.code for name, one in ran.items()} == dict.fromkeys(PARTIES, 4), ran
    told = ran["hospital_a"].err.partition("mpc: ")[2]
    assert told.startswith(
        ("lost contact with hospital_b for more than", "helper says that it lost contact with hospital_b")
    )
    assert "mpc: lost contact with helper, hospital_a for more than" in ran["hospital_b"].err
    assert "hospital_b" in ran["helper"].err.partition("mpc: ")[2]


def test_a_longer_cut_ends_the_run_everywhere(training: Training) -> None:
    runs = training.begun(patience=2)
    training.study.world.cut("hospital_b", how=RESET)
    started = time.monotonic()
    check_lost(ends(runs))
    assert time.monotonic() - started < 15
    assert training.study.record("helper")["error"]["party"] == "hospital_b"


@pytest.mark.soak
@pytest.mark.speed
def test_a_longer_silence_ends_the_run_everywhere(training: Training) -> None:
    runs = training.begun(patience=2)
    training.study.world.cut("hospital_b")
    started = time.monotonic()
    check_lost(ends(runs))
    assert SILENCE / 2 < time.monotonic() - started < 2 * SILENCE


@pytest.mark.soak
@pytest.mark.speed
def test_a_silence_that_ends_in_time_changes_no_bit(training: Training) -> None:
    study = training.study
    runs = training.begun(patience=30)
    study.world.cut("hospital_b")
    time.sleep(SILENCE + 5)
    study.world.mend()
    done(ends(runs))
    assert study.record("hospital_b")["model"] == training.model
    assert "lost contact with hospital_b; waiting up to 30 s" in study.log("hospital_a")
