"""However a run ends, nothing is left behind and one sentence says why."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.examples import sample
from tests.run.command import Running, mpc, record
from tests.run.scenarios import write_scenario

LONG_TRAINING: dict[str, Any] = {"epochs": 100, "batch_size": 8}


def started(tmp_path: Path) -> Running:
    """A run that is in the middle of its training."""
    scenario = write_scenario(tmp_path, **LONG_TRAINING)
    run = Running("run", scenario, "--out", tmp_path / "record", "--no-compare", new=True)
    run.wait_for(lambda: len(run.parties()) == 3, "three parties")
    line = b""
    while b"training" not in line:
        line = os.read(run.process.stderr.fileno(), 1 << 16)  # type: ignore[union-attr]
        assert line, "ended before its training"
    return run


@pytest.mark.parametrize("victim", sample(["hospital_a", "hospital_b", "helper"], "helper"))
def test_a_killed_party_ends_the_run(tmp_path: Path, victim: str) -> None:
    run = started(tmp_path)
    run.party(victim).send_signal(signal.SIGKILL)
    ran = run.end()
    assert ran.code == 4
    assert ran.seconds < 5
    assert run.all_gone(within=0.5)
    last = ran.err.strip().splitlines()
    assert any(victim in line and "mpc:" in line for line in last), ran.err
    assert "Traceback" not in ran.err
    fields = record(tmp_path / "record")
    assert fields["status"] == "failed"
    assert fields["error"]["party"] == victim
    assert fields["error"]["code"] == "peer-lost"


def test_a_stopped_party_can_be_interrupted(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.party("hospital_b").send_signal(signal.SIGSTOP)
    run.signal(signal.SIGINT)
    ran = run.end()
    assert ran.code == 130
    assert ran.seconds < 5
    assert run.all_gone(within=0.5)


def test_ctrl_c(tmp_path: Path) -> None:
    run = started(tmp_path)
    run.signal(signal.SIGINT)
    ran = run.end()
    assert ran.code == 130
    assert ran.seconds < 5
    assert run.all_gone(within=0.5)
    assert "interrupted" in ran.err
    assert "Traceback" not in ran.err
    assert record(tmp_path / "record")["error"]["code"] == "interrupted"


def test_a_killed_launcher_takes_its_parties_along(tmp_path: Path) -> None:
    run = started(tmp_path)
    psutil.Process(run.process.pid).send_signal(signal.SIGKILL)
    run.end()
    assert run.all_gone(within=5)
    fields = record(tmp_path / "record")
    assert fields["status"] == "failed"
    assert fields["error"]["message"] == "did not finish"


def test_a_range_that_is_left_reveals_nothing(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path, epochs=10, batch_size=8, learning_rate=20.0, sigmoid_range=10)
    ran = mpc("run", scenario, "--out", tmp_path / "record")
    assert ran.code == 6
    assert "sigmoid_range" in ran.err
    fields = record(tmp_path / "record")
    assert fields["error"]["code"] == "protocol"
    assert fields["model"] is None
