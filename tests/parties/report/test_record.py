"""The run's folder, its record at every moment, and what the parties must agree on."""

from __future__ import annotations

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import InternalError, PeerLostError, UsageError
from parties.base.record_files import REPORT, RESULT
from parties.report.record import (
    check_out,
    failed_record,
    merge_results,
    start_record,
    take_folder,
    write_record,
)

SHAPE = [
    "schema",
    "kind",
    "status",
    "error",
    "scenario",
    "session",
    "plan",
    "parties",
    "model",
    "metrics",
    "revealed",
]
WHO: dict[str, Any] = {"kind": "logistic_regression", "scenario_name": "demo", "scenario_digest": "d1"}


def read(out: Path) -> dict[str, Any]:
    text = (out / RESULT).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    record = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert isinstance(record, dict)
    return record


def result(role: str, **changes: Any) -> dict[str, Any]:
    owner = role == "owner"
    seconds = {"total": 3.0, "connect": 0.1, "setup": 0.2, "online": 0.3, "training": 0.25}
    return {
        "party": {
            "seconds": seconds,
            "messages": 4,
            "bytes_received": 20,
            "bytes_sent": 10,
            "rounds": 2,
            "pid": 17,
            "role": role,
        },
        "session": "s1",
        "plan": {"digest": "p1", "rounds": 2, "bytes": {"a": 10, "b": 10}, "correlations": {"matmul": 1}},
        "model": {"features": ["x"], "weights": [0.1], "intercept": -1.5} if owner else None,
        "metrics": {"train": {"auc": float("nan")}, "test": {"auc": 0.5}} if owner else None,
        "revealed": [{"what": "model", "to": ["a", "b"], "shape": [2], "why": "agreed"}] if owner else [],
        "testing": None,
        "local": {"rows": 100},
        **changes,
    }


def results() -> dict[str, dict[str, Any]]:
    return {"a": result("owner"), "b": result("owner"), "h": result("helper")}


def start(out: Path, name: str = "demo") -> Path:
    folder = take_folder(out, name)
    start_record(folder, name, "d1", "logistic_regression")
    return folder


def test_a_started_run_did_not_finish(tmp_path: Path) -> None:
    out = start(tmp_path / "deep" / "run")
    record = read(out)
    assert list(record) == SHAPE
    assert record["status"] == "failed"
    assert (record["error"]["code"], record["error"]["message"]) == ("internal", "did not finish")
    assert record["error"]["party"] is None
    assert record["error"]["hint"]
    assert record["scenario"] == {"name": "demo", "digest": "d1"}
    assert [path.name for path in out.iterdir()] == [RESULT]


@pytest.mark.parametrize("there", [RESULT, REPORT, "thesis.doc", ".hidden"])
def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("mine")
    why = "holds the record of another run" if there == RESULT else f"is not empty: it holds {there}"
    for refuses in (check_out, start):
        with pytest.raises(UsageError, match=re.escape(why)):
            refuses(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {there: "mine"}


def test_folders_that_are_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    for path in (tmp_path / "thesis.doc", tmp_path / "thesis.doc" / "run"):
        for refuses in (check_out, start):
            with pytest.raises(UsageError, match="a file"):
                refuses(path)


def test_an_empty_folder_and_none_will_do(tmp_path: Path) -> None:
    check_out(tmp_path)
    check_out(tmp_path / "new")
    check_out(None)
    assert list(tmp_path.iterdir()) == []
    start(tmp_path)


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    folder = take_folder(tmp_path / "run", "demo")
    assert take_folder(folder, "demo") == folder, "both found it empty"
    start_record(folder, "first", "d1")
    with pytest.raises(UsageError, match="was just taken by another run"):
        start_record(folder, "second", "d2")
    assert read(folder)["scenario"]["name"] == "first"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        start(tmp_path)
    with pytest.raises(UsageError, match="cannot be created"):
        take_folder(None, "demo", tmp_path)
    tmp_path.chmod(0o700)


def test_a_write_that_fails_leaves_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = start(tmp_path / "out")
    before = (out / RESULT).read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="cannot be written: no space"):
        write_record(out, {"schema": 1})
    assert (out / RESULT).read_bytes() == before
    assert [path.name for path in out.iterdir()] == [RESULT]
    with pytest.raises(UsageError, match="no space"):
        start(tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


def test_a_folder_is_new_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda form: "20250102-030405")
    names = [str(take_folder(None, "two-hospitals")) for _ in range(3)]
    stem = "runs/two-hospitals-20250102-030405"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]
    start_record(Path(names[1]), "two-hospitals", "d1")


def test_a_new_folder_stays_below_runs(tmp_path: Path) -> None:
    folder = take_folder(None, "../../a b/ö", tmp_path)
    assert folder.parent == tmp_path
    assert re.fullmatch(r"a-b-\d{8}-\d{6}|a-b--?\d{8}-\d{6}", folder.name)
    assert take_folder(None, "..", tmp_path).name.startswith("run-")


def test_a_new_folder_where_runs_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        take_folder(None, "demo", tmp_path / "runs")


def test_a_failed_record_says_why(tmp_path: Path) -> None:
    error = PeerLostError("b was killed (signal 9)", "see b.log", party="b")
    write_record(tmp_path, failed_record(error, **WHO))
    record = read(tmp_path)
    assert list(record) == SHAPE
    expected = {"code": "peer-lost", "party": "b", "message": "b was killed (signal 9)", "hint": "see b.log"}
    assert record["error"] == expected
    assert record["scenario"] == {"name": "demo", "digest": "d1"}


def test_merged_results_have_the_shape_of_the_design(tmp_path: Path) -> None:
    record = merge_results(results(), **WHO)
    write_record(tmp_path, {"comparison": {"alone": {}, "pooled": {}}, **record, "zeta": 1, "alpha": 2})
    written = read(tmp_path)
    assert list(written) == [*SHAPE[:-1], "comparison", "revealed", "alpha", "zeta"]
    assert (written["status"], written["error"], written["session"]) == ("ok", None, "s1")
    assert list(written["parties"]) == ["a", "b", "h"]
    party = written["parties"]["h"]
    assert list(party) == ["role", "pid", "rounds", "bytes_sent", "bytes_received", "messages", "seconds"]
    assert list(party["seconds"]) == ["connect", "setup", "online", "training", "total"]
    assert party["role"] == "helper"
    assert written["plan"]["rounds"] == 2
    assert written["model"] == {"features": ["x"], "weights": [0.1], "intercept": -1.5}
    assert written["metrics"] == {"train": {"auc": None}, "test": {"auc": 0.5}}
    assert written["revealed"][0]["what"] == "model"
    assert "local" not in json.dumps(written)


@pytest.mark.parametrize("key", ["model", "metrics", "revealed"])
def test_owners_who_disagree(key: str) -> None:
    reports = results()
    changed = copy.deepcopy(reports["b"][key])
    if key == "model":
        changed["weights"][0] = 0.1 + 2**-56
    else:
        changed = [] if key == "revealed" else {**changed, "test": {"auc": 0.25}}
    reports["b"][key] = changed
    with pytest.raises(InternalError, match="owners disagree about the result"):
        merge_results(reports, **WHO)


def test_parties_who_ran_different_things() -> None:
    plan = {**result("helper")["plan"], "digest": "p2"}
    with pytest.raises(InternalError, match="about the plan"):
        merge_results({**results(), "h": result("helper", plan=plan)}, **WHO)
    with pytest.raises(InternalError, match="about the session"):
        merge_results({**results(), "h": result("helper", session="s2")}, **WHO)


def test_a_run_under_a_test_seed_says_so() -> None:
    assert "testing" not in merge_results(results(), **WHO)
    reports = {**results(), "a": result("owner", testing={"seed": 1})}
    assert merge_results(reports, **WHO)["testing"] == {"a": {"seed": 1}}


def test_a_record_is_shown_on_a_terminal_without_harm(tmp_path: Path) -> None:
    name = "Größe \x1b[31m\x9b\u2028\u202e\n\udc80\U000e0001"
    write_record(tmp_path, failed_record(UsageError("x"), scenario_name=name))
    text = (tmp_path / RESULT).read_text(encoding="utf-8")
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert "Größe" in text and json.loads(text)["scenario"]["name"] == name


def test_infinities_are_null_and_numbers_exact(tmp_path: Path) -> None:
    values = [float("inf"), -float("inf"), 0.1, 1e300, 5e-324, (1, True, None, "é")]
    write_record(tmp_path, {"schema": 1, "values": values})
    assert read(tmp_path)["values"] == [None, None, 0.1, 1e300, 5e-324, [1, True, None, "é"]]
