"""A party that is started twice: the second start is refused before it connects, and the run goes on."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

from tests.run.apart import PARTIES, separate, start
from tests.run.command import ends_of, mpc, record
from tests.run.sums import approve, party, write_separate


def test_a_helper_that_is_started_twice_takes_part_once(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    helper = start(scenario, "helper")
    assert helper.hear("connecting")
    again = mpc("party", scenario, "--as", "helper", "--keys", tmp_path / "keys", "--out", tmp_path / "again")
    assert again.code == 2
    assert f"helper runs this study here already (process {helper.process.pid})" in again.err
    assert not (tmp_path / "again").exists()
    owners = [start(scenario, name) for name in PARTIES[:2]]
    assert {run.end().code for run in (helper, *owners)} == {0}
    assert record(tmp_path / "helper")["status"] == "ok"
    assert not list((tmp_path / "keys").glob("*.lock"))


def test_a_server_and_a_client_of_a_sum_that_are_started_twice(tmp_path: Path) -> None:
    path = write_separate(tmp_path)
    runs = [party(path, name) for name in ("server", "c1")]
    for run, name in zip(runs, ("server", "c1"), strict=True):
        assert run.hear("joining")
        again = mpc("party", path, "--as", name, "--keys", tmp_path / "keys", "--out", tmp_path / "again")
        assert again.code == 2
        assert f"{name} runs this study here already (process {run.process.pid})" in again.err
    assert not (tmp_path / "again").exists()
    for run in reversed(runs):
        run.process.send_signal(signal.SIGINT)
        assert run.end().code == 130


def test_a_second_client_of_a_key_does_not_displace_the_first(tmp_path: Path) -> None:
    """Of the same study with a copy of the keys, which the lock does not see, and of another study at its address."""
    path = write_separate(tmp_path)
    other = tmp_path / "other.toml"
    other.write_text(path.read_text().replace('name = "apart"', 'name = "else"'))
    approve(other, "c1")
    shutil.copytree(tmp_path / "keys", tmp_path / "copied")
    runs = {name: party(path, name) for name in ("server", "c1")}
    assert runs["server"].hear(r"joining +1")
    for scenario, words in (
        (path, "another process with this client's key takes part already"),
        (other, "the server stopped (disagreement)"),
    ):
        again = mpc("party", scenario, "--as", "c1", "--keys", tmp_path / "copied", "--out", tmp_path / "again")
        assert again.code == 5
        assert words in again.err
        shutil.rmtree(tmp_path / "again")
    runs |= {name: party(path, name) for name in ("c2", "c3", "c4")}
    ends = ends_of(runs)
    assert {ran.code for ran in ends.values()} == {0}, ends
    assert record(tmp_path / "out" / "server")["sums"]["clients"] == 4
    assert "another process with the key of c1 came, and was turned away" in ends["server"].err


def test_a_killed_client_is_welcome_again_and_counts_once(tmp_path: Path) -> None:
    path = write_separate(tmp_path)
    server, first = party(path, "server"), party(path, "c1")
    assert server.hear(r"joining +1")
    first.process.kill()
    first.end()
    runs = {name: party(path, name, "again") for name in ("c1", "c2", "c3", "c4")}
    ends = {name: run.end() for name, run in (("server", server), *runs.items())}
    assert {ran.code for ran in ends.values()} == {0}, ends
    sums = record(tmp_path / "out" / "server")["sums"]
    assert (sums["clients"], sums["columns"]["age"]["count"]) == (4, 1 + 2 + 3 + 4)
    assert "turned away" not in ends["server"].err
