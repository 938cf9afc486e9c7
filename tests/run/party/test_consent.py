"""Keys, consent, policy and releases as administrators meet them: typed at a terminal, or without one."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from parties.tasks.registry import load_scenario
from parties.trust.consent import read_approvals, remember
from parties.trust.keys import PASSPHRASE_VARIABLE
from tests.run.apart import PARTIES, all_started, approval, party, separate, start
from tests.run.command import LONG, MPC, ROOT, Ran, Running, approving, ends_of, environment, mpc, record


def typed(*words: str | Path, answers: Sequence[tuple[str, str]]) -> Ran:
    """Run `mpc WORDS` at a terminal: whenever the next prompt has come, its answer is typed."""
    keyboard, terminal = pty.openpty()
    command = [*MPC, *map(str, words)]
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment(),
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        assert process.stderr is not None
        said = b""
        for prompt, answer in answers:
            while prompt.encode() not in said:
                assert select.select([process.stderr], [], [], LONG)[0], f"no {prompt!r}: {said!r}"
                piece = os.read(process.stderr.fileno(), 4096)
                assert piece, f"ended before {prompt!r}: {said!r}"
                said += piece
            said = said.split(prompt.encode(), 1)[1]
            os.write(keyboard, answer.encode() + b"\n")
        out, err = process.communicate(timeout=LONG)
    os.close(keyboard)
    return Ran(process.returncode, out.decode(), (said + err).decode(), time.monotonic() - began)


def all_run(scenario: Path, out: str) -> dict[str, Ran]:
    """Every party, none of them asked for approval."""
    return ends_of({name: Running(*party(scenario, name, "--out", scenario.parent / out / name)) for name in PARTIES})


def releases(scenario: Path, name: str) -> list[dict[str, object]]:
    lines = (scenario.parent / "keys" / "releases.jsonl").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["party"] == name]


def test_a_party_is_asked_once_and_its_releases_are_listed(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    # Approved by a yes, by the digest that the refusal names, and by one worked out; the first before its peers come.
    text = scenario.read_text()
    scenario.write_text(text + "[session]\nconnect_timeout = 0.3\n")
    alone = typed(*party(scenario, "helper", "--out", tmp_path / "alone"), answers=[('Type "yes"', "Yes")])
    assert alone.code == 4, alone.err
    assert "helper has no data" in alone.out
    scenario.write_text(text)
    remember(load_scenario(scenario), "helper", tmp_path / "keys")
    runs = {
        "hospital_a": start(scenario, "hospital_a", approval(scenario, "hospital_a")),
        "hospital_b": start(scenario, "hospital_b"),
        "helper": Running(*party(scenario, "helper", "--out", tmp_path / "helper")),
    }
    first = ends_of(runs)
    assert {ran.code for ran in first.values()} == {0}, first
    assert "what hospital_a is asked to take part in" in first["hospital_a"].out
    assert "repeat: " not in first["hospital_a"].out + first["hospital_a"].err

    second = all_run(scenario, "second")
    assert {ran.code for ran in second.values()} == {0}, second
    for name in PARTIES:
        assert "is asked to take part" not in second[name].out
    fields = record(tmp_path / "second" / "hospital_a")
    noted = releases(scenario, "hospital_a")
    assert [one["status"] for one in noted] == ["started", "done", "started", "done"]
    assert noted[3]["session"] == fields["session"] and noted[3]["digest"] == fields["scenario"]["digest"]
    assert noted[3]["rows"] == 60 and noted[3]["columns"] == ["dose", "marker", "years"]
    assert noted[3]["revealed"] == noted[2]["revealed"] == list(dict.fromkeys(i["what"] for i in fields["revealed"]))
    log = (tmp_path / "second" / "hospital_a" / "hospital_a.log").read_text()
    for said in (log, second["hospital_a"].err):
        assert "repeat: results of these very rows" in said
    assert releases(scenario, "helper") == []

    data = tmp_path / "hospital_a.csv"
    *_, last = data.read_text().splitlines()
    data.write_text(f"{data.read_text()}one_more,{','.join(last.split(',')[1:-1])},{1 - int(last[-1])}\n")
    third = all_run(scenario, "third")
    assert {ran.code for ran in third.values()} == {0}, third
    said = third["hospital_a"].err
    assert "near-repeat: " in said and "60 then, 61 now, about" in said.replace("\n", " ")
    assert "near-repeat" not in third["hospital_b"].err


def test_an_approval_for_a_service_is_no_run_and_can_be_revoked(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    scenario.write_text(scenario.read_text() + "[session]\nconnect_timeout = 0.3\n")
    me = ("--as", "hospital_a", "--keys", tmp_path / "keys")
    _, digest = approving(scenario, "hospital_a")
    given = mpc("approve", scenario, *me, "--digest", digest, "--until", "2999-03-31", "--by", "Dr. W\x1b[31m")
    assert given.code == 0 and given.err.endswith("as it is now, until 2999-03-31\n"), given.err
    assert not list(tmp_path.glob("runs*"))

    run = party(scenario, "hospital_a")
    first = mpc(*run, "--out", tmp_path / "first")
    assert first.code == 4 and "is asked to take part" not in first.out
    withdrawn = mpc("revoke", scenario, *me)
    assert withdrawn.code == 0 and f", until 2999-03-31 of 'small' for hospital_a, {digest}" in withdrawn.out
    assert r"by Dr. W\x1b[31m, until" in withdrawn.out
    second = mpc(*run, "--out", tmp_path / "second")
    assert second.code == 2 and "hospital_a has not approved the scenario 'small': the approval of" in second.err
    assert "was revoked on" in second.err and not (tmp_path / "second").exists()

    assert mpc("approve", scenario, *me, "--digest", digest).code == 0
    assert mpc("approve", scenario, *me).err.endswith("already, as it is now\n")
    assert mpc("revoke", digest, *me).code == 0


def test_a_test_seed_that_a_policy_allows_is_warned_of(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    scenario.write_text(scenario.read_text() + "[session]\nconnect_timeout = 0.3\n[testing]\ninsecure_seed = 3\n")
    policy = tmp_path / "keys" / "policy.toml"
    policy.write_text("insecure_seed = true\n")
    ran = mpc(*party(scenario, "hospital_a", "--out", tmp_path / "record", *approving(scenario, "hospital_a")))
    assert ran.code == 4 and "THIS SCENARIO PROTECTS NOTHING" in ran.out, ran.err


def test_another_word_than_yes_is_no_approval(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    ran = typed(*party(scenario, "hospital_a", "--out", tmp_path / "record"), answers=[('Type "yes"', "y")])
    assert ran.code == 2 and "has not approved" in ran.err
    assert not (tmp_path / "record").exists() and read_approvals(tmp_path / "keys") == []


def test_peers_hear_that_data_are_missing(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    (tmp_path / "hospital_a.csv").unlink()
    ends = all_started(scenario)
    assert {ran.code for ran in ends.values()} == {3}, ends
    assert "there is no file" in ends["hospital_a"].err and "there is no file" not in ends["helper"].err
    assert "hospital_a" in ends["helper"].err


def test_mpc_run_asks_nobody(tmp_path: Path) -> None:
    scenario = separate(tmp_path)
    (tmp_path / "keys" / "policy.toml").write_text("minimum_owners = 9")
    ran = mpc("run", scenario, "--out", tmp_path / "local", "--no-compare")
    assert ran.code == 0, ran.err
    assert not (tmp_path / "keys" / "releases.jsonl").exists()


def test_a_passphrase_is_typed_twice_and_then_once(tmp_path: Path) -> None:
    made = typed(
        "keygen",
        "hospital_a",
        "--passphrase",
        "--keys",
        tmp_path / "keys",
        answers=[("passphrase: ", "one"), ("confirmation: ", "two"), ("passphrase: ", "s"), ("confirmation: ", "s")],
    )
    assert made.code == 0, made.err
    assert re.fullmatch(r'public_key = "bl1-[\w-]+"', made.out.strip())
    assert "under the passphrase" in made.err
    assert "curve_secret" not in (tmp_path / "keys" / "hospital_a.key").read_text()
    (tmp_path / "roster.toml").write_text(f"schema = 1\n[parties.hospital_a]\n{made.out}")
    sign = ("roster", "sign", tmp_path / "roster.toml", "--as", "hospital_a", "--keys", tmp_path / "keys")
    signed = typed(*sign, answers=[("hospital_a.key: ", "s")])
    assert signed.code == 0, signed.err
    assert signed.out.strip() == made.out.strip().replace("public_key", "signed_by")
    wrong = typed(*sign, answers=[("hospital_a.key: ", "t")])
    assert wrong.code == 2 and "the passphrase is wrong" in wrong.err and "Traceback" not in wrong.err
    unattended = subprocess.run(
        [*MPC, *map(str, sign)],
        cwd=ROOT,
        env=environment({PASSPHRASE_VARIABLE: "s"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert unattended.returncode == 0, unattended.stderr


def test_a_changed_key_is_taken_and_the_old_one_refused(tmp_path: Path) -> None:
    """Rotation: a new key in a new folder, the roster signed again; the scenario and its approvals stay."""
    scenario = separate(tmp_path)
    admin = mpc("keygen", "admin", "--keys", tmp_path / "office").out.strip().replace("public_key", "signed_by")
    lines = dict(re.findall(r'\[parties\.(\w+)\]\n(public_key = "[^"]+")', scenario.read_text()))
    text = re.sub(r'public_key = "[^"]+"\n', "", scenario.read_text())
    scenario.write_text(f'{text}\n[roster]\nfile = "roster.toml"\n{admin}\n')
    _signed(tmp_path, lines)
    before = all_started(scenario)
    assert {ran.code for ran in before.values()} == {0}, before

    old = tmp_path / "old"  # a machine of hospital_b that nobody told
    shutil.copytree(tmp_path, old, ignore=shutil.ignore_patterns("hospital_?", "helper", "office", "old"))
    (tmp_path / "keys" / "hospital_b.key").rename(tmp_path / "hospital_b.old")
    lost = lines["hospital_b"]
    lines["hospital_b"] = mpc("keygen", "hospital_b", "--keys", tmp_path / "keys").out.strip()
    _signed(tmp_path, lines, revoked=lost.removeprefix("public_key = "))
    after = all_run(scenario, "after")
    assert {ran.code for ran in after.values()} == {0}, after

    waiting = Running(*party(scenario, "hospital_a", "--out", tmp_path / "waiting"))
    refused = start(old / scenario.name, "hospital_b").end()
    assert refused.code == 5 and "hospital_a" in refused.err, refused.err
    waiting.process.terminate()
    waiting.end()
    (tmp_path / "keys" / "hospital_b.key").unlink()
    shutil.copy(tmp_path / "hospital_b.old", tmp_path / "keys" / "hospital_b.key")
    own = mpc(*party(scenario, "hospital_b"))
    assert own.code == 2 and "does not match its public_key in the roster" in own.err
    _signed(tmp_path, {**lines, "hospital_b": lost}, revoked=lost.removeprefix("public_key = "))
    peer = mpc(*party(scenario, "hospital_a"))
    assert peer.code == 5 and "the key of hospital_b is revoked" in peer.err


def _signed(folder: Path, lines: dict[str, str], revoked: str = "") -> None:
    """The administrator lists these keys."""
    tables = "".join(f"[parties.{name}]\n{line}\n" for name, line in lines.items())
    (folder / "roster.toml").write_text(f"schema = 1\nrevoked = [{revoked}]\n{tables}")
    ran = mpc("roster", "sign", folder / "roster.toml", "--as", "admin", "--keys", folder / "office")
    assert ran.code == 0, ran.err
