"""`mpc simulate` and `--program` as their users meet them: in processes, on several machines, refused, approved."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.parties.tasks.program.runs import OWN, line_with
from tests.run import apart
from tests.run.apart import with_keys
from tests.run.command import ROOT, Running, approve, mpc, record

PARTIES = ("owner0", "owner1", "helper")
STUDY = """schema = 1
name = "alike"
seed = 4
[parties.owner0]
role = "owner"
[parties.owner1]
role = "owner"
[parties.helper]
role = "helper"
[task]
kind = "program"
inputs = ["reals:4,scale=16"]
"""
OTHERWISE = {"pid", "started", "seconds"}
"""What differs between two runs that are the same."""


def same(one: Any) -> Any:
    """A record's part without what differs from run to run."""
    if isinstance(one, Mapping):
        return {key: same(value) for key, value in one.items() if key not in OTHERWISE}
    return [same(value) for value in one] if isinstance(one, list) else one


@pytest.mark.parametrize(
    "named, given, owners",
    [
        ("auction.py:auction", "reals:2", 3),
        ("median.py:median", "integers:1", 5),
        ("similarity.py:similarity", "reals:4", 2),
    ],
)
def test_processes_and_one_thread_give_the_same_bits(tmp_path: Path, named: str, given: str, owners: int) -> None:
    words = ("simulate", OWN / named, "--owners", str(owners), "--input", given, "--insecure-seed", "3")
    both = {}
    for name, more in (("processes", ()), ("lockstep", ("--lockstep",))):
        ran = mpc(*words, "--out", tmp_path / name, *more)
        assert ran.code == 0, ran.err
        assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
        assert "the largest difference is" in ran.out
        assert "PROTECTED NOTHING" in ran.out
        both[name] = record(tmp_path / name)
        assert (tmp_path / name / "report.html").exists()
    assert same(both["processes"]) == same(both["lockstep"])
    assert len({party["pid"] for party in both["processes"]["parties"].values()}) == owners + 1


def test_a_runs_folder_is_all_that_it_takes_to_run_it_again(tmp_path: Path) -> None:
    """The scenario, and the file; whose place on this machine is no part of the record."""
    shutil.copy(OWN / "similarity.py", tmp_path)
    out = tmp_path / "out"
    words = ("--input", "reals:4", "--seed", "9", "--network", "lan", "--out", out, "--lockstep", "--trace")
    assert mpc("simulate", "similarity.py:similarity", *words, cwd=tmp_path).code == 0
    awaited = line_with("reveal(", tmp_path / "similarity.py")
    for name in ("owner0", "owner1"):
        assert f'["similarity.py",{awaited},"similarity"]' in (out / f"{name}.trace").read_text()
    (tmp_path / "similarity.py").unlink()
    again = (
        "run",
        out / "scenario.toml",
        "--program",
        f"{out / 'similarity.py'}:similarity",
        "--out",
        tmp_path / "again",
    )
    ran = mpc(*again)
    assert ran.code == 0, ran.err
    one, other = record(out), record(tmp_path / "again")
    assert one["program"] == other["program"] and one["about"]["seed"] == 9
    assert one["about"]["settings"]["network"] == {"latency_ms": 0.1, "bandwidth_mbit": 1000.0}
    assert str(tmp_path) not in (out / "result.json").read_text()


def test_data_of_each_owner(tmp_path: Path) -> None:
    for name, text in (("a", "x,y\n1,2\n3,4\n"), ("b", "x,y\n5,6\n"), ("c", "x,y\n-1,1\n2,\n")):
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "own.py").write_text(
        "async def f(p, x, y):\n"
        "    (s,) = await p.reveal(x[0].sum(0) + x[1].sum(0), what='s', why='agreed', label='s')\n    return s\n"
    )
    words = ("simulate", "own.py:f", "--data", "a.csv", "b.csv", "--input", "bits:3", "--quiet", "--out", "out")
    ran = mpc(*words, cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert record(tmp_path / "out")["program"]["results"][0]["values"] == [9.0, 12.0]
    ran = mpc("simulate", "own.py:f", "--input", "bits:3", "--data", "a.csv", "c.csv", "--out", "bad", cwd=tmp_path)
    assert ran.code == 3
    assert "owner1, c.csv: column 'y' has no value in data row 2" in ran.err
    assert record(tmp_path / "bad")["error"]["code"] == "data"


def test_an_authors_error_is_no_bug_of_ours(tmp_path: Path) -> None:
    """It has the author's line, the others are told its kind alone, and there is no traceback."""
    for more in ((), ("--lockstep",)):
        out = tmp_path / f"out{len(more)}"
        ran = mpc("simulate", OWN / "mistakes.py:raises", "--owners", "3", "--input", "reals:5", "--out", out, *more)
        assert ran.code == 2
        assert "mistakes.py, line " in ran.err and "after round 1 ('multiply'): ValueError: of the author" in ran.err
        assert 'the line is: raise ValueError("of the author")' in ran.err
        assert "Traceback" not in ran.err
        assert record(out)["error"]["party"] == "owner1"
    for name in ("owner0", "owner2", "helper"):
        assert "of the author" not in (tmp_path / "out0" / f"{name}.log").read_text()


def test_a_slip_is_told_before_there_is_a_folder(tmp_path: Path) -> None:
    for words, message in (
        (("mistakes.py:looks", "--input", "reals:5"), "a protocol cannot look at a value"),
        (("mistakes.py:nowhere", "--input", "reals:5"), "has no async function 'nowhere'"),
        (("mistakes.py:raises", "--input", "real:5"), "did you mean 'reals'?"),
        (("mistakes.py:raises",), "the owners give nothing"),
        (("mistakes.py:raises", "--data", "a.csv", "b.csv", "c.csv", "--owners", "2"), "2 owners need 2 files"),
    ):
        ran = mpc("simulate", OWN / words[0], *words[1:], "--out", tmp_path / "out")
        assert ran.code == 2
        assert message in ran.err
        assert not (tmp_path / "out").exists()


def test_a_scenario_alone_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(STUDY)
    (tmp_path / "similarity.py").write_text((OWN / "similarity.py").read_text())
    for words in (
        ("run", path),
        ("plan", path),
        ("party", path, "--as", "owner0"),
        ("approve", path, "--as", "owner0"),
    ):
        ran = mpc(*words, cwd=tmp_path)
        assert ran.code == 2
        assert "--program FILE:FUNCTION" in ran.err
    other = mpc("run", "scenarios/two_hospitals.toml", "--program", OWN / "similarity.py:similarity")
    assert other.code == 2 and "--program is for" in other.err


def study(folder: Path) -> Path:
    """A study on several machines, each party's file in a folder of its own."""
    path = folder / "study.toml"
    path.write_text(with_keys(STUDY, folder / "keys", PARTIES[:2]))
    for name in PARTIES:
        (folder / f"of_{name}").mkdir()
        shutil.copy(OWN / "similarity.py", folder / f"of_{name}" / "own.py")
    return path


def party(path: Path, name: str, *more: str | Path) -> tuple[str | Path, ...]:
    """The command of a party of that study."""
    return apart.party(path, name, "--program", f"{path.parent / f'of_{name}' / 'own.py'}:similarity", *more)


def test_parties_on_several_machines(tmp_path: Path) -> None:
    path = study(tmp_path)
    shown = [approve(*party(path, name)) for name in PARTIES]
    assert all("async def similarity(p: Party, x: tuple[Share, ...])" in text for text in shown)
    runs = {name: Running(*party(path, name, "--out", tmp_path / name)) for name in PARTIES}
    for name, run in runs.items():
        ran = run.end()
        assert ran.code == 0, (name, ran.err)
    one, other, helper = (record(tmp_path / name) for name in PARTIES)
    assert one["program"] == other["program"]
    assert one["program"]["results"][0]["shape"] == [1]
    assert "program" not in helper

    changed = tmp_path / "of_owner1" / "own.py"
    changed.write_text(changed.read_text() + "# another line\n")
    ran = mpc(*party(path, "owner1"))
    assert ran.code == 2 and "it was changed since the approval" in ran.err
    assert "program.sha256" in ran.out
    approve(*party(path, "owner1"))
    said = ""
    runs = {name: Running(*party(path, name, "--out", tmp_path / f"{name}_2")) for name in PARTIES}
    for name, run in runs.items():
        ran = run.end()
        assert ran.code == 5, (name, ran.err)
        assert "program.sha256" in ran.err or "stopped the run" in ran.err
        said += ran.err
    assert "program.sha256" in said
    revoked = mpc("revoke", *party(path, "owner1")[1:])
    assert revoked.code == 0, revoked.err
    assert mpc(*party(path, "owner1")).code == 2


def test_nothing_of_the_file_runs_before_it_is_approved(tmp_path: Path) -> None:
    path = study(tmp_path)
    mark = tmp_path / "ran"
    text = f"open({str(mark)!r}, 'w').close()\n" + (OWN / "similarity.py").read_text()
    (tmp_path / "of_owner0" / "own.py").write_text(text)
    shown = mpc(*party(path, "owner0"))
    assert shown.code == 2 and "has not approved" in shown.err
    assert f"open({str(mark)!r}" in shown.out.replace("\n", "")
    assert mpc("doctor", *party(path, "owner0")[1:], "--seconds", "3").code == 2
    assert not mark.exists()


def test_what_lies_beside_the_file_is_no_part_of_it(tmp_path: Path) -> None:
    """On one machine it may be imported; on several, the digest would not cover it."""
    path = study(tmp_path)
    folder = tmp_path / "of_owner0"
    (folder / "beside.py").write_text("SCALE = 1\n")
    (folder / "own.py").write_text("import beside\n" + (OWN / "similarity.py").read_text())
    ran = mpc(*party(path, "owner0"))
    assert ran.code == 2 and "own.py, line 1: it imports beside" in ran.err
    words = (
        f"{folder / 'own.py'}:similarity",
        "--input",
        "reals:3",
        "--lockstep",
        "--quiet",
        "--out",
        tmp_path / "out",
    )
    assert mpc("simulate", *words).code == 0


def test_a_policy_refuses_the_kind(tmp_path: Path) -> None:
    path = study(tmp_path)
    policy = tmp_path / "keys" / "policy.toml"
    for rules, message in (
        ('kinds = ["logistic_regression"]', "but the task is 'program'"),
        ('reveals = ["model"]', "but it reveals 'program'"),
    ):
        policy.write_text(f"schema = 1\n{rules}\n")
        ran = mpc(*party(path, "owner0"))
        assert ran.code == 2 and message in ran.err
    policy.write_text("schema = 1\nminimum_cell = 5\n")
    assert "has not approved" in mpc(*party(path, "owner0")).err  # of made-up numbers nothing is counted
    path.write_text(path.read_text().replace("reals:4,scale=16", "table"))
    (tmp_path / "a.csv").write_text("x\n1\n")
    ran = mpc(*party(path, "owner0", "--data", tmp_path / "a.csv"))
    assert ran.code == 2 and "minimum_cell = 5, but a program tells what its author chose" in ran.err


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "simulate.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "auction.py").write_text(code)
    block = re.search(r"^    mpc (simulate .*)\n\n((?:    .*\n)+)", page, re.MULTILINE)
    assert block is not None
    ran = mpc(*block[1].split(), "--lockstep", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert dedent(block[2]).strip() in ran.out
