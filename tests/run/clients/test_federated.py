"""`mpc run`, `mpc plan` and `mpc party` of federated learning."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.registry import load_any, star_of
from parties.trust.budget import Account, Ledger
from tests.run.command import ROOT, ends_of, mpc, record
from tests.run.federated import write_federated
from tests.run.sums import approve, party

SCENARIOS = ROOT / "scenarios"


def test_twenty_clinics_learn_a_model(tmp_path: Path) -> None:
    ran = mpc("run", SCENARIOS / "federated.toml", "--out", tmp_path / "out")
    assert ran.code == 0, ran.err
    found = record(tmp_path / "out")
    part, server = found["federated"], found["parties"]["server"]
    first, last = part["rounds"][1], part["rounds"][-1]
    assert (first["phase"], last["phase"]) == ("train", "evaluate")
    assert last["loss"] < 0.6 * first["loss"]
    assert last["auc"]["1"]["auc"] > 0.9
    assert (server["bytes_sent"], server["bytes_received"]) == tuple(found["plan"]["bytes"].values())
    assert "Traffic of the server, given who answered: as planned, to the byte." in ran.out
    assert "round 2 of 7 (train)" in ran.err and "round 7, the last (evaluate)" in ran.err
    report = (tmp_path / "out" / "report.html").read_text()
    assert report.count('class="plot"') >= 3
    assert "What the server could see, and what not" in report
    planned = json.loads(mpc("plan", SCENARIOS / "federated.toml", "--json").out)
    assert planned["rounds"]["train"]["client_sends"] == part["rounds"][1]["bytes"]["client_sends"]
    assert planned["rounds"]["train"]["client_receives"] == part["rounds"][1]["bytes"]["client_receives"]


def test_machines_of_their_own_keep_their_own_models(tmp_path: Path) -> None:
    path = write_federated(tmp_path, rounds=2, task='personal = ["fine_tune", "ditto"]\nserver = "malicious"')
    note_earlier_study(path)
    names = ["server", "c1", "c2", "c3", "c4"]
    ends = {name: run.end() for name, run in {name: party(path, name) for name in names}.items()}
    assert {ran.code for ran in ends.values()} == {0}, {name: ran.err for name, ran in ends.items()}
    whole = record(tmp_path / "out" / "server")["federated"]
    assert whole["rounds"][-1]["personal"]["clients"] == 4
    assert "own" not in whole
    gains = []
    for name in names[1:]:
        mine = record(tmp_path / "out" / name)["federated"]
        kept = json.loads((tmp_path / "out" / name / mine["kept"]).read_text())
        assert kept["weights"]["global"] == whole["weights"]
        assert kept["weights"]["ditto"] != whole["weights"]
        assert set(mine["own"]["gains"]) == {"alone", "fine-tuned", "ditto"}
        assert mine["own"]["models"]["global"]["loss"] > 0
        assert "over all" in ends[name].out
        logs = "".join(one.read_text() for one in (tmp_path / "out" / name).glob("*.log"))
        assert logs.count("repeat: results of these very rows") == (name == "c1")
        assert f"its own model (ditto) gains {mine['own']['gains']['ditto']:+.4f}" in logs
        gains.append(mine["own"]["gains"]["alone"])
    noted = [json.loads(line) for line in (tmp_path / "keys" / "releases.jsonl").read_text().splitlines()]
    of_c1 = [one for one in noted[1:] if one["party"] == "c1" and one["status"] == "done"]
    assert len(of_c1) == 4  # a scaling, two trainings, a last round
    assert any("updates" in what for what in of_c1[1]["revealed"])
    again = party(path, "server", "again").end()
    assert again.code == 2 and f"this study is done: its record is in {tmp_path / 'out' / 'server'}" in again.err
    assert not (tmp_path / "again").exists()


@pytest.mark.soak
def test_each_client_charges_its_ledger_for_each_round(tmp_path: Path) -> None:
    """All four have one folder of keys here, and so one ledger."""
    path = write_federated(tmp_path, rounds=2, least=4, task="[privacy]\nepsilon = 20.0")
    names = ["server", "c1", "c2", "c3", "c4"]
    runs = {name: party(path, name) for name in names}
    ends = ends_of(runs)
    assert {ran.code for ran in ends.values()} == {0}, ends
    keys = tmp_path / "keys"
    charged, noted = (
        [json.loads(line) for line in (keys / name).read_text().splitlines()]
        for name in ("budget.jsonl", "releases.jsonl")
    )
    rounds = ["train 1", "train 2", "evaluate 3"]
    every = {(name, one) for name in names[1:] for one in rounds}
    assert len(charged) == 12 and {(one["party"], one["session"].split("/")[1]) for one in charged} == every
    assert {one["session"] for one in noted if one["epsilon"]} == {one["session"] for one in charged}
    found = record(tmp_path / "out" / "server")["federated"]["privacy"]
    mine = [one for one in Ledger(keys).read().charges if one.party == "c1"]
    assert Account(None, tuple(mine)).spent(1e-6) == pytest.approx(found["planned"])
    assert "federated, 3 rounds" in mpc("budget", "--keys", keys).out


def note_earlier_study(path: Path) -> None:
    """The list of c1 says that its rows were in a study before."""
    scenario = load_any(path)
    assert isinstance(scenario, FederatedScenario)
    star = star_of(scenario)
    earlier = star.release(scenario, "c1", star.load(scenario, "c1", 1), "")
    (path.parent / "keys" / "releases.jsonl").write_text(json.dumps(asdict(replace(earlier, status="done"))) + "\n")
    (path.parent / "keys" / "releases.jsonl").chmod(0o600)


def test_plain_updates_need_a_policys_rule(tmp_path: Path) -> None:
    path = write_federated(tmp_path, rounds=1, task='aggregation = "plain"')
    refused = party(path, "c1").end()
    assert refused.code == 2
    assert 'aggregation = "plain" shows the server each client\'s own update' in refused.err
    (tmp_path / "keys" / "policy.toml").write_text("plain_updates = true\n")
    (tmp_path / "keys" / "policy.toml").chmod(0o600)
    approve(path, "server", "c1", "c2", "c3", "c4")
    ends = [run.end() for run in [party(path, name, "second") for name in ("server", "c1", "c2", "c3", "c4")]]
    assert {ran.code for ran in ends} == {0}, [ran.err for ran in ends]
    assert "PLAIN: the server saw every client's own update" in ends[0].out
    assert "No client's update was opened" not in ends[0].out
    assert "PLAIN" in ends[1].out


def test_a_plan_says_what_intermediate_models_tell() -> None:
    out = " ".join(mpc("plan", SCENARIOS / "federated.toml").out.split())
    for said in (
        "A client that takes its own away has the sum of the others': of 10 at the fewest.",
        "Zhu et al. 2019, Geiping et al. 2020",
        "of two clients, each would see the other's exactly",
        "What makes it less",
    ):
        assert said in out


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("most_bytes = 5000", "bytes of a client, and most_bytes is 5000"),
        ("most_memory_mb = 0.01", "MB of a client, and most_memory_mb is 0.01"),
        ("most_seconds = 0.0001", "s of a client's core, and most_seconds is 0.0001"),
    ],
)
def test_a_plan_that_takes_too_much_is_refused(tmp_path: Path, setting: str, says: str) -> None:
    text = (SCENARIOS / "federated.toml").read_text().replace("data/", f"{SCENARIOS}/data/")
    path = tmp_path / "small.toml"
    path.write_text(text.replace("rounds = 5", f"rounds = 5\n{setting}"))
    ran = mpc("plan", path)
    assert ran.code == 2
    assert says in ran.err


@pytest.mark.parametrize("processes", [0, 1])
def test_a_missing_column_of_hosted_clients_is_named(tmp_path: Path, processes: int) -> None:
    data = SCENARIOS / "data"
    text = (SCENARIOS / "federated.toml").read_text().replace('"data/', f'"{data}/').replace("mean_texture", "texture")
    (tmp_path / "s.toml").write_text(text.replace("processes = 1", f"processes = {processes}"))
    ran = mpc("run", tmp_path / "s.toml", "--out", tmp_path / "out")
    assert ran.code == 7
    assert "client_01: clients, masses.csv: there is no column 'texture' (columns) (and 19 more: " in ran.err
