"""Protocols that the project does not ship, each party's on a host of its own: the same bits as in one thread."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from parties.report.record import record_of
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.tasks.registry import load_scenario, with_program
from parties.trust.consent import consent_digest
from tests.hosts.study import PARTIES, PORT, SCENARIO, SEED, Study, done
from tests.parties.tasks.program.runs import OWN

BASE = 'schema = 1\nname = "own"\nseed = 2\n' + "".join(
    f'[parties.{name}]\nrole = "{"helper" if name == "helper" else "owner"}"\n' for name in PARTIES
)


@pytest.mark.parametrize(
    "named, given",
    [
        ("auction", "reals:2"),
        pytest.param("median", "integers:3,low=-9,high=9", marks=pytest.mark.soak),
        pytest.param("similarity", "reals:4,scale=16", marks=pytest.mark.soak),
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
