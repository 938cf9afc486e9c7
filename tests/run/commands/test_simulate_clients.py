"""`mpc simulate --clients` as its users meet it: in processes, traced, clients that vanish, on several machines."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.parties.tasks.program.clients.runs import OWN
from tests.parties.tasks.program.runs import line_with
from tests.run import apart
from tests.run.apart import with_keys
from tests.run.command import ROOT, Running, approve, environment, mpc, record

OTHERWISE = {"pid", "started", "seconds", "computation", "peak_memory", "client_seconds"}
"""What differs between two runs that are the same."""
MEMBERS = ("server", "north", "south", "west")
STUDY = """schema = 1
name = "alike"
[parties.server]
role = "server"
[parties.north]
role = "client"
data = "north.csv"
[parties.south]
role = "client"
data = "south.csv"
[parties.west]
role = "client"
data = "west.csv"
[task]
kind = "star_program"
inputs = ["table"]
columns = ["x"]
min_rows = 20
"""


def same(one: Any) -> Any:
    """A record's part without what differs from run to run."""
    if isinstance(one, Mapping):
        return {key: same(value) for key, value in one.items() if key not in OTHERWISE}
    return [same(value) for value in one] if isinstance(one, list) else one


@pytest.mark.parametrize(
    "named, more",
    [("masked_sum.py:masked_sum", ("--clients", "50")), ("mistakes.py:tells", ("--clients", "20", "--vanish", "0.2"))],
)
def test_processes_and_one_thread_give_the_same_bits(tmp_path: Path, named: str, more: tuple[str, ...]) -> None:
    words: tuple[str | Path, ...] = ("simulate", OWN / named, "--input", "reals:5", *more, "--insecure-seed", "3")
    both = {}
    for name, how in (("processes", ()), ("lockstep", ("--lockstep",))):
        ran = mpc(*words, "--out", tmp_path / name, *how)
        assert ran.code == 0, ran.err
        assert "Traffic of the server, given who answered: as planned, to the byte." in ran.out
        assert "the largest difference is" in ran.out and "PROTECTED NOTHING" in ran.out
        both[name] = {key: one for key, one in record(tmp_path / name).items() if key != "faults"}
        report = (tmp_path / name / "report.html").read_text()
        assert "What the server saw" in report and "nothing checks that it is complete" in report
    assert same(both["processes"]) == same(both["lockstep"])
    assert len({party["pid"] for party in both["processes"]["parties"].values()}) == 3


def test_a_runs_folder_is_all_that_it_takes_to_run_it_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--clients", "6", "--input", "reals:4", "--seed", "9", "--network", "lan", "--out", out, "--trace")
    assert mpc("simulate", OWN / "masked_sum.py:masked_sum", *words).code == 0
    again = ("--program", f"{out / 'masked_sum.py'}:masked_sum", "--out", tmp_path / "again")
    ran = mpc("run", out / "scenario.toml", *again)
    assert ran.code == 0, ran.err
    one, other = record(out), record(tmp_path / "again")
    assert one["program"]["results"] == other["program"]["results"] and one["about"]["seed"] == 9
    page = mpc("trace", out)
    assert page.code == 0, page.err
    text = (out / "trace.html").read_text()
    assert all(word in text for word in ("keys", "masked", "client_3", "server"))
    planned = mpc("plan", out / "scenario.toml", "--program", f"{out / 'masked_sum.py'}:masked_sum")
    assert planned.code == 0 and "x_i under masks, uniform" in planned.out


def test_an_authors_error_ends_the_run_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("who,x\na,1\nb,5000\nc,2\nd,3\n")
    for function, said in (("raises", "client_2: "), ("breaks", "server: ")):
        out = tmp_path / function
        words = ("--data", tmp_path / "rows.csv", "--by", "who", "--out", out)
        ran = mpc("simulate", OWN / f"mistakes.py:{function}", *words)
        assert ran.code == 2, ran.err
        line = line_with("of the client's" if function == "raises" else "of the server's", OWN / "mistakes.py")
        assert f"{said}{OWN / 'mistakes.py'}, line {line}, after stage 1" in ran.err
        assert "Traceback" not in ran.err
        assert record(out)["status"] == "failed"
    out = tmp_path / "raises"
    inside = (out / "scenario.toml").read_text().replace("[clients]\n", "[clients]\nprocesses = 0\n")
    (out / "inside.toml").write_text(inside)
    ran = mpc("run", out / "inside.toml", "--program", f"{out / 'mistakes.py'}:raises", "--out", tmp_path / "inside")
    assert ran.code == 2
    line = line_with("of the client's", OWN / "mistakes.py")
    assert f"client_2: {out / 'mistakes.py'}, line {line}, after stage 1" in ran.err


def test_a_slip_is_told_before_there_is_a_folder(tmp_path: Path) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        'schema = 1\nname = "x"\n[parties.server]\nrole = "server"\n[clients]\ncount = 3\n[task]\n'
        'kind = "star_program"\ninputs = ["reals:2"]\n[faults.clients]\nvanish = 0.5\nstage = "mask"\n'
    )
    sums = OWN / "masked_sum.py:masked_sum"
    for words, message in (
        (("simulate", OWN / "mistakes.py:waits", "--clients", "3", "--input", "reals:1"), "in stage 'never'"),
        (("simulate", sums, "--clients", "3"), "the clients give nothing"),
        (("simulate", sums, "--input", "reals:5"), "is between a server and clients"),
        (("simulate", sums, "--input", "reals:5", "--clients", "3", "--owners", "3"), "--owners goes with no clients"),
        (("simulate", sums, "--input", "reals:5", "--vanish", "0.1"), "--vanish is of clients"),
        (("run", study), "--program FILE:FUNCTION"),
        (("run", study, "--program", sums), "did you mean 'masked'?"),
    ):
        ran = mpc(*words, "--out", tmp_path / "out")
        assert ran.code == 2, ran.err
        assert message in ran.err
        assert not (tmp_path / "out").exists()


def study(folder: Path) -> Path:
    """A study on several machines, each party's file in a folder of its own."""
    path = folder / "study.toml"
    path.write_text(with_keys(STUDY, folder / "keys", ["server"], [name for name in MEMBERS if name != "server"]))
    for k, name in enumerate(MEMBERS):
        (folder / f"of_{name}").mkdir()
        shutil.copy(OWN / "private_mean.py", folder / f"of_{name}" / "own.py")
        (folder / f"{name}.csv").write_text("x\n" + f"{k}\n" * 20)
    return path


def party(path: Path, name: str, *more: str | Path) -> tuple[str | Path, ...]:
    """The command of a party of that study."""
    return apart.party(path, name, "--program", f"{path.parent / f'of_{name}' / 'own.py'}:mean", *more)


def test_parties_on_several_machines(tmp_path: Path) -> None:
    path = study(tmp_path)
    shown = [approve(*party(path, name)) for name in MEMBERS]
    assert all("async def mean_client(me: Client, x: np.ndarray)" in text for text in shown)
    runs = {name: Running(*party(path, name, "--out", tmp_path / name)) for name in MEMBERS}
    for name, run in runs.items():
        ran = run.end()
        assert ran.code == 0, (name, ran.err)
    server, north = record(tmp_path / "server"), record(tmp_path / "north")
    assert server["program"]["results"][0]["values"] == pytest.approx([2.0, 60.0])
    assert "results" not in north["program"] and north["program"]["rounds_done"] == 1
    assert '"revealed": ["program"]' in (tmp_path / "keys" / "releases.jsonl").read_text()

    changed = tmp_path / "of_west" / "own.py"
    changed.write_text(changed.read_text() + "# another line\n")
    assert "it was changed since the approval" in mpc(*party(path, "west")).err
    approve(*party(path, "west"))
    runs = {name: Running(*party(path, name, "--out", tmp_path / f"{name}_2")) for name in ("server", "west")}
    ran = runs["west"].end()
    assert ran.code == 5, ran.err
    runs["server"].signal(signal.SIGINT)
    runs["server"].end()


def test_nothing_of_the_file_runs_before_it_is_approved(tmp_path: Path) -> None:
    path = study(tmp_path)
    mark = tmp_path / "ran"
    for name in ("server", "north"):
        text = f"open({str(mark)!r}, 'w').close()\n" + (OWN / "private_mean.py").read_text()
        (tmp_path / f"of_{name}" / "own.py").write_text(text)
        shown = mpc(*party(path, name))
        assert shown.code == 2 and "has not approved" in shown.err
        assert f"open({str(mark)!r}" in shown.out.replace("\n", "")
        assert mpc("doctor", *party(path, name)[1:], "--seconds", "2").code == 2
        assert not mark.exists()


def test_a_policy_refuses_what_is_not_tested(tmp_path: Path) -> None:
    path = study(tmp_path)
    policy = tmp_path / "keys" / "policy.toml"
    for rules, message in (
        ('kinds = ["program"]', "but the task is 'star_program'"),
        ('reveals = ["sum"]', "but it reveals 'program'"),
        ("minimum_cell = 5", "a program tells what its author chose"),
        ("minimum_owners = 3", "a program may tell of one client alone"),
    ):
        policy.write_text(f"schema = 1\n{rules}\n")
        ran = mpc(*party(path, "north"))
        assert ran.code == 2 and message in ran.err


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    for code in re.findall(r"```python\n(# (\w+\.py)\n.*?)```", page, re.DOTALL):
        (tmp_path / code[1]).write_text(code[0])
    block = re.search(r"^    mpc (simulate .*)\n\n((?:    .*\n|\n(?=    ))+)", page, re.MULTILINE)
    assert block is not None
    ran = mpc(*block[1].split(), "--lockstep", cwd=tmp_path)
    assert ran.code == 0, ran.err
    for part in dedent(block[2]).strip().split("\n\n"):
        assert part in ran.out
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_masked_sum.py"]
    tested = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert "2 passed" in tested.stdout, tested.stdout
