"""A few of the soak's kills and stops, so that `make test` notices what breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.stages import Moment, struck

DEADLINE = 5.0

KILLS = [
    (Moment("start"), "hospital_a"),
    (Moment("handshake"), "helper"),
    (Moment("evaluation"), "hospital_b"),
]


@pytest.mark.parametrize("moment, victim", KILLS, ids=str)
def test_a_killed_party(tmp_path: Path, moment: Moment, victim: str) -> None:
    struck(tmp_path, moment, victim, "kill").end().check_failed(4, "peer-lost", victim)


def test_stopped_parties_where_no_peer_would_notice(tmp_path: Path) -> None:
    """One that does not listen yet, and a helper that has dealt all; side by side, for both wait for the deadline."""
    moments = {"hospital_b": Moment("start"), "helper": Moment("done")}
    runs = {}
    for victim, moment in moments.items():
        (tmp_path / victim).mkdir()
        runs[victim] = struck(tmp_path / victim, moment, victim, "stop", deadline=DEADLINE, seconds=1000.0)
    for victim, staged in runs.items():
        ended = staged.end()
        if victim == "helper" and ended.ran.code == 0:  # a busy machine has let it end before it was stopped
            ended.check_ok()
        else:
            ended.check_failed(4, "peer-lost", victim)
