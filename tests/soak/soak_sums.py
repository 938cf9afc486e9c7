"""SIGKILL to a client, to a host of clients, and to the server, at every stage of a secure sum."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocols.aggregation.messages import stages
from tests.run.command import mpc, record
from tests.run.sums import expected, write_sums
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

MODES = ("semi-honest", "malicious")
CASES = [
    (server, stage, victim)
    for server in MODES
    for stage in ("joining", *stages(server == "malicious"))
    for victim in ("c3", "clients_1", "server")
]


@pytest.mark.parametrize(("server", "stage", "victim"), SOAK.chosen("sums killed", CASES), ids=str)
def test_a_kill_in_every_stage(tmp_path: Path, server: str, stage: str, victim: str, tell: Tell) -> None:
    """The exact sum of a stated set, or a clean failure: never a hang, a traceback or a wrong sum."""
    scenario = write_sums(tmp_path, task=f'server = "{server}"', deadline=20.0)
    kill = f'[[faults.kill]]\nparty = "{victim}"\nstage = "{stage}"\nof = "server"\n'
    scenario.write_text(scenario.read_text() + kill)
    ended = mpc("run", scenario, "--out", tmp_path / "record")
    found = record(tmp_path / "record")
    assert "Traceback" not in ended.err
    if ended.code == 0:
        gone = [3] if "c3" in found["sums"]["left_out"] else []
        assert set(found["sums"]["left_out"]) <= {"c3"}
        assert found["sums"]["columns"] == expected(*gone)
        outcome = "summed"
    else:
        assert (ended.code, found["error"]["code"]) == (7, "too-few")
        assert ("server was killed" in ended.err) == (victim == "server")
        outcome = "said_that_the_server_was_killed" if victim == "server" else "too_few"
    assert "sums" not in found or ended.code == 0
    tell(f"SIGKILL in a secure sum ({server})", tried=1, **{outcome: 1}, slowest_end_in_seconds=ended.seconds)
