"""Who has the wrong key, another scenario, or tampers with what passes gets nowhere, and everyone is told in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.hosts.machines import Command
from tests.hosts.packets import streams
from tests.hosts.study import PARTIES, PORT, SCENARIO, SEED, Study, done, ends
from tests.run.command import mpc, record
from tests.run.scenarios import write_scenario

# Plays what was recorded of one side of a connection at a listener, and tells how much that answered.
REPLAY: Final = """
import socket, sys
answer = b""
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as connection:
    try:
        connection.sendall(open(sys.argv[3], "rb").read())
        while data := connection.recv(1 << 16):
            answer += data
    except (ConnectionResetError, BrokenPipeError):
        pass
print(len(answer))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenario(tmp_path_factory.mktemp("local"), extra=SEED)


@pytest.fixture(scope="module")
def model(small: Path) -> Any:
    """What the scenario gives on one machine."""
    ran = mpc("run", small, "--out", small.parent / "record", "--no-compare")
    assert ran.code == 0, ran.err
    return record(small.parent / "record")["model"]


@pytest.fixture
def ready(study: Study, small: Path) -> Study:
    """All hosts have the scenario; hospital_a and the helper are reached at their addresses, old and new."""
    addresses = {
        "hospital_a": f"{study.world['hospital_a'].ipv4}:{PORT}",
        "helper": f"[{study.world['helper'].ipv6}]:{PORT}",
    }
    study.copy(small, study.text(small, addresses))
    study.world.wire(delay=0.001)
    return study


def edit(study: Study, name: str, old: str, new: str) -> None:
    """Change one party's copy of the scenario."""
    path = study.world[name].folder / SCENARIO
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def interrupt(runs: dict[str, Command]) -> None:
    """End parties that wait for somebody who will not come."""
    for run in runs.values():
        run.interrupt()
    assert {ran.code for ran in ends(runs).values()} == {130}


@pytest.mark.soak
def test_bytes_altered_on_the_way_cost_time_only(ready: Study, model: Any) -> None:
    """In the handshake, in the first messages, and in the middle."""
    a, b, helper = (ready.world[name] for name in PARTIES)
    rules = [{"between": [a.ipv4, b.ipv4], "least": 1, "after": after} for after in (0, 3, 5, 8, 12, 40, 150)]
    rules += [{"between": [b.ipv6, helper.ipv6], "least": 1, "after": after} for after in (1, 9)]
    before = ready.world.wire(delay=0.001, seed=5, alter=rules)["altered"]
    done(ready.all())
    assert ready.world.wire(alter=[])["altered"] - before == len(rules)
    for name in ("hospital_a", "hospital_b"):
        assert ready.record(name)["model"] == model
        assert "contact with" in ready.log(name) or "broke off" in ready.log(name)


def test_an_unlisted_key_is_refused_in_words_on_both_sides(ready: Study) -> None:
    """hospital_b made a new key and wrote it into its own copy only."""
    host = ready.world["hospital_b"]
    new = host.mpc("keygen", "hospital_b", "--keys", "new").out.strip().removeprefix('public_key = "').removesuffix('"')
    (host.folder / "new" / "policy.toml").write_text("insecure_seed = true\n")
    edit(ready, "hospital_b", ready.keys["hospital_b"], new)
    waiting = {name: ready.start(name) for name in ("hospital_a", "helper")}
    for name, run in waiting.items():
        ready.wait_for(run, name, "connecting")
    intruder = ready.start("hospital_b", "--keys", "new")
    ran = intruder.end()
    assert ran.code == 5
    assert "refuses this party's key" in ran.err and "compare the public keys of hospital_b and" in ran.err
    refused_by = ready.record("hospital_b")["error"]["party"]
    ready.wait_for(waiting[refused_by], refused_by, f"with the unlisted key {new[:46]}...")
    assert "handshake" not in ready.log(refused_by), "nothing was said"
    interrupt(waiting)


def test_a_scenario_edited_at_one_party_is_refused_in_words(ready: Study) -> None:
    edit(ready, "hospital_b", "epochs = 3", "epochs = 4")
    ran = ready.all()
    assert {one.code for one in ran.values()} == {5}
    assert any("task.epochs is 3 here and 4 there" in one.err for one in ran.values())
    assert "task.epochs" in ran["hospital_b"].err
    for name in PARTIES:
        assert "running" not in ready.log(name), "nothing was opened"


def test_two_owners_without_an_address_are_named(ready: Study) -> None:
    for name in PARTIES:
        edit(ready, name, f'address = "{ready.world["hospital_a"].ipv4}:{PORT}"\n', "")
    for name in ("hospital_a", "hospital_b"):
        ran = ready.start(name).end()
        assert ran.code == 2
        assert "hospital_a" in ran.err and "hospital_b" in ran.err and "has an address" in ran.err


def test_two_owners_that_let_nobody_in_are_named(ready: Study) -> None:
    """hospital_a has an address, but its firewall is closed; the helper reaches neither of them.

    hospital_b gives up first, and has met the helper by then, however long that takes to start on a busy machine.
    """
    for name in PARTIES:
        edit(ready, name, "[testing]", "[session]\nconnect_timeout = 15\n[testing]")
    ready.world["hospital_a"].close_inbound()
    try:
        runs = {"hospital_b": ready.start("hospital_b")}
        ready.wait_for(runs["hospital_b"], "hospital_b", "connecting")
        ran = ends(runs | {name: ready.start(name) for name in ("hospital_a", "helper")})
    finally:
        ready.world["hospital_a"].open_inbound()
    assert {one.code for one in ran.values()} == {4}
    assert "hospital_a did not connect in time" in ran["hospital_b"].err
    assert "nobody answers at the address of hospital_a" in ran["hospital_b"].err
    assert "let hospital_b in through its firewall" in ran["hospital_b"].err
    assert "hospital_b says that it lost contact with hospital_a" in ran["helper"].err


def test_a_host_that_nobody_knows_is_named(ready: Study) -> None:
    edit(ready, "hospital_b", f"{ready.world['hospital_a'].ipv4}:{PORT}", f"nowhere.invalid:{PORT}")
    ran = ready.start("hospital_b").end()
    assert ran.code == 2
    assert f"the address of hospital_a, nowhere.invalid:{PORT}, has a host name that is not known here" in ran.err


@pytest.mark.soak
def test_a_replayed_session_gets_nowhere(ready: Study, model: Any, tmp_path: Path) -> None:
    """All that hospital_b once sent to hospital_a is sent again, by somebody else, into the next run."""
    ready.world.wire(capture=str(tmp_path / "packets"))
    done(ready.all())
    ready.world.wire(capture=None)
    a, b = ready.world["hospital_a"], ready.world["hospital_b"]
    recorded = [
        data
        for (source, _, target, port), data in streams(tmp_path / "packets").items()
        if (source, target, port) == (b.ipv4, a.ipv4, PORT)
    ]
    assert len(recorded) == 1 and len(recorded[0]) > 10_000
    (tmp_path / "recorded").write_bytes(recorded[0])
    runs = {name: ready.start(name) for name in ("hospital_a", "helper")}
    ready.wait_for(runs["hospital_a"], "hospital_a", "connecting")
    replay = ready.world["helper"].command(sys.executable, "-c", REPLAY, a.ipv4, str(PORT), tmp_path / "recorded")
    answered = subprocess.run(replay, capture_output=True, text=True, timeout=30, check=True)
    # The greeting and, at most, the cookie: nothing that took a key to make.
    assert int(answered.stdout) <= 64 + 170
    ready.wait_for(runs["hospital_a"], "hospital_a", "at this party's port broke off")
    runs["hospital_b"] = ready.start("hospital_b")
    done(ends(runs))
    assert ready.record("hospital_b")["model"] == model
