"""One run of a party in a study at a time: the lock beside its keys."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.trust.run_lock import lock_path, lock_run

DIGEST, OTHER = "0123456789abcdef" * 4, "f" * 64
HOLD = """
import sys
from pathlib import Path
from parties.trust.run_lock import lock_run
with lock_run(Path(sys.argv[1]), "helper", sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), DIGEST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_a_second_start_names_the_process_that_runs_the_study(folder: Path) -> None:
    first = holder(folder)
    with pytest.raises(UsageError, match=rf"helper runs this study here already \(process {first.pid}\)") as caught:
        lock_run(folder, "helper", DIGEST).__enter__()
    assert (caught.value.exit_code, caught.value.party) == (2, "helper")
    with lock_run(folder, "helper", OTHER), lock_run(folder, "hospital_a", DIGEST):
        pass  # another study, another party
    first.communicate()
    with lock_run(folder, "helper", DIGEST):
        pass
    assert not list(folder.iterdir())


def test_the_lock_of_a_killed_run_is_free(folder: Path) -> None:
    first = holder(folder)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert lock_path(folder, "helper", DIGEST).exists()
    with lock_run(folder, "helper", DIGEST):
        found = lock_path(folder, "helper", DIGEST)
        assert (int(found.read_text()), stat.S_IMODE(found.stat().st_mode)) == (os.getpid(), 0o600)


def test_a_lock_that_its_holder_removed_as_it_ended_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a process's opening of the file and its lock, the one before removes it, and a third makes a new one."""
    path = lock_path(folder, "helper", DIGEST)
    real = os.open
    opened: list[int] = []

    def opening(*args: object, **kwargs: object) -> int:
        descriptor: int = real(*args, **kwargs)  # type: ignore[arg-type]
        if not opened:
            path.unlink()
        opened.append(descriptor)
        return descriptor

    monkeypatch.setattr("os.open", opening)
    with lock_run(folder, "helper", DIGEST):
        assert len(opened) == 2
        with pytest.raises(UsageError, match="already"):
            lock_run(folder, "helper", DIGEST).__enter__()


@pytest.mark.parametrize("planted", ["link", "folder", "nowhere"])
def test_what_stands_in_the_locks_place_is_not_written_to(folder: Path, planted: str) -> None:
    path = lock_path(folder, "helper", DIGEST)
    if planted == "link":
        (folder / "precious").write_text("kept")
        path.symlink_to(folder / "precious")
    elif planted == "folder":
        path.mkdir()
    where = folder / "nowhere" if planted == "nowhere" else folder
    with pytest.raises(UsageError, match=r"cannot be (written|read)"):
        lock_run(where, "helper", DIGEST).__enter__()
    assert planted != "link" or (folder / "precious").read_text() == "kept"
