"""Ctrl-C and bugs, wherever they come, end in one sentence, the right exit code and a record that says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from parties.cli import command as cli
from parties.cli import run_locally
from tests.run.scenarios import write_scenario


def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: Callable[..., Any]) -> tuple[int, dict[str, Any]]:
    """`mpc run` whose parties' work is replaced by one step: the exit code, and the record's error."""
    monkeypatch.setattr(run_locally, "launch", step)
    out = tmp_path / "record"
    monkeypatch.setattr("sys.argv", ["mpc", "run", str(write_scenario(tmp_path)), "--out", str(out)])
    code = cli.carry_out()
    record = json.loads((out / "result.json").read_text())
    assert record["status"] == "failed"
    return code, record["error"]


def test_ctrl_c_while_no_party_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def step(*_: Any, **__: Any) -> NoReturn:
        raise KeyboardInterrupt

    code, error = ends(tmp_path, monkeypatch, step)
    assert (code, error["code"], error["message"]) == (130, "interrupted", "interrupted")
    assert capsys.readouterr().err.startswith("mpc: interrupted\n")


def test_a_bug_names_its_place_and_no_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def step(*_: Any, **__: Any) -> NoReturn:
        raise ValueError("Mrs Secret, born 1931")

    code, error = ends(tmp_path, monkeypatch, step)
    said = capsys.readouterr().err
    assert (code, error["code"]) == (70, "internal")
    assert "ValueError at test_bugs.py:" in said
    assert "Traceback" not in said
    assert "Secret" not in said + json.dumps(error)
