"""`mpc new --protocol`: what it writes runs, passes its own test, and is not written over anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.new.protocol import new_protocol
from tests.run.command import environment, mpc, record


@pytest.mark.parametrize("more, tests", [((), 4), (("--clients",), 8)], ids=["owners", "clients"])
def test_what_is_written_runs_and_passes_its_test(tmp_path: Path, more: tuple[str, ...], tests: int) -> None:
    told = mpc("new", "--protocol", "energy", *more, cwd=tmp_path)
    assert told.code == 0, told.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["energy.py", "test_energy.py"]
    (command,) = [line.split("mpc ")[1].split() for line in told.out.splitlines() if "mpc simulate" in line]
    ran = mpc(*command, "--lockstep", "--out", "out", cwd=tmp_path)
    assert ran.code == 0, ran.err
    (found,) = record(tmp_path / "out")["comparison"]["results"]
    assert found["difference"] < 1e-8
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_energy.py"]
    tested = subprocess.run(words, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60)
    assert tested.returncode == 0, tested.stdout
    assert f"{tests} passed" in tested.stdout


def test_what_is_written_may_run_on_several_machines(tmp_path: Path) -> None:
    from parties.scenario.program import read_program

    new_protocol(tmp_path / "new", "mine")
    assert read_program(f"{tmp_path / 'new' / 'mine.py'}:mine", alone=True).alone
    new_protocol(tmp_path / "new", "ours", clients=True)
    assert read_program(f"{tmp_path / 'new' / 'ours.py'}:ours", alone=True, clients=True).alone


@pytest.mark.parametrize("name", ["Median", "1st", "a-b", "async", "", "random", "numpy", "../x"])
def test_a_name_that_no_module_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        new_protocol(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        new_protocol(tmp_path, "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]


def test_it_goes_with_no_other_option(tmp_path: Path) -> None:
    for words in (("--protocol", "mine", "--data", "a.csv"), ("x", "--clients"), ()):
        ran = mpc("new", *words, cwd=tmp_path)
        assert ran.code == 2
        assert not list(tmp_path.iterdir())
