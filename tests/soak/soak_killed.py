"""SIGKILL to each party, and to the launcher, at every stage of real runs."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.soak.stages import DEALT_TO, MOMENTS, PARTIES, Moment, Staged, begun, judge, started, struck
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

ROUNDS = range(2)
TIMES = [k / 40 for k in range(29)]  # seconds: a run without slow links takes about one


def judged(staged: Staged, victim: str, tell: Tell, sweep: str) -> None:
    """Whether the victim is named, or the run was done before; and where it was met."""
    judge(staged.end(), (4, "peer-lost", victim), "named_the_victim", tell, sweep)


@pytest.mark.parametrize(
    ("moment", "victim", "number"),
    SOAK.chosen("killed", [(moment, victim, number) for number in ROUNDS for moment in MOMENTS for victim in PARTIES]),
    ids=str,
)
def test_a_killed_party(tmp_path: Path, moment: Moment, victim: str, number: int, tell: Tell) -> None:
    judged(struck(tmp_path, moment, victim, "kill"), victim, tell, "SIGKILL to each party at every stage")


@pytest.mark.parametrize(
    ("victim", "at"),
    SOAK.chosen("killed at a time", [(victim, at) for victim in PARTIES for at in TIMES]),
    ids=str,
)
def test_a_party_that_is_killed_at_a_time(tmp_path: Path, victim: str, at: float, tell: Tell) -> None:
    trial = f'[[faults.kill]]\nparty = "{victim}"\nat = {at}\n'
    how = {"epochs": 30, "batch_size": 16, "extra": trial}
    judged(started(tmp_path, victim, how).until_struck(), victim, tell, "SIGKILL to each party on fast links")


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
