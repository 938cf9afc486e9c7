"""A sweep's folder: what a record says counts, of this very study alone; a changed study is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mpc.errors import UsageError
from parties.cli.sweep_source import source_of
from parties.sweep.folder import Outcome, lock_sweep, outcome_of, prepare, record_folder, sweep_folder, write_table
from parties.sweep.settings import read_settings
from parties.sweep.study import Study, read_study
from tests.run.scenarios import write_scenario

RECORD = Path(__file__).resolve().parents[2] / "run" / "older" / "runs" / "logistic" / "result.json"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return write_scenario(tmp_path)


def study_of(path: Path, *said: str, repeats: int = 1) -> Study:
    return read_study(
        source_of(str(path), (), None, alone=False), read_settings(said or ["task.l2=0,1"]), repeats, compare=True
    )


def begun(scenario: Path) -> tuple[Path, Study]:
    study = study_of(scenario)
    folder = sweep_folder(scenario.parent / "out", study)
    write_table(folder, study, [prepare(folder, cell) for cell in study.cells], "unfinished")
    return folder, study


def put_record(folder: Path, study: Study, **fields: object) -> Path:
    """A record of the first cell."""
    made = record_folder(folder, study.cells[0])
    made.mkdir()
    known = json.loads(RECORD.read_text()) | {"scenario": {"name": "small", "digest": study.cells[0].digest}}
    (made / "result.json").write_text(json.dumps(known | fields))
    return made


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: study_of(path, "task.l2=0,2"), "task.l2"),
        (lambda path: path.write_text(path.read_text().replace("epochs = 3", "epochs = 4")), "task.epochs: 4 here, 3"),
        (lambda path: (path.parent / "hospital_a.csv").write_text("x\n"), "data.hospital_a"),
    ],
)
def test_another_study_is_refused_and_says_what_differs(scenario: Path, change: object, words: str) -> None:
    folder, _ = begun(scenario)
    assert callable(change)
    changed = change(scenario)
    with pytest.raises(UsageError, match="holds another sweep") as caught:
        sweep_folder(folder, changed if isinstance(changed, Study) else study_of(scenario))
    assert words in caught.value.hint


def test_more_repeats_go_on_in_the_same_folder(scenario: Path) -> None:
    folder, _ = begun(scenario)
    assert sweep_folder(folder, study_of(scenario, repeats=3)) == folder


def test_a_folder_of_something_else_is_left_alone(scenario: Path) -> None:
    with pytest.raises(UsageError, match="not empty"):
        sweep_folder(scenario.parent, study_of(scenario))


def test_a_record_that_is_done_is_kept(scenario: Path) -> None:
    folder, study = begun(scenario)
    made = put_record(folder, study)
    found = prepare(folder, study.cells[0])
    assert found.figures is not None and found.figures["rounds"] > 0
    assert (made / "result.json").exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "failed", "error": {"code": "data", "message": "no", "hint": "", "party": None}},
        {"scenario": {"name": "small", "digest": "0" * 64}},
    ],
    ids=["failed", "of another scenario"],
)
def test_a_cell_without_a_record_of_its_own_is_run_anew(scenario: Path, fields: dict[str, object]) -> None:
    folder, study = begun(scenario)
    made = put_record(folder, study, **fields)
    assert prepare(folder, study.cells[0]) == Outcome(study.cells[0])
    assert not made.exists()


def test_a_record_that_was_cut_off_is_none(scenario: Path) -> None:
    folder, study = begun(scenario)
    made = put_record(folder, study)
    file = made / "result.json"
    file.write_bytes(file.read_bytes()[:-20])
    assert outcome_of(folder, study.cells[0]).figures is None


def test_one_sweep_at_a_time_in_a_folder(scenario: Path) -> None:
    folder, _ = begun(scenario)
    with lock_sweep(folder), pytest.raises(UsageError, match="another sweep is under way"), lock_sweep(folder):
        pass
    with lock_sweep(folder):
        shutil.rmtree(folder / "cells")
