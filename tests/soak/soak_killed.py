"""SIGKILL to each party, and to the launcher, at every stage of real runs."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.run.command import Running
from tests.run.scenarios import write_scenario
from tests.soak.stages import DEALT_TO, MOMENTS, PARTIES, PROMPT, Moment, Staged, begun
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

ROUNDS = range(2)
LINES = range(1, 30)  # a run without slow links says about thirty lines


def judge(staged: Staged, victim: str, tell: Tell, sweep: str) -> None:
    """Whether the victim is named, or the run was done before; and where it was met."""
    ended = staged.end()
    assert ended.ran.seconds < PROMPT
    if ended.ran.code == 0 and ended.landed() == "done":
        ended.check_ok()
        outcome = "done_all_the_same"
    else:
        ended.check_failed(4, "peer-lost", victim)
        outcome = "named_the_victim"
    tell(sweep, tried=1, **{outcome: 1}, slowest_end_in_seconds=ended.ran.seconds)
    tell(f"{sweep}, met in", **{ended.landed(): 1})


@pytest.mark.parametrize(
    ("moment", "victim", "number"),
    SOAK.chosen("killed", [(moment, victim, number) for number in ROUNDS for moment in MOMENTS for victim in PARTIES]),
    ids=str,
)
def test_a_killed_party(tmp_path: Path, moment: Moment, victim: str, number: int, tell: Tell) -> None:
    staged = begun(tmp_path, moment, victim)
    staged.signal(victim, signal.SIGKILL)
    judge(staged, victim, tell, "SIGKILL to each party at every stage")


@pytest.mark.parametrize(
    ("victim", "lines"),
    SOAK.chosen("killed at a line", [(victim, lines) for victim in PARTIES for lines in LINES]),
    ids=str,
)
def test_a_party_that_is_killed_when_so_many_lines_were_said(
    tmp_path: Path, victim: str, lines: int, tell: Tell
) -> None:
    scenario = write_scenario(tmp_path, epochs=30, batch_size=16)
    run = Running("run", scenario, "--out", tmp_path / "record", "--no-compare")
    run.wait_for(lambda: victim in run.parties(), f"a process of {victim}")
    run.hear(f"(.*\\n){{{lines}}}")
    staged = Staged(run, scenario, tmp_path / "record", victim)
    staged.signal(victim, signal.SIGKILL)
    judge(staged, victim, tell, "SIGKILL to each party on fast links")


@pytest.mark.parametrize(
    ("moment", "number"), SOAK.chosen("launcher killed", [(m, number) for number in ROUNDS for m in MOMENTS]), ids=str
)
def test_a_killed_launcher(tmp_path: Path, moment: Moment, number: int, tell: Tell) -> None:
    staged = begun(tmp_path, moment, DEALT_TO)
    staged.run.process.kill()
    ended = staged.end()
    ended.check_quiet()
    sweep = "SIGKILL to the launcher at every stage"
    if ended.landed() == "done" and ended.record["status"] == "ok":
        outcome = "done_all_the_same"
    else:
        assert ended.ran.code == -signal.SIGKILL
        assert ended.record["status"] == "failed" and ended.error["message"] == "did not finish"
        outcome = "did_not_finish"
    tell(sweep, tried=1, **{outcome: 1})
    tell(f"{sweep}, met in", **{ended.landed(): 1})
