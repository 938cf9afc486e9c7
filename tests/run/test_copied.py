"""A command in a copy of a process that is ready ends, says and can be ended as in a new process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.run.command import LONG, mpc, started
from tests.run.scenarios import write_scenario


@pytest.mark.parametrize("words", ["plan small.toml --json", "plan nothing.toml", "--version", "frobnicate"])
def test_it_says_the_same(tmp_path: Path, words: str) -> None:
    write_scenario(tmp_path)
    new, copy = (mpc(*words.split(), cwd=tmp_path, new=new) for new in (True, False))
    assert (new.code, new.out, new.err) == (copy.code, copy.out, copy.err)
    assert (new.code == 0) == bool(new.out)


@pytest.mark.parametrize("new", [True, False])
def test_it_can_be_killed_and_waited_for(tmp_path: Path, new: bool) -> None:
    process = started(["run", write_scenario(tmp_path), "--out", tmp_path / "record"], tmp_path, new=new)
    assert os.getsid(process.pid) == process.pid and process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.0)
    process.kill()
    until = time.monotonic() + LONG
    while process.poll() is None:
        assert time.monotonic() < until, "its end is not noticed"
    process.communicate(timeout=LONG)
    assert process.wait(LONG) == process.returncode == -signal.SIGKILL
