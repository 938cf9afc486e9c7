"""`mpc run` with clients that live in the server's process: the same sums as from processes of their own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from parties.trace.lanes import read_lanes
from tests.run.command import ROOT, mpc, record
from tests.run.sums import expected, with_helper, write_sums

SCENARIOS = ROOT / "scenarios"
FAULTS = '\n[faults.clients]\nvanish = 0.12\nstraggle = 0.12\nstage = "masked"\nseconds = 5000.0\n'


def inside(path: Path, *, alone: bool = False) -> Path:
    """The hosted clients without processes; and no others, if they are to be alone."""
    text = path.read_text().replace("processes = 1", "processes = 0")
    path.write_text(re.sub(r"\[parties\.c\d\]\n.*\n.*\n", "", text) if alone else text)
    return path


@pytest.mark.parametrize("server", ["semi-honest", "malicious"])
def test_clients_inside_and_others_give_the_same_sum(tmp_path: Path, server: str) -> None:
    """Three clients dial in, from processes of their own."""
    ran = mpc("run", inside(write_sums(tmp_path, task=f'server = "{server}"')), "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    assert found["sums"]["columns"] == expected()
    assert set(found["parties"]) == {"server", "c1", "c2", "c3", "clients"}
    party = found["parties"]["server"]
    assert (party["bytes_sent"], party["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert party["pid"] == found["parties"]["clients"]["pid"]
    assert party["bytes_received"] == sum(
        one["bytes_sent"] for name, one in found["parties"].items() if name != "server"
    )
    assert not list((tmp_path / "record").glob("client*.rounds"))


def test_alone_inside_hours_take_no_time(tmp_path: Path) -> None:
    """One vanishes, one is late by more than an hour: that is the clock of the simulation, and the faults are told."""
    path = inside(write_sums(tmp_path, task="min_cohort = 3", deadline=3600.0), alone=True)
    path.write_text(path.read_text() + FAULTS)
    ran = mpc("run", path, "--out", tmp_path / "record", "--trace")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    assert found["sums"]["clients"] == 7
    assert "the server, with clients in its process, took" in " ".join(ran.out.split())
    assert len(found["sums"]["dropped"]["masked"]) == 2
    assert [len(fault["struck"]) for fault in found["faults"]] == [1, 1]
    server, *clients = read_lanes(tmp_path / "record")
    assert (server.party, len(clients)) == ("server", 9)
    assert (
        sum(size for one in server.protocol for size in one.sent.values()) == found["parties"]["server"]["bytes_sent"]
    )


def test_clients_on_a_cluster_give_the_same_sum(tmp_path: Path) -> None:
    """Against a lying server, whose clients need their keys there. One is unfit, and says so; another vanishes."""
    pytest.importorskip("distributed")
    path = inside(write_sums(tmp_path, task='server = "malicious"\nmin_cohort = 3', deadline=3600.0), alone=True)
    path.write_text(
        path.read_text().replace("processes = 0", 'cluster = "local"') + FAULTS.replace("straggle = 0.12", "")
    )
    data = tmp_path / "all.csv"
    data.write_text(data.read_text().replace("client_4,1,", "client_4,777,"))
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    assert found["sums"]["left_out"].count("client_4") == 1
    hosts = [one for name, one in found["parties"].items() if name.startswith("clients_")]
    assert len(hosts) == len(found["parties"]) - 1
    assert sum(one["clients"] for one in hosts) == 9
    party = found["parties"]["server"]
    assert party["pid"] not in [one["pid"] for one in hosts]
    assert (party["bytes_sent"], party["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert [len(fault["struck"]) for fault in found["faults"]] == [1]
    assert "client_4: " in (tmp_path / "record" / "server.log").read_text()


def test_a_helper_judges_sums_of_clients_inside(tmp_path: Path) -> None:
    path = inside(with_helper(write_sums(tmp_path, task="min_cell = 3")), alone=True)
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "record")
    assert set(found["parties"]) == {"server", "judge", "clients"}
    assert found["sums"]["clients"] == 9


def test_an_unfit_client_inside_is_left_out_and_logged(tmp_path: Path) -> None:
    path = inside(write_sums(tmp_path), alone=True)
    data = tmp_path / "all.csv"
    data.write_text(data.read_text().replace("client_4,1,", "client_4,777,"))
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    assert record(tmp_path / "record")["sums"]["left_out"] == ["client_4"]
    assert "client_4: " in (tmp_path / "record" / "server.log").read_text()


def test_a_killed_server_begins_anew_with_its_clients(tmp_path: Path) -> None:
    """They are of its process, and begin anew with it; the model is the one of a run without a kill."""
    text = (SCENARIOS / "federated.toml").read_text().replace("processes = 1", "processes = 0")
    text = text.replace("rounds = 5", "rounds = 2").replace("data/masses.csv", "masses.csv")
    shutil.copy(SCENARIOS / "data" / "masses.csv", tmp_path)
    models = []
    for name, faults in (("calm", ""), ("killed", '\n[[faults.restart]]\nparty = "server"\nstage = "unmask"\n')):
        path = tmp_path / f"{name}.toml"
        path.write_text(text + faults)
        ran = mpc("run", path, "--out", tmp_path / name)
        assert ran.code == 0, ran.err
        assert ("was started again" in ran.err) == bool(faults)
        models.append(record(tmp_path / name)["federated"]["coefficients"])
    assert models[0] == models[1] and len(models[0]) == 7


def test_links_of_clients_that_have_none_are_refused(tmp_path: Path) -> None:
    path = inside(write_sums(tmp_path))
    path.write_text(path.read_text() + "\n[network]\nlatency_ms = 20\n")
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 2
    assert "clients in the server's process or on a cluster have none" in ran.err
