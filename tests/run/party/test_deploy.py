"""docs/deploy.md, followed to the letter: three folders stand for three machines, and `scp` copies between them."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from tests.ports import free_ports
from tests.run.apart import PARTIES
from tests.run.command import LONG, ROOT, environment, record

DEPLOY = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
UNIT = (ROOT / "packaging" / "beaverlodge@.service").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(sh|text) (\w+)( together)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ADDRESSES = ("10.0.0.1:7101", "10.0.0.2:7101")

# Between machines; here, between their folders: MACHINE:FILE is FILE in the folder MACHINE.
SCP = """#!/bin/sh
set -e
for last; do :; done
place() { case "$1" in *:*) echo "$MACHINES/${1%%:*}/${1#*:}";; *) echo "$1";; esac; }
while [ $# -gt 1 ]; do cp "$(place "$1")" "$(place "$last")"; shift; done
"""


@dataclass
class Typed:
    """Commands at one machine, and what the document says that they print."""

    machine: str
    commands: str
    together: bool
    printed: str = ""


def steps(text: str) -> list[Typed]:
    found: list[Typed] = []
    for kind, machine, together, body in FENCE.findall(text):
        if kind == "sh":
            found.append(Typed(machine, body, bool(together)))
        else:
            assert found[-1].machine == machine, "what is printed follows its command"
            found[-1].printed = body
    return found


def groups(found: list[Typed]) -> Iterator[list[Typed]]:
    """What is typed one after the other, and what at the same time: a machine's next command begins a new group."""
    for together, members in groupby(found, lambda step: step.together):
        batch: list[Typed] = []
        for step in members:
            if batch and (not together or step.machine in {one.machine for one in batch}):
                yield batch
                batch = []
            batch.append(step)
        yield batch


class Machines:
    """Three folders, with `mpc` and `scp` on their PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "machines"
        tools = folder / "tools"
        tools.mkdir()
        for name, script in (("scp", SCP), ("mpc", f'#!/bin/sh\nexec "{sys.executable}" -m parties.cli "$@"\n')):
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
        for name in PARTIES:
            (self.folder / name).mkdir(parents=True)
            if name != "helper":
                shutil.copy(ROOT / "scenarios" / "data" / f"{name}.csv", self.folder / name / "patients.csv")
        self._environment = environment(
            {"PATH": f"{tools}:{os.environ['PATH']}", "MACHINES": str(self.folder), "COLUMNS": "200"}
        )

    def type(self, batch: list[Typed]) -> list[tuple[Typed, int, str]]:
        """Each machine's commands, all at the same time; how they ended, and what they printed."""
        with ExitStack() as stack:
            started = [stack.enter_context(self._start(step)) for step in batch]
            ended = [process.communicate(timeout=2 * LONG)[0] for process in started]
        return [(step, process.returncode, out) for step, process, out in zip(batch, started, ended, strict=True)]

    @contextmanager
    def _start(self, step: Typed) -> Iterator[subprocess.Popen[str]]:
        """A machine's commands at a terminal, with `yes` typed for those that ask."""
        keyboard, terminal = pty.openpty()
        if "mpc approve" in step.commands:
            os.write(keyboard, b"yes\n")
        process = subprocess.Popen(
            ["sh", "-e", "-c", step.commands],
            cwd=self.folder / step.machine,
            env=self._environment,
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        os.close(terminal)
        try:
            yield process
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            os.close(keyboard)


def missing(expected: str, printed: str) -> list[str]:
    """The document's lines that were not printed, in its order; `...` stands for anything."""
    at, absent = 0, []
    for line in expected.splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        found = re.compile(pattern).search(printed, at)
        if found is None:
            absent.append(line)
        else:
            at = found.end()
    return absent


def test_the_document_leads_from_nothing_to_a_result(tmp_path: Path) -> None:
    text = DEPLOY
    for address, port in zip(ADDRESSES, free_ports(len(ADDRESSES)), strict=True):
        assert address in text
        text = text.replace(address, f"127.0.0.1:{port}")
    machines = Machines(tmp_path)
    found = steps(text)
    assert {step.machine for step in found} == set(PARTIES)
    for batch in groups(found):
        for step, code, printed in machines.type(batch):
            assert code == 0, f"{step.machine}: {step.commands}\n{printed}"
            assert missing(step.printed, printed) == [], printed
    a, b = (record(machines.folder / name / "first") for name in ("hospital_a", "hospital_b"))
    assert a["status"] == b["status"] == "ok" and a["model"] == b["model"]
    assert record(machines.folder / "helper" / "first")["model"] is None


def test_a_line_that_is_not_printed_is_noticed() -> None:
    assert missing("one ... three\n", "one two three\n") == []
    assert missing("one ... four\nlast\n", "one two three\nlast\n") == ["one ... four"]


def test_the_units_command_is_the_documents() -> None:
    lines = [line for line in UNIT.splitlines() if line.startswith("ExecStart=")]
    assert len(lines) == 1 and f"```ini\n{lines[0]}\n```" in DEPLOY
    words = lines[0].removeprefix("ExecStart=").replace("%i", "hospital_a").split()
    shown = subprocess.run(
        [sys.executable, "-m", "parties.cli", "party", "--help"], capture_output=True, text=True, env=environment()
    ).stdout
    assert words[1] == "party" and all(word in shown for word in words if word.startswith("--"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "beaverlodge@.service"
    unit.write_text(UNIT.replace("/opt/beaverlodge/bin/mpc", "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "beaverlodge" not in checked.stderr, checked.stderr


def test_every_exit_code_is_in_the_troubleshooting() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    codes = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "scenario.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert codes == re.findall(r"^\| (\d+) \|", text, re.MULTILINE)
