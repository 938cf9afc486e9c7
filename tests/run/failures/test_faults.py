"""`mpc run` with faults on purpose: how each kind ends, and what the plan, the record and the summary say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parties.scenario.problems import nearest
from tests.examples import sample
from tests.run.apart import separate
from tests.run.command import mpc, record
from tests.run.scenarios import write_scenario
from tests.run.sums import expected, write_sums

SEED = "[testing]\ninsecure_seed = 11\n"
SHORT = "[session]\ndeadline = 2.0\n"


def fault(kind: str, **settings: Any) -> str:
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    return f"[[faults.{kind}]]\n{lines}"


def run(tmp_path: Path, extra: str) -> tuple[Any, dict[str, Any]]:
    scenario = write_scenario(tmp_path, rows=20, epochs=1, batch_size=16, extra=SEED + extra)
    ran = mpc("run", scenario, "--out", tmp_path / "record", "--no-compare")
    assert "Traceback" not in ran.err
    return ran, record(tmp_path / "record")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ran, fields = run(tmp_path_factory.mktemp("usual"), "")
    assert ran.code == 0, ran.err
    assert "faults" not in fields
    return fields


LIVED_THROUGH = {
    "delay": fault("delay", party="hospital_a", to="hospital_b", label="step/z", seconds=1.5),
    "drop": fault("drop", party="hospital_a", to="hospital_b", label="step/z", number=2, seconds=1.5),
    "drop at a time": fault("drop", link="helper-hospital_b", at=0.0, seconds=1.5),
    "drop by chance": fault("drop", link="hospital_a-hospital_b", probability=0.1, seconds=0.2)
    + "[faults]\nseed = 3\n",
    "stop at a message": fault("stop", party="hospital_a", label="step/z", seconds=1.5),
    "stop in a stage": fault("stop", party="helper", stage="dealing", seconds=1.5),
    "stop at a time": fault("stop", party="hospital_b", at=0.0, seconds=1.5),
}


@pytest.mark.parametrize("kind", sample(LIVED_THROUGH, "delay", "drop", "stop in a stage"))
def test_a_fault_that_a_run_lives_through(tmp_path: Path, usual: dict[str, Any], kind: str) -> None:
    ran, fields = run(tmp_path, LIVED_THROUGH[kind])
    assert ran.code == 0, ran.err
    assert fields["model"] == usual["model"] and fields["metrics"] == usual["metrics"]
    struck = [one["fault"] for one in fields["faults"] if one["struck"]]
    assert struck and all(f"a fault on purpose: {text}" in ran.err for text in struck)
    if kind != "drop by chance":
        assert [len(one["struck"]) for one in fields["faults"]] == [1]
        assert max(party["seconds"]["total"] for party in fields["parties"].values()) >= 1.4
    assert "What went wrong on purpose" in ran.out
    assert "kill -CONT" not in ran.err, "nobody has to let it go on"


ENDS = {
    "kill at a message": (
        fault("kill", party="hospital_b", label="step/z", number=2),
        "hospital_b was killed (signal 9)",
    ),
    "kill in a stage": (fault("kill", party="helper", stage="start"), "helper was killed (signal 9)"),
    "kill in another's stage": (
        fault("kill", party="helper", stage="training", step=1, of="hospital_b"),
        "helper was killed (signal 9)",
    ),
    "kill at a time": (fault("kill", party="hospital_a", at=0.05), "hospital_a was killed (signal 9)"),
    "stop for too long": (
        SHORT + fault("stop", party="hospital_a", stage="training", seconds=60.0),
        "hospital_a was stopped by a signal, in 'training",
    ),
    "drop for too long": (
        SHORT + fault("drop", party="hospital_a", to="hospital_b", label="step/z", seconds=60.0),
        "lost contact with",
    ),
}


@pytest.mark.parametrize("kind", sample(ENDS, *(name for name in ENDS if name != "drop for too long")))
def test_a_fault_that_ends_a_run(tmp_path: Path, kind: str) -> None:
    extra, said = ENDS[kind]
    ran, fields = run(tmp_path, extra)
    assert ran.code == 4, ran
    assert (fields["status"], fields["error"]["code"]) == ("failed", "peer-lost")
    assert said in fields["error"]["message"] and said in ran.err
    assert [len(one["struck"]) for one in fields["faults"]] == [1], "a record of a failed run says it, too"
    if kind.startswith("kill"):
        assert fields["error"]["hint"].startswith("a fault of the scenario killed it, on purpose")


def test_what_never_happened_is_said(tmp_path: Path) -> None:
    ran, fields = run(tmp_path, fault("kill", party="hospital_b", label="step/z", number=1000))
    assert ran.code == 0, ran.err
    assert fields["faults"] == [{"fault": "hospital_b is killed at message 1000 in 'step/z'", "struck": []}]
    assert "never happened" in ran.out


def test_a_plan_lists_faults_and_knows_their_words(tmp_path: Path) -> None:
    extra = fault("stop", party="hospital_b", stage="training", seconds=2.0)
    scenario = write_scenario(tmp_path, extra=extra)
    plan = mpc("plan", scenario, "--json")
    assert json.loads(plan.out)["faults"] == ["hospital_b stops for 2 s in 'training'"]
    assert "What goes wrong on purpose, with `mpc run`" in mpc("plan", scenario).out
    for wrong, known in (('label = "step/y"', "step/z"), ('stage = "trainning"', "training")):
        assert nearest(wrong.split('"')[1], [known]) == known
        scenario.write_text(scenario.read_text().replace('stage = "training"', wrong))
        for command in ("plan", "run"):
            ran = mpc(command, scenario)
            assert ran.code == 2 and f"{wrong}: this run has none such" in ran.err, ran
            assert f"did you mean '{known}" in ran.err
        scenario.write_text(scenario.read_text().replace(wrong, 'stage = "training"'))


@pytest.mark.parametrize("command", ["party", "approve"])
def test_no_party_takes_part_in_a_study_with_faults(tmp_path: Path, command: str) -> None:
    scenario = separate(tmp_path)
    scenario.write_text(scenario.read_text() + fault("delay", party="helper"))
    ran = mpc(command, scenario, "--as", "helper", "--keys", tmp_path / "keys")
    assert ran.code == 2
    assert "[faults] has things go wrong on purpose, which is for `mpc run` alone" in ran.err
    assert not (tmp_path / "runs").exists()


def run_sum(tmp_path: Path, trial: str, **how: Any) -> tuple[Any, dict[str, Any]]:
    scenario = write_sums(tmp_path, **how)
    scenario.write_text(scenario.read_text() + trial)
    ran = mpc("run", scenario, "--out", tmp_path / "record")
    assert "Traceback" not in ran.err
    return ran, record(tmp_path / "record")


@pytest.mark.parametrize(
    ("trial", "left_out", "text"),
    [
        ('vanish = 0.12\nstage = "masked"\n', 1, "1 of 9 hosted clients vanish in 'masked'"),
        ('straggle = 0.12\nstage = "unmask"\nseconds = 1.0\n', 0, "1 of 9 hosted clients answer 1 s late in 'unmask'"),
        pytest.param(
            'straggle = 0.12\nstage = "masked"\nseconds = 60.0\n',
            1,
            "1 of 9 hosted clients answer 60 s late in 'masked'",
            marks=pytest.mark.soak,  # it waits for the stage's end, 10 s
        ),
    ],
    ids=["vanish", "straggle", "come too late"],
)
def test_hosted_clients_that_vanish_or_straggle(tmp_path: Path, trial: str, left_out: int, text: str) -> None:
    ran, fields = run_sum(tmp_path, f"[faults.clients]\n{trial}", deadline=10.0 if "60" in trial else 50.0)
    assert ran.code == 0, ran.err
    assert len(fields["sums"]["left_out"]) == left_out
    assert [(one["fault"], len(one["struck"])) for one in fields["faults"]] == [(text, 1)]
    assert text in mpc("plan", tmp_path / "sums.toml").out


def test_a_sum_over_links_that_differ(tmp_path: Path) -> None:
    ran, fields = run_sum(tmp_path, "[network.links.server-clients]\nlatency_ms = 100\n")
    assert ran.code == 0, ran.err
    assert "server-clients is made to have 100 ms one way" in ran.err
    assert fields["sums"]["columns"] == expected()
    assert fields["parties"]["server"]["seconds"]["online"] >= 4 * 0.2, "four stages, each there and back"


@pytest.mark.parametrize(
    ("trial", "code", "left_out"),
    [
        (fault("kill", party="c3", stage="masked"), 0, ["c3"]),
        (fault("restart", party="c3", stage="start"), 0, []),
        (fault("stop", party="server", stage="masked", seconds=1.0), 0, []),
        (fault("kill", party="server", stage="masked"), 7, None),
    ],
    ids=["a client is killed", "a client starts again", "the server stops", "the server is killed"],
)
def test_processes_of_a_sum(tmp_path: Path, trial: str, code: int, left_out: list[str] | None) -> None:
    ran, fields = run_sum(tmp_path, trial)
    assert ran.code == code, ran.err
    assert [len(one["struck"]) for one in fields["faults"]] == [1]
    if left_out is not None:
        assert fields["sums"]["left_out"] == left_out
        assert fields["sums"]["columns"] == expected(*(int(name[1:]) for name in left_out))


@pytest.mark.parametrize(
    ("trial", "said"),
    [
        (fault("kill", party="c3", stage="maskd"), "did you mean 'masked'?"),
        (fault("kill", party="clients_2", at=1.0), "did you mean 'clients_1'?"),
        (fault("kill", party="c3"), "[[faults.kill]] of a sum needs a stage or a time"),
        (fault("delay", party="c3"), "for clients that are late, use [faults.clients]"),
        (fault("restart", party="server", at=1.0), "[[faults.restart]] server cannot come back into a sum"),
        ("[faults.clients]\nvanish = 0.7\nstraggle = 0.7\n", "vanish and straggle are more than all clients"),
        ('[faults.clients]\nstage = "maskd"\n', "did you mean 'masked'?"),
    ],
)
def test_faults_that_a_sum_cannot_have(tmp_path: Path, trial: str, said: str) -> None:
    scenario = write_sums(tmp_path)
    scenario.write_text(scenario.read_text() + trial)
    ran = mpc("plan", scenario)
    assert ran.code == 2 and said in ran.err, ran
