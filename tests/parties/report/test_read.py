"""Reading a record back, and refusing what is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mpc.errors import PeerLostError, UsageError
from parties.report.page import write_report
from parties.report.read import read_record
from parties.report.record import failed_record, start_record, write_record
from parties.report.summary import summary_blocks

RUN = {"schema": 1, "status": "ok", "scenario": {"name": "x"}}


def refused(folder: Path) -> UsageError:
    with pytest.raises(UsageError) as raised:
        read_record(folder)
    return raised.value


def test_a_record_as_it_was_written(tmp_path: Path) -> None:
    record = failed_record(PeerLostError("hospital_b is gone", party="hospital_b"), scenario_name="x")
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record


def test_a_run_that_has_not_finished_is_a_record(tmp_path: Path) -> None:
    start_record(tmp_path, "x", "digest")
    assert read_record(tmp_path)["error"]["message"] == "did not finish"


def test_no_such_folder_or_a_file(tmp_path: Path) -> None:
    assert "there is no folder" in refused(tmp_path / "no").message
    (tmp_path / "result.json").write_text(json.dumps(RUN))
    error = refused(tmp_path / "result.json")
    assert "is a file" in error.message
    assert error.hint == f"name its folder: mpc report {tmp_path}"


def test_a_folder_without_a_record(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert "is no record of a run: it holds no result.json" in error.message
    assert "runs/NAME-TIME" in error.hint
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text(json.dumps(RUN))
    assert refused(tmp_path).hint == f"it holds folders of runs; the newest is {tmp_path / 'run'}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not valid JSON (line 1)"),
        (b'{"schema": 1,\n"sta', "is not valid JSON (line 2)"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"1" * 10_000, "is not valid JSON"),
        (b"\xff\xfe", "is not text"),
        (b"[]", "is not the record of a run"),
        (b'{"schema": 1}', "is not the record of a run"),
        (json.dumps(RUN | {"scenario": "x"}).encode(), "is not the record of a run"),
        (json.dumps(RUN | {"status": "well"}).encode(), "does not say whether the run ended well"),
        (json.dumps(RUN | {"schema": 3}).encode(), "follows schema 3, but this version reads 1 and 2"),
        (json.dumps(RUN | {"schema": True}).encode(), "follows schema true, but this version reads 1 and 2"),
        (json.dumps({**RUN, "schema": None}).encode(), "follows schema null"),
    ],
)
def test_a_damaged_record(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "result.json").write_bytes(content)
    error = refused(tmp_path)
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"parties": {"a": 3, "b": {"seconds": [1], "bytes_sent": "x"}}, "model": {"features": ["x"], "weights": "y"}},
        {"metrics": {"test": {"rows": "many", "confusion": {"true_positives": None}}}, "revealed": [3, {"shape": "x"}]},
        {"comparison": {"alone": [], "pooled": {"max_abs_weight_difference": "x"}}, "plan": 7, "testing": {"a": 1}},
    ],
)
def test_a_record_with_odd_parts_can_be_shown(tmp_path: Path, more: dict[str, object]) -> None:
    (tmp_path / "result.json").write_text(json.dumps(RUN | more))
    record = read_record(tmp_path)
    assert summary_blocks(record, tmp_path)
    assert write_report(record, tmp_path).stat().st_size > 1000
