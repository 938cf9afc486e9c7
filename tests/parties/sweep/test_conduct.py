"""What a sweep runs, keeps and tells, with a runner that only writes records."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mpc.errors import DataError, InterruptedRun, PeerLostError
from parties.cli.sweep_source import source_of
from parties.processes.progress import Progress
from parties.report.record import failed_record
from parties.sweep.conduct import conduct
from parties.sweep.folder import Outcome, record_folder, sweep_folder
from parties.sweep.local import EndCallback
from parties.sweep.settings import read_settings
from parties.sweep.study import Cell, Study, read_study
from tests.run.scenarios import write_scenario

RECORD = json.loads((Path(__file__).resolve().parents[2] / "run/older/runs/logistic/result.json").read_text())


@pytest.fixture
def study(tmp_path: Path) -> Study:
    path = write_scenario(tmp_path)
    return read_study(source_of(str(path), (), None, alone=False), read_settings(["task.l2=0,1"]), 2, compare=False)


class Runner:
    """Runs cells by what is said of each: None, its record; an error, its record of that; or a cell that vanishes."""

    def __init__(self, folder: Path, say: Callable[[str], Exception | None] = lambda name: None) -> None:
        self.folder = folder
        self.say = say
        self.ran: list[str] = []

    def __call__(self, cells: Sequence[Cell], on_end: EndCallback) -> None:
        for cell in cells:
            error = self.say(cell.name)
            if isinstance(error, InterruptedRun):
                raise error
            self.ran.append(cell.name)
            made = record_folder(self.folder, cell)
            made.mkdir()
            if isinstance(error, DataError):
                record = failed_record(error, scenario_name="small", scenario_digest=cell.digest)
            else:
                record = RECORD | {"scenario": {"name": "small", "digest": cell.digest}}
            if not isinstance(error, PeerLostError):
                (made / "result.json").write_text(json.dumps(record))
            on_end(cell.name, error, ["a warning"], 6.0)  # type: ignore[arg-type]


def conducted(study: Study, folder: Path, run: Runner, side_by_side: int = 1) -> tuple[list[Outcome], str]:
    heard = io.StringIO()
    with Progress(["runs"], stream=heard) as progress:
        found = conduct(study, folder, run, side_by_side, progress)
    return found, heard.getvalue()


def status(folder: Path) -> str:
    return str(json.loads((folder / "sweep.json").read_text())["status"])


def test_only_what_is_not_done_is_run(study: Study, tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "out", study)
    first = Runner(folder, lambda name: InterruptedRun("enough") if name == "001-2" else None)
    with pytest.raises(InterruptedRun):
        conducted(study, folder, first)
    assert (first.ran, status(folder)) == (["001-1", "002-1"], "unfinished")
    second = Runner(folder)
    found, _ = conducted(study, folder, second)
    assert (second.ran, status(folder)) == (["001-2", "002-2"], "ok")
    assert all(one.figures for one in found)
    third = Runner(folder)
    conducted(study, folder, third)
    assert third.ran == []


def test_what_failed_says_why_and_is_run_again(study: Study, tmp_path: Path) -> None:
    """By its record; of one that vanished, by who saw it."""
    errors = {"001-1": DataError("no column", "add it"), "002-1": PeerLostError("002-1 was killed (signal 9)")}
    folder = sweep_folder(tmp_path / "out", study)
    found, heard = conducted(study, folder, Runner(folder, errors.get))
    said = {one.cell.name: (one.error["code"], one.error["message"]) for one in found if one.error is not None}
    assert said == {"001-1": ("data", "no column"), "002-1": ("peer-lost", "002-1 was killed (signal 9)")}
    assert status(folder) == "failed"
    assert "001-1: failed (task.l2 = 0, seed 3): no column" in heard
    again = Runner(folder)
    conducted(study, folder, again)
    assert (again.ran, status(folder)) == (["001-1", "002-1"], "ok")


def test_a_warning_of_every_cell_is_told_once(study: Study, tmp_path: Path) -> None:
    folder = sweep_folder(tmp_path / "out", study)
    assert conducted(study, folder, Runner(folder))[1].count("a warning") == 1


@pytest.mark.parametrize(("side_by_side", "expected"), [(1, "18 s"), (2, "9 s")])
def test_the_time_left_is_of_what_like_ones_took(
    study: Study, tmp_path: Path, side_by_side: int, expected: str
) -> None:
    folder = sweep_folder(tmp_path / "out", study)
    assert f"about {expected} left 1/4" in conducted(study, folder, Runner(folder), side_by_side)[1]
