"""`mpc run` of federated learning whose server is killed on purpose, and started again."""

from __future__ import annotations

from pathlib import Path

from tests.run.command import mpc, record
from tests.run.federated import write_federated

KILL = """
[[faults.restart]]
party = "server"
stage = "unmask"
"""


def test_a_killed_server_is_started_again(tmp_path: Path) -> None:
    """The sum of the round is asked for again, of the same clients: the model is that of a run without kills."""
    path = write_federated(tmp_path, rounds=3)
    whole = mpc("run", path, "--out", tmp_path / "whole")
    path.write_text(path.read_text() + KILL)
    killed = mpc("run", path, "--out", tmp_path / "killed")
    assert whole.code == killed.code == 0, (whole.err, killed.err)
    assert "server: was started again" in killed.err
    found, expected = record(tmp_path / "killed"), record(tmp_path / "whole")["federated"]
    assert [len(one["struck"]) for one in found["faults"]] == [1]
    assert found["federated"]["weights"] == expected["weights"]
    assert [one["clients"] for one in found["federated"]["rounds"]] == [4] * 5
    assert not [*(tmp_path / "killed").glob("*.state*")]
