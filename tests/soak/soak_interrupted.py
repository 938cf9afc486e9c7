"""Ctrl-C, SIGTERM and SIGHUP at every stage of real runs, also where a party was stopped before."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.soak.stages import DEALT_TO, MOMENTS, PARTIES, PROMPT, Moment, Staged, begun, struck
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt(staged: Staged, number: signal.Signals) -> None:
    """To all processes of the terminal, as Ctrl-C and its closing are; SIGTERM to the launcher."""
    if number == signal.SIGTERM:
        staged.run.process.send_signal(number)
    else:
        os.killpg(staged.run.process.pid, number)


def judge(staged: Staged, tell: Tell, sweep: str) -> None:
    """Whether the run was interrupted, or done before."""
    ended = staged.end()
    assert ended.ran.seconds < PROMPT
    if ended.landed() == "done" and ended.record["status"] == "ok":
        assert ended.ran.code in (0, 130)
        ended.check_quiet()
        outcome = "done_all_the_same"
    else:
        ended.check_failed(130, "interrupted", None)
        outcome = "interrupted"
    tell(sweep, tried=1, **{outcome: 1}, slowest_end_in_seconds=ended.ran.seconds)
    tell(f"{sweep}, met in", **{ended.landed(): 1})


@pytest.mark.parametrize(
    ("moment", "number"), SOAK.chosen("interrupted", [(moment, one) for moment in MOMENTS for one in SIGNALS]), ids=str
)
def test_interrupted(tmp_path: Path, moment: Moment, number: signal.Signals, tell: Tell) -> None:
    staged = begun(tmp_path, moment, DEALT_TO)
    interrupt(staged, number)
    judge(staged, tell, f"{number.name} at every stage")


@pytest.mark.parametrize(
    ("moment", "victim"),
    SOAK.chosen("stopped, interrupted", [(m, victim) for m in MOMENTS for victim in PARTIES]),
    ids=str,
)
def test_interrupted_with_a_stopped_party(tmp_path: Path, moment: Moment, victim: str, tell: Tell) -> None:
    staged = struck(tmp_path, moment, victim, "stop", seconds=1000.0)
    interrupt(staged, signal.SIGINT)
    judge(staged, tell, "Ctrl-C with a stopped party at every stage")
