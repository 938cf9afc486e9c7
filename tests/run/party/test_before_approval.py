"""What `mpc party` and `mpc doctor` ask of the system, on a scenario of a malicious partner, as strace sees it.

Before an approval: nothing that the scenario names is opened, run, written, looked up or dialled. After it: nothing
outside the study's folder, but this party's keys, its record, and what Python and its libraries are made of.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from tests.run.apart import separate
from tests.run.command import LONG, MPC, approving, environment

STRACE = shutil.which("strace")
CALL = re.compile(r"^\d+ +(\w+)\((.*)$")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
WRITES = ("O_WRONLY", "O_RDWR", "O_CREAT")
CHANGES = ("mkdir", "rename", "unlink", "link", "symlink", "creat", "chmod", "rmdir", "truncate")

pytestmark = pytest.mark.skipif(STRACE is None, reason="needs strace")


@dataclass(frozen=True)
class Traced:
    """How a command ended, and each call that it made: its name and the rest of the line."""

    code: int
    err: str
    calls: tuple[tuple[str, str], ...]

    def opened(self) -> set[str]:
        """The files that it opened, or tried to."""
        return {found[1] for name, rest in self.calls if name.startswith("open") and (found := PATH.search(rest))}

    def written(self) -> set[str]:
        """The files that it opened for writing, made, moved or removed, or tried to."""
        changed = [rest for name, rest in self.calls if name.startswith(CHANGES)]
        opened = [rest for name, rest in self.calls if name.startswith("open") and any(how in rest for how in WRITES)]
        return {path for rest in (*changed, *opened) for path in PATH.findall(rest)}

    def reached(self) -> list[str]:
        """Where it connected to, or sent without a connection."""
        reaches = ("connect", "sendto", "sendmsg", "bind")
        return [rest for name, rest in self.calls if name in reaches and ("AF_INET" in rest or "htons" in rest)]

    def started(self) -> list[str]:
        """The programs that it ran, but for the command itself."""
        return [rest for name, rest in self.calls if name.startswith("execve")][1:]


def traced(folder: Path, *words: str | Path) -> Traced:
    """Run `mpc WORDS` in a folder under strace."""
    assert STRACE is not None
    trace = folder / "trace"
    command = [STRACE, "-f", "-e", "trace=%file,%network,%process", "-s", "4096", "-o", str(trace), *MPC]
    ran = subprocess.run(
        [*command, *map(str, words)],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * LONG,
    )
    lines = trace.read_text(errors="replace").splitlines()
    return Traced(
        ran.returncode, ran.stderr, tuple((found[1], found[2]) for line in lines if (found := CALL.match(line)))
    )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A scenario whose query reads a key, with a share's place, and a host name that tells that it was looked up."""
    folder = tmp_path / "study"
    folder.mkdir()
    path = separate(folder, reveal=["metrics"])
    with duckdb.connect(str(folder / "x.duckdb")) as connection:
        connection.execute("create table p as select 1 as a")
    query = f"data = {{ database = 'x.duckdb', sql = \"select * from read_text('{folder}/keys/hospital_a.key')\" }}"
    text = path.read_text().replace('data = "hospital_a.csv"', f'{query}\nmodel = "shares/x.share"')
    path.write_text(re.sub(r'address = "127.0.0.1:(\d+)"', r'address = "leak.invalid:\1"', text))
    (tmp_path / "here").mkdir()
    return path


def named(study: Path) -> set[str]:
    """What the scenario names."""
    return {
        str(study.parent / name) for name in ("x.duckdb", "x.duckdb.wal", "hospital_b.csv", "shares", "shares/x.share")
    }


def outside(paths: set[str], here: Path, *allowed: Path | str) -> set[str]:
    """Those that are in none of the folders."""
    roots = tuple(str(root) for root in allowed)
    return {path for path in paths if not str(here / path).startswith(roots)}


@pytest.mark.parametrize("command", ["party", "doctor"])
def test_nothing_that_is_named_is_touched_before_an_approval(study: Path, tmp_path: Path, command: str) -> None:
    here, keys = tmp_path / "here", study.parent / "keys"
    ran = traced(here, command, study, "--as", "hospital_a", "--keys", keys)
    assert ran.code == 2, ran.err
    opened = {str(here / path) for path in ran.opened()}
    assert str(study) in opened and str(keys / "hospital_a.key") in opened  # so the trace is one
    assert not opened & named(study)
    assert {path for path in opened if path.startswith(str(study.parent))} <= {
        str(study),
        str(study.parent),
        *(path for path in opened if path.startswith(str(keys))),
    }
    assert ran.reached() == [] and ran.started() == []
    assert outside(ran.written(), here, keys, "/dev/", "/tmp/", "/proc/self/") - {str(here / "trace")} == set()
    assert not (study.parent / "shares").exists()


def test_an_approved_run_writes_nothing_outside_and_reads_no_key(study: Path, tmp_path: Path) -> None:
    here, keys, out = tmp_path / "here", study.parent / "keys", tmp_path / "record"
    study.write_text(study.read_text().replace("leak.invalid", "127.0.0.1") + "[session]\nconnect_timeout = 0.3\n")
    words = ("party", study, "--as", "hospital_a", "--keys", keys, "--out", out)
    ran = traced(here, *words, *approving(study, "hospital_a"))
    assert ran.code == 3 and "outside its database" in " ".join(ran.err.split()), ran.err
    opened = [
        str(here / found[1]) for name, rest in ran.calls if name.startswith("open") and (found := PATH.search(rest))
    ]
    assert str(study.parent / "x.duckdb") in opened
    assert opened[opened.index(str(study.parent / "x.duckdb")) :].count(str(keys / "hospital_a.key")) == 0
    assert ran.started() == []
    written = ran.written() - {str(out.parent)}  # which is there already, as making the record's folder finds
    assert outside(written, here, study.parent, out, "/dev/", "/proc/self/", sys.prefix) == set()
