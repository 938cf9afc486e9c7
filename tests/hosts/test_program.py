"""Protocols that the project does not ship, each party's on a host of its own: the same bits as in one thread."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from parties.base.logs import open_log
from parties.cli.run_star_locally import fault_log
from parties.processes.one_thread import star_in_one_thread
from parties.report.record import record_of
from parties.scenario.file import Scenario
from parties.scenario.star import StarScenario
from parties.session.lockstep import run_in_one_thread
from parties.tasks.registry import load_any, load_scenario, with_program
from parties.trust.consent import consent_digest
from tests.hosts.study import PARTIES, PORT, SCENARIO, SEED, Study, done
from tests.parties.tasks.program.clients.runs import OWN as CLIENTS
from tests.parties.tasks.program.runs import OWN

BASE = 'schema = 1\nname = "own"\nseed = 2\n' + "".join(
    f'[parties.{name}]\nrole = "{"helper" if name == "helper" else "owner"}"\n' for name in PARTIES
)


@pytest.mark.soak
@pytest.mark.parametrize(
    "named, given",
    [
        ("auction", "reals:2"),
        ("median", "integers:3,low=-9,high=9"),
        ("similarity", "reals:4,scale=16"),
    ],
)
def test_a_program_on_three_hosts(study: Study, tmp_path: Path, named: str, given: str) -> None:
    base = tmp_path / SCENARIO
    base.write_text(f'{BASE}[task]\nkind = "program"\ninputs = ["{given}"]\n{SEED}')
    addresses = {name: f"{study.world[name].ipv4}:{PORT}" for name in ("hospital_a", "helper")}
    study.copy(base, study.text(base, addresses))
    program = f"{named}.py:{named}"
    for host in study.world.hosts.values():
        shutil.copy(OWN / f"{named}.py", host.folder)
    one = with_program(load_scenario(study.world["helper"].folder / SCENARIO), f"{OWN / program}", alone=True)
    assert isinstance(one, Scenario)
    for name in PARTIES:
        digest = consent_digest(one, name)
        ran = study.world[name].mpc("approve", SCENARIO, "--as", name, "--program", program, "--digest", digest)
        assert ran.code == 0, ran.err
        shutil.rmtree(study.world[name].folder / "record", ignore_errors=True)
    words = ("party", SCENARIO, "--program", program, "--out", "record")
    runs = {name: study.world[name].start(*words, "--as", name) for name in PARTIES}
    done({name: run.end() for name, run in runs.items()})
    wanted = record_of(one, run_in_one_thread(one))
    for name in ("hospital_a", "hospital_b"):
        assert study.record(name)["program"] == wanted["program"]
        assert study.record(name)["session"] == wanted["session"]


STAR = """schema = 1
name = "sums"
seed = 2
[parties.hospital_a]
role = "server"
[parties.hospital_b]
role = "client"
[parties.helper]
role = "client"
[task]
kind = "star_program"
inputs = ["reals:3"]
"""


@pytest.mark.soak
def test_a_server_and_its_clients_on_three_hosts(study: Study, tmp_path: Path) -> None:
    base = tmp_path / SCENARIO
    base.write_text(STAR + SEED)
    study.copy(base, study.text(base, {"hospital_a": f"{study.world['hospital_a'].ipv4}:{PORT}"}))
    for host in study.world.hosts.values():
        shutil.copy(CLIENTS / "masked_sum.py", host.folder)
        shutil.rmtree(host.folder / "record", ignore_errors=True)
    program = "masked_sum.py:masked_sum"
    one = with_program(load_any(study.world["helper"].folder / SCENARIO), f"{CLIENTS / program}", alone=True)
    assert isinstance(one, StarScenario)
    for name in PARTIES:
        digest = consent_digest(one, name)
        ran = study.world[name].mpc("approve", SCENARIO, "--as", name, "--program", program, "--digest", digest)
        assert ran.code == 0, ran.err
    words = ("party", SCENARIO, "--program", program, "--out", "record")
    runs = {name: study.world[name].start(*words, "--as", name) for name in PARTIES}
    done({name: run.end() for name, run in runs.items()})
    wanted = star_in_one_thread(one, tmp_path, fault_log(one), open_log(tmp_path, "hospital_a"), trace=False)
    found = study.record("hospital_a")
    assert found["program"]["results"] == wanted["hospital_a"]["program"]["results"]
    assert found["program"]["stages"] == wanted["hospital_a"]["program"]["stages"]
    assert found["session"] == wanted["hospital_a"]["session"]
    assert study.record("hospital_b")["program"]["rounds_done"] == 1
