"""Mistakes that a user makes: each ends in one clear line, at most a hint below it, and the right exit code."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from parties.cli.command import carry_out
from tests.run.mistakes import (
    B_DATA,
    PARTIES,
    SECRET,
    Edit,
    Mistake,
    all_of,
    approved,
    cell,
    file,
    scenario,
    text,
    without,
    without_lines,
    write_folder,
)

QUICK = 60.0  # a quiet machine takes a second or two; only a hang, or a wait for a deadline, takes so long

PLAN = "plan small.toml"
RUN = "run small.toml --out record"
PARTY = "party separate.toml --as hospital_a --keys keys --out record"
B = "hospital_b, hospital_b.csv: "

COMMAND_LINE = {
    "no such scenario": Mistake("run nothing.toml", 2, ["nothing.toml: there is no such scenario file"]),
    "a folder for a scenario": Mistake("plan keys", 2, ["keys: this is a folder"]),
    "data for a scenario": Mistake("run hospital_a.csv", 2, ["hospital_a.csv: not valid TOML", "line 1"]),
    "the record is a file": Mistake("run small.toml --out small.toml", 2, ["small.toml is, or is in, a file", "--out"]),
    "the record's folder is in use": Mistake("run small.toml --out .", 2, ["is not empty", "--out"]),
    "nobody of that name": Mistake("party separate.toml --as nobody", 2, ["no party 'nobody'", ", ".join(PARTIES)]),
    "a doctor for nobody": Mistake("doctor separate.toml --as nobody", 2, ["no party 'nobody'"]),
    "no such command": Mistake("frobnicate", 2, ["no such command 'frobnicate'", "`mpc --help`"]),
    "a number that is too small": Mistake("doctor small.toml --seconds 1", 2, ["'--seconds'", "`mpc doctor --help`"]),
    "no such option": Mistake("run small.toml --fast", 2, ["no such option", "--fast", "`mpc run --help`"]),
    "no scenario named": Mistake("run", 2, ["missing argument 'SCENARIO'"]),
    "no party named": Mistake("party separate.toml", 2, ["missing option '--as'", "`mpc party --help`"]),
}

SCENARIO = {
    "a misspelt setting": Mistake(RUN, 2, ["'epoch'", "did you mean 'epochs'?"], scenario(("epochs", "epoch"))),
    "steps without end": Mistake(RUN, 2, ["1,000,000 are the most"], scenario(("epochs = 3", "epochs = 500000000"))),
    "a Windows path": Mistake(RUN, 2, ["not valid TOML", "write /"], scenario(('"hospital_b', '"d\\hospital_b'))),
    "an owner without data": Mistake(
        RUN, 2, ["[parties.hospital_b] does not say where its data are", "add data ="], scenario((B_DATA, ""))
    ),
    "a rate that leaves no bits": Mistake(RUN, 2, ["learning_rate"], scenario(("= 0.5", "= 1e6"))),
}
"""The others are in `tests/parties/scenario/test_scenario_mistakes.py`."""

DATA = {
    "no such file": Mistake(PLAN, 3, [B + "there is no file", "`data`"], without("hospital_b.csv")),
    "a file of SQLite": Mistake(
        PLAN,
        3,
        ["this is an SQLite database", "export the table as CSV"],
        all_of(
            file(b"SQLite format 3\0" + bytes(90), "x.sqlite"),
            scenario(('"hospital_b.csv"', '{ database = "x.sqlite", sql = "select 1" }')),
        ),
    ),
    "a word in a column": Mistake(PLAN, 3, [B, "'years' is not numeric", "row 4"], cell("years", SECRET)),
    "a repeated id": Mistake(PLAN, 3, ["id column 'patient' repeats: 1 row"], cell("patient", "hospital_b1")),
    "no column in common": Mistake(
        PLAN, 3, ["no numeric column is shared"], text("hospital_b.csv", ("years,dose,marker", "a,b,c"))
    ),
}
"""The others are in `tests/parties/data/test_table.py` and `test_data_forms.py`."""

KEYS = {
    "a key that is there": Mistake("keygen helper --keys keys", 2, ["helper.key exists already", "remove it first"]),
    "no key": Mistake(PARTY, 2, ["no key file", "mpc keygen hospital_a"], without("keys/hospital_a.key")),
    "another party's key": Mistake(
        PARTY,
        2,
        ["does not match its public_key", "public_key ="],
        lambda here: (here / "keys/helper.key").replace(here / "keys/hospital_a.key"),
    ),
    "no public key": Mistake(PARTY, 2, ["has no public_key"], without_lines("separate.toml", "public_key")),
    "no address": Mistake(PARTY, 2, ["neither", "has an address"], without_lines("separate.toml", "address")),
    "no port": Mistake(PARTY, 2, ['address must be "host:port"'], text("separate.toml", (":7101", ""))),
    "nobody else started": Mistake(
        "party separate.toml --as helper --keys keys --out record",
        4,
        ["hospital_a, hospital_b did not connect in time", "see whether it is started"],
        all_of(
            text("separate.toml", ("[task]", "[session]\nconnect_timeout = 0.3\n[task]")),
            approved("helper"),
        ),
    ),
}


def policy(rules: str, *edits: Edit, name: str = "keys/policy.toml") -> Edit:
    """A policy for a scenario that hospital_a approved, and what was done then."""
    return all_of(file(rules, name), approved("hospital_a"), *edits)


CONSENT = {
    "a scenario that was changed": Mistake(
        PARTY,
        2,
        ["it was changed since the approval of"],
        all_of(approved("hospital_a"), text("separate.toml", ("epochs = 3", "epochs = 300"))),
    ),
    "nothing to revoke": Mistake(
        "revoke separate.toml --as hospital_a --keys keys", 2, ["no approval of hospital_a is in force"]
    ),
    "data that are missing before an approval": Mistake(
        PARTY, 2, ["has not approved the scenario"], without("hospital_a.csv")
    ),
    "too few owners for the policy": Mistake(
        PARTY, 2, ["policy.toml refuses this run: minimum_owners = 3, but there are 2"], policy("minimum_owners = 3")
    ),
    "a policy elsewhere": Mistake(
        f"{PARTY} --policy strict.toml",
        2,
        ["strict.toml", "but there are 2"],
        policy("minimum_owners = 3", name="strict.toml"),
    ),
    "rows that went after the approval": Mistake(
        PARTY,
        2,
        ["minimum_rows = 60, but the data have 59"],
        policy("minimum_rows = 60", lambda here: _without_last_line(here / "hospital_a.csv")),
    ),
    "a test's seed": Mistake(
        PARTY,
        2,
        ["insecure_seed makes all secrets of a run known", "write insecure_seed = true into"],
        all_of(
            text("separate.toml", ("[task]", "[testing]\ninsecure_seed = 3\n[task]")),
            approved("hospital_a"),
        ),
    ),
}


def _without_last_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


ALL = {**COMMAND_LINE, **SCENARIO, **DATA, **KEYS, **CONSENT}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files are right, and that the user stands in."""
    write_folder(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in PARTIES:
        log = logging.getLogger(f"beaverlodge.{name}")
        for handler in list(log.handlers):
            log.removeHandler(handler)
            handler.close()


def typed(words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of `mpc WORDS`, run here."""
    monkeypatch.setattr(sys, "argv", ["mpc", *words.split()])
    return carry_out()


def check(mistake: Mistake, code: int, err: str) -> None:
    """One line that says it all, and perhaps a hint."""
    assert code == mistake.code, err
    for words in mistake.says:
        assert words in err
    assert "Traceback" not in err
    assert SECRET not in err
    lines = [line for line in err.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("mpc: ")]
    assert len(said) == 1 and "Usage:" not in err, err
    below = lines[lines.index(said[0]) + 1 :]
    assert len(below) <= 1 and all(line.startswith("     ") for line in below), err


def test_what_is_right_is_no_mistake(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert typed(PLAN, monkeypatch) == 0
    assert typed("plan separate.toml", monkeypatch) == 0


@pytest.mark.parametrize("mistake", ALL.values(), ids=ALL.keys())
def test_a_mistake(
    here: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mistake.spoil(here)
    start = time.monotonic()
    code = typed(mistake.words, monkeypatch)
    assert time.monotonic() - start < QUICK
    check(mistake, code, capfd.readouterr().err)
    assert mistake not in CONSENT.values() or not (here / "record").exists()


def test_a_port_in_use(here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        text("separate.toml", (":7101", f":{port}"))(here)
        approved("hospital_a")(here)
        code = typed(PARTY, monkeypatch)
    check(Mistake(PARTY, 2, [str(port), "in use"]), code, capfd.readouterr().err)
