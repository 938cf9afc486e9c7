"""A training in a process of its own, as `make bench` runs ours: what it came to, or why it did not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks.jobs import JOBS, ROOT, write_scenario
from benchmarks.own_run import own_run
from mpc.errors import DataError, InterruptedRun, UsageError


@pytest.fixture
def order(tmp_path: Path) -> tuple[Path, Path]:
    """A short training's scenario, and an empty folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    return write_scenario(JOBS[0], tmp_path / "data", {"epochs": 1}), folder


@pytest.mark.parametrize("encrypted", [True, False])
def test_what_it_came_to(order: tuple[Path, Path], encrypted: bool) -> None:
    done = own_run(*order, encrypted=encrypted, wan=False)
    assert set(done.results) == {"hospital_a", "hospital_b", "helper"}
    assert done.steps == 4 and done.setup_seconds > 0 and done.peak_bytes > 1 << 20
    one, other = (done.results[name] for name in ("hospital_a", "hospital_b"))
    assert one["model"] == other["model"] and one["party"]["seconds"]["training"] > 0


def test_a_failure_is_that_of_the_run(order: tuple[Path, Path], tmp_path: Path) -> None:
    wrong = write_scenario(JOBS[0], tmp_path / "data", {"target": "malignantt"}, "-wrong")
    with pytest.raises(DataError, match="malignantt"):
        own_run(wrong, order[1], encrypted=True, wan=False)
    with pytest.raises(UsageError, match="no such scenario"):
        own_run(tmp_path / "none.toml", order[1], encrypted=True, wan=False)


def test_a_process_that_ends_otherwise_is_told_of(order: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="exit code 1"):
        own_run(*order, encrypted=True, wan=False)


def test_an_interrupted_one_says_nothing(order: tuple[Path, Path]) -> None:
    path = order[1] / "order.json"
    path.write_text(json.dumps({"scenario": str(order[0]), "out": str(order[1]), "encrypted": True, "wan": False}))
    script = (
        "import sys, benchmarks.own_run as own, benchmarks.ours as ours\n"
        "def interrupted(*_, **__): raise KeyboardInterrupt\n"
        "ours.launch_training = interrupted\n"
        f"sys.exit(own.main([{str(path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), InterruptedRun("interrupted")])
def test_the_benchmarks_end_with_a_sentence(
    problem: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise problem

    monkeypatch.setattr(bench, "main", interrupted)
    assert bench.command() == 130
    assert "interrupted; build/bench/results.json has what was measured" in capsys.readouterr().out
