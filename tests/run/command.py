"""Runs the command `mpc` as a user does, in a process of its own; which most tests make from one that is ready."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from parties.tasks.registry import load_any
from parties.trust.consent import consent_digest
from tests.run.copied import Copied, Ready

ROOT = Path(__file__).resolve().parents[2]
MPC = [sys.executable, "-m", "parties.cli"]
LONG = 60.0
_COUNTS_LINES = "COVERAGE_PROCESS_CONFIG"  # by which coverage measures the processes that a measured one starts


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str
    seconds: float


def environment(extra: Mapping[str, str] | None = None, *, measured: bool = False) -> dict[str, str]:
    """This process's environment, with the checkout importable from any folder.

    Counting lines makes a run by processes take a quarter longer, and there are many that run the same ones: so only
    those are `measured` that do what no other test does.
    """
    known = {name: value for name, value in os.environ.items() if measured or name != _COUNTS_LINES}
    return {**known, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **(extra or {})}


@cache
def ready() -> Ready:
    """What makes copies of a process that has all loaded, for the tests of this one."""
    return Ready(environment())


def approving(scenario: Path, name: str) -> tuple[str, str]:
    """The option by which a party approves a scenario as it is now."""
    return "--approve", consent_digest(load_any(scenario), name)


def mpc(*words: str | Path, cwd: Path | None = None, timeout: float = LONG, new: bool = False) -> Ran:
    """Run `mpc WORDS` to its end; in a new process, or in the copy of one."""
    start = time.monotonic()
    process = started(words, cwd or ROOT, new=new)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode is not None
    return Ran(process.returncode, out, err, time.monotonic() - start)


def asked(*words: str | Path) -> tuple[str, str]:
    """What a party is shown that has not approved, and the digest that the refusal names."""
    shown = mpc(*words)
    found = re.search(r"--approve ([0-9a-f]{64})$", shown.err, re.MULTILINE)
    assert shown.code == 2 and found, shown.err
    return shown.out, found[1]


def approve(*words: str | Path) -> str:
    """Has the party of these words of `mpc party` approve what it is shown; returns what that was."""
    shown, digest = asked(*words)
    ran = mpc("approve", *words[1:], "--digest", digest)
    assert ran.code == 0, ran.err
    return shown


def started(words: Iterable[str | Path], folder: Path, *, new: bool) -> Copied | subprocess.Popen[str]:
    """The command under way, in a session of its own."""
    if not new and sys.platform == "linux":
        return Copied(ready(), [*map(str, words)], folder, environment())
    command, pipe = [*MPC, *map(str, words)], subprocess.PIPE
    return subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def record(out: Path) -> dict[str, Any]:
    """The run's result.json."""
    fields: dict[str, Any] = json.loads((out / "result.json").read_text())
    return fields


def party_of(process: psutil.Process) -> str | None:
    """Whose process it is: a new one by its command line, a copy by its name; None for one that begins."""
    words, parent = process.cmdline(), process.parent()
    if "--as" in words:
        return words[words.index("--as") + 1]
    return None if parent is None or process.name() == parent.name() else process.name()


class Running:
    """A `mpc` command that is still going, and the party processes that it started."""

    def __init__(self, *words: str | Path, cwd: Path | None = None, new: bool = False) -> None:
        self.process = started(words, cwd or ROOT, new=new)
        self._known: dict[str, psutil.Process] = {}
        self._heard = ""

    def party(self, name: str) -> psutil.Process:
        """The process of a party."""
        return self.parties()[name]

    def parties(self) -> dict[str, psutil.Process]:
        """All party processes seen so far."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                if name := party_of(child):
                    self._known[name] = child
        return self._known

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Until the condition holds; the command must still be running."""
        end = time.monotonic() + LONG
        while not condition():
            assert self.process.poll() is None, f"ended before {what}: {self.process.communicate(timeout=LONG)}"
            assert time.monotonic() < end, f"no {what} in {LONG} s"
            time.sleep(0.005)  # a poll of the file system, not a wait for a length of time

    def hear(self, words: str) -> bool:
        """Until the command has said something on standard error that matches; False if it ends without."""
        assert self.process.stderr is not None
        while not re.search(words, self._heard, re.MULTILINE):
            assert select.select([self.process.stderr], [], [], LONG)[0], f"no {words!r}: {self._heard!r}"
            piece = os.read(self.process.stderr.fileno(), 1 << 16)
            if not piece:
                return False
            self._heard += piece.decode()
        return True

    def signal(self, number: signal.Signals) -> None:
        """To the whole terminal group, as Ctrl-C does, or to the launcher alone for others."""
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self, timeout: float = LONG) -> Ran:
        """Wait for the command to end; one that does not leaves nothing behind all the same."""
        start = time.monotonic()
        try:
            out, err = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        assert self.process.returncode is not None
        return Ran(self.process.returncode, out, self._heard + err, time.monotonic() - start)

    def all_gone(self, within: float) -> bool:
        """Whether every process seen is gone within so many seconds."""
        _, alive = psutil.wait_procs(list(self._known.values()), timeout=within)
        return not alive


def ends_of(runs: Mapping[str, Running]) -> dict[str, Ran]:
    """How commands end that are going on at the same time."""
    return {name: run.end() for name, run in runs.items()}
