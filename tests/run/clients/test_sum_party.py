"""`mpc party` and `mpc doctor` of secure sums: a server and clients that meet as on machines of their own."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from parties.trust.keys import generate
from tests.run.command import Ran, Running, approving, ends_of, mpc, record
from tests.run.sums import approve, party, write_separate


def all_of(path: Path, names: list[str], out: str) -> dict[str, Ran]:
    runs = {name: party(path, name, out) for name in names}
    return ends_of(runs)


def ages(*clients: int) -> dict[str, float]:
    count = sum(clients)
    return {"count": count, "sum": float(sum(k * k for k in clients)), "mean": sum(k * k for k in clients) / count}


def test_a_sum_among_machines_against_a_server_that_may_lie(tmp_path: Path) -> None:
    path = write_separate(tmp_path, task='server = "malicious"\ndropout = 0.0')
    names = ["server", "c1", "c2", "c3", "c4"]
    ends = all_of(path, names, "first")
    assert {ran.code for ran in ends.values()} == {0}, ends
    found = record(tmp_path / "first" / "server")
    assert found["sums"]["columns"]["age"] == ages(1, 2, 3, 4)
    server = found["parties"]["server"]
    assert (server["bytes_sent"], server["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert "Sums over 4 of 4 clients" in ends["server"].out
    assert "done, this client's part" in ends["c2"].out
    mine = record(tmp_path / "first" / "c2")
    assert mine["sums"] == {"rounds_done": 1, "rounds_due": 1}
    assert server["bytes_received"] == sum(
        record(tmp_path / "first" / name)["parties"][name]["bytes_sent"] for name in names[1:]
    )
    keys = tmp_path / "keys"
    noted = [json.loads(line) for line in (keys / "releases.jsonl").read_text().splitlines()]
    of_c2 = [(one["status"], one["rows"], one["revealed"]) for one in noted if one["party"] == "c2"]
    assert of_c2 == [(status, 2, ["counts and sums of 2 columns"]) for status in ("started", "done")]
    journals = list(keys.glob("c2-*.rounds"))
    assert [json.loads(line)["round"] for one in journals for line in one.read_text().splitlines()] == [1]


def test_each_client_charges_its_ledger_for_a_noisy_sum(tmp_path: Path) -> None:
    """Here all four have one folder of keys, and so one ledger. Over budget, a client connects to nobody."""
    task = 'out_of_range = "clip"\nmissing = "skip"\ndropout = 0.0\n[privacy]\nepsilon = 4.0'
    path, keys = write_separate(tmp_path, task=task), tmp_path / "keys"
    assert mpc("budget", "--keys", keys, "--epsilon", "3").code == 0
    refused = party(path, "c1", "first").end()
    assert refused.code == 5 and "c1's budget is epsilon = 3 at delta = 1e-05: 0 was spent by 0 runs" in refused.err
    assert not (tmp_path / "first").exists() and len((keys / "budget.jsonl").read_text().splitlines()) == 1
    assert mpc("budget", "--keys", keys, "--epsilon", "100").code == 0
    ends = all_of(path, ["server", "c1", "c2", "c3", "c4"], "second")
    assert {ran.code for ran in ends.values()} == {0}, ends
    found = record(tmp_path / "second" / "server")
    assert found["sums"]["clients"] == 4 and found["privacy"]["spent"] <= found["privacy"]["planned"] <= 4.0
    charged = [json.loads(line) for line in (keys / "budget.jsonl").read_text().splitlines()][2:]
    noted = [json.loads(line) for line in (keys / "releases.jsonl").read_text().splitlines()]
    assert sorted(one["party"] for one in charged) == ["c1", "c2", "c3", "c4"]
    assert {(one["session"], one["unit"]) for one in charged} == {(f"{found['session']}/1", "client")}
    assert {(one["session"], one["epsilon"]) for one in noted} == {(f"{found['session']}/1", 4.0)}
    assert "by 4 runs together" in mpc("budget", "--keys", keys).out
    (keys / "budget.jsonl").write_text((keys / "budget.jsonl").read_text().split('{"entry":"charge"')[0])
    refused = party(path, "c1", "third").end()
    assert refused.code == 5 and "lacks the run 'apart'" in refused.err


def test_a_failed_sum_that_opened_nothing_is_no_release(tmp_path: Path) -> None:
    """It was begun, by too few clients: they sent keys, and released nothing."""
    path = write_separate(tmp_path, task="dropout = 0.0")
    path.write_text(path.read_text().replace("connect_timeout = 40.0", "connect_timeout = 1.0"))
    approve(path, "server", "c1", "c2")
    ends = all_of(path, ["server", "c1", "c2"], "first")
    assert {ran.code for ran in ends.values()} == {7}, ends
    assert (tmp_path / "keys" / "releases.jsonl").read_text() == ""


@pytest.mark.soak
def test_a_second_run_counts_on_and_warns_of_the_repeat(tmp_path: Path) -> None:
    """Another set of survivors is another round: the clients' journals hold them to one set a number."""
    path = write_separate(tmp_path)
    assert {ran.code for ran in all_of(path, ["server", "c1", "c2", "c3", "c4"], "first").values()} == {0}
    text = path.read_text().replace("connect_timeout = 40.0", "connect_timeout = 6.0")
    path.write_text(text)
    approve(path, "server", "c1", "c2", "c3", "c4")
    for out in ("second", "third"):
        ends = all_of(path, ["server", "c1", "c2", "c3"], out)
        assert {ran.code for ran in ends.values()} == {0}, ends
        assert record(tmp_path / out / "server")["sums"]["columns"]["age"] == ages(1, 2, 3)
        assert "repeat: results of these very rows" in ends["c1"].err
    assert record(tmp_path / "second" / "server")["sums"]["round"] == 1  # of the changed scenario
    assert record(tmp_path / "third" / "server")["sums"]["round"] == 2


@pytest.mark.soak
def test_a_helper_on_a_machine_of_its_own(tmp_path: Path) -> None:
    """Of 10 rows those of c1 alone have a stay: 1 is too few to be told."""
    path = write_separate(tmp_path, task='min_cell = 3\nmissing = "skip"\ndropout = 0.0', helper=True)
    (tmp_path / "c1.csv").write_text("age,stay\n5,2\n")
    for k in (2, 3, 4):
        (tmp_path / f"c{k}.csv").write_text("age,stay\n" + "5,\n" * k)
    ends = all_of(path, ["server", "judge", "c1", "c2", "c3", "c4"], "first")
    assert {ran.code for ran in ends.values()} == {0}, ends
    found = record(tmp_path / "first" / "server")
    assert found["sums"]["columns"]["age"] == {"count": 10, "sum": 50.0, "mean": 5.0}
    assert found["sums"]["columns"]["stay"] == {"count": None, "sum": None, "mean": None}
    server = found["parties"]["server"]
    assert (server["bytes_sent"], server["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    mine = record(tmp_path / "first" / "judge")
    assert mine["sums"] == {"rounds_done": 1, "rounds_due": 1}
    assert mine["parties"]["judge"]["role"] == "helper"
    assert "done, this helper's part" in ends["judge"].out
    (tmp_path / "keys" / "approved.json").unlink()
    ran = mpc("party", path, "--as", "judge", "--keys", tmp_path / "keys", "--out", tmp_path / "out")
    assert ran.code == 2
    for said in (
        "what judge is asked to take part in",
        "judge has no data",
        "What judge learns",
    ):
        assert said in " ".join(ran.out.split())


def test_what_is_shown_and_asked_before_the_first_run(tmp_path: Path) -> None:
    path = write_separate(tmp_path, task='server = "malicious"\ndropout = 0.0')
    (tmp_path / "keys" / "approved.json").unlink()
    words = ("--as", "c3", "--keys", tmp_path / "keys", "--out", tmp_path / "out")
    ran = mpc("party", path, *words)
    assert ran.code == 2
    assert " ".join(approving(path, "c3")) in ran.err
    for said in ("what c3 is asked to take part in", "What the server learns", "c3.csv", "The server may lie"):
        assert said in ran.out
    (tmp_path / "keys" / "policy.toml").write_text("minimum_owners = 4\n")
    ran = mpc("party", path, *words)
    assert ran.code == 2
    assert "minimum_owners = 4, but a sum may be of 3 (min_cohort)" in ran.err
    (tmp_path / "keys" / "policy.toml").write_text('kinds = ["secure_sum"]\nreveals = ["count", "mean"]\n')
    ran = mpc("party", path, *words)
    assert 'reveals = ["count", "mean"], but it reveals \'sum\'' in ran.err
    assert not (tmp_path / "out").exists()


def test_a_server_that_may_lie_does_not_choose_the_clients(tmp_path: Path) -> None:
    path = write_separate(tmp_path, task='server = "malicious"\ndropout = 0.0')
    text = path.read_text()
    keys = ("--keys", tmp_path / "keys")
    server = re.search(r'\[parties.server\]\npublic_key = "([^"]+)"', (tmp_path / "roster.toml").read_text())
    assert server is not None
    assert mpc("roster", "sign", tmp_path / "roster.toml", "--as", "server", *keys).code == 0
    path.write_text(re.sub('signed_by = "[^"]+"', f'signed_by = "{server[1]}"', text))
    ran = mpc("party", path, "--as", "c1", *keys)
    assert (ran.code, "the roster is signed by server, which may lie" in ran.err) == (2, True)
    path.write_text(re.sub(r"\[roster\]\n.*\n.*\n", "", text))
    ran = mpc("doctor", path)
    assert ran.code == 2
    assert "no public_key of server, c1, c2, c3, c4" in ran.out


def test_a_client_with_another_key_is_turned_away_at_once(tmp_path: Path) -> None:
    path = write_separate(tmp_path)
    server = party(path, "server")
    server.wait_for(lambda: "server: joining" in _log(tmp_path) or server.hear("joining"), "a port")
    other = tmp_path / "other"
    other.mkdir()
    _, text = generate("c1", other)
    old = re.search(r'\[parties.c1\]\npublic_key = "([^"]+)"', (tmp_path / "roster.toml").read_text())
    assert old is not None
    mine = tmp_path / "mine.toml"
    (tmp_path / "mine_roster.toml").write_text((tmp_path / "roster.toml").read_text().replace(old[1], text))
    assert (
        mpc("roster", "sign", tmp_path / "mine_roster.toml", "--as", "admin", "--keys", tmp_path / "office").code == 0
    )
    mine.write_text(path.read_text().replace("roster.toml", "mine_roster.toml"))
    words = ("--keys", other, "--out", tmp_path / "out" / "c1", *approving(mine, "c1"))
    ran = mpc("party", mine, "--as", "c1", *words)
    assert ran.code == 5, ran.err
    assert "the server refuses this client's key" in ran.err
    assert ran.seconds < 20
    server.process.send_signal(signal.SIGINT)
    assert server.end().code == 130


def _log(folder: Path) -> str:
    found = folder / "out" / "server" / "server.log"
    return found.read_text() if found.exists() else ""


@pytest.mark.soak
@pytest.mark.parametrize("stage", ["joining", "keys"])
def test_a_killed_server_leaves_its_clients_with_7(tmp_path: Path, stage: str) -> None:
    path = write_separate(tmp_path)
    path.write_text(path.read_text().replace("deadline = 20.0", "deadline = 2.0").replace("= 40.0", "= 12.0"))
    approve(path, "server", "c1", "c2", "c3", "c4")
    server = party(path, "server")
    server.hear("joining")
    clients = {name: party(path, name) for name in (["c1"] if stage == "joining" else ["c1", "c2", "c3", "c4"])}
    server.hear(r"server: joining +1" if stage == "joining" else r"server: keys")
    server.process.kill()
    server.end()
    done = record(tmp_path / "out" / "server")["status"] == "ok"  # all may be over by the time that a line was read
    for name, one in clients.items():
        ran = one.end()
        assert ran.code == (0 if done else 7), (name, ran.err)
        assert done or "the server was silent for" in ran.err


@pytest.mark.parametrize("missing", ["nobody", pytest.param("c4", marks=pytest.mark.soak)])
def test_doctors_of_a_sum_meet(tmp_path: Path, missing: str) -> None:
    path = write_separate(tmp_path)
    names = [name for name in ("server", "c1", "c2", "c3", "c4") if name != missing]
    keys = ("--keys", tmp_path / "keys")
    looks = {name: Running("doctor", path, "--as", name, "--seconds", "12", *keys) for name in names}
    ends = {name: look.end() for name, look in looks.items()}
    assert {ran.code for ran in ends.values()} == {0}, ends
    assert f"{len(names) - 1} of 4 clients came" in ends["server"].out
    assert ("missing: c4" in ends["server"].out) == (missing == "c4")
    assert "c2 has the same scenario" in ends["server"].out
    said = ends["c1"].out
    for words in ("server has the same scenario", "link to server: ", "data: c1.csv: 1 row, 2 columns", "a round: "):
        assert words in said


def test_a_client_looks_at_a_server_that_waits(tmp_path: Path) -> None:
    path = write_separate(tmp_path)
    server = party(path, "server")
    server.hear("joining")
    ran = mpc("doctor", path, "--as", "c1", "--seconds", "6", "--keys", tmp_path / "keys")
    assert ran.code == 0, ran.out
    assert "under its own key: it waits for the run" in ran.out
    server.process.send_signal(signal.SIGINT)
    assert server.end().code == 130
