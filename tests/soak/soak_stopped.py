"""SIGSTOP to each party, and to the emulated network, at every stage of real runs: a deadline ends them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from parties.processes.network.relay import NAME as NETWORK
from tests.soak.stages import DEALT_TO, MOMENTS, PARTIES, PROMPT, Moment, begun, judge, struck
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

DEADLINE = SOAK.in_time(4.0, patient=12.0)  # a busy machine lets a party wait longer for what comes


@pytest.mark.parametrize(
    ("moment", "victim"),
    SOAK.chosen("stopped", [(moment, victim) for moment in MOMENTS for victim in PARTIES]),
    ids=str,
)
def test_a_stopped_party(tmp_path: Path, moment: Moment, victim: str, tell: Tell) -> None:
    ended = struck(tmp_path, moment, victim, "stop", deadline=DEADLINE, seconds=1000.0).end()
    sweep = "SIGSTOP to each party at every stage"
    judge(ended, (4, "peer-lost", victim), "named_the_victim", tell, sweep, DEADLINE + PROMPT)


@pytest.mark.parametrize("moment", SOAK.chosen("network stopped", MOMENTS), ids=str)
def test_a_stopped_network(tmp_path: Path, moment: Moment, tell: Tell) -> None:
    staged = begun(tmp_path, moment, DEALT_TO, deadline=DEADLINE)
    staged.signal(NETWORK, signal.SIGSTOP)
    ended = staged.end()
    sweep = "SIGSTOP to the emulated network at every stage"
    if judge(ended, (70, "internal", None), "named_the_network", tell, sweep, DEADLINE + PROMPT):
        assert f"{NETWORK} was stopped by a signal" in ended.error["message"]
