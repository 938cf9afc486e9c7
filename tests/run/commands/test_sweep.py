"""`mpc sweep` whole: real runs, of which some fail; interrupted and killed, it goes on with what is done."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.examples import sample
from tests.run.command import Running, mpc
from tests.run.scenarios import write_scenario
from tests.run.sums import HOSTED, OWN, write_sums

TIMES = ("seconds", "seconds online")
SECURE_IN_NOTHING = ("--set", "testing.insecure_seed=5")


def table(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "sweep.json").read_text())
    return found


def without_times(found: dict[str, Any]) -> list[Any]:
    """Each row's settings and figures, but for those that tell of the machine."""
    return [
        (row["settings"], {name: one for name, one in row["figures"].items() if name not in TIMES})
        for row in found["table"]
    ]


def sessions(out: Path) -> dict[str, str]:
    """By run: what no other run has."""
    texts = {path.parent.name: path.read_text() for path in out.glob("cells/*/result.json")}
    found = {name: json.loads(text) for name, text in texts.items() if text}  # the first of a run may be under way
    return {name: record["session"] for name, record in found.items() if record["status"] == "ok"}


def test_a_run_that_fails_ends_nothing_and_is_tried_again(tmp_path: Path) -> None:
    out, path = tmp_path / "out", write_scenario(tmp_path)
    words = ("sweep", path, "--set", "task.target=outcome,years", "--repeats", "2", "--out", out, "--jobs", "2")
    ran = mpc(*words, "--no-compare")
    assert (ran.code, "2 runs of 4 failed" in ran.err) == (9, True), ran.err
    assert "small: 2 of 4 runs done, 2 FAILED." in ran.out
    found = table(out)
    assert found["status"] == "failed"
    by_target = {(run["settings"]["task.target"], run["seed"]): run for run in found["runs"]}
    assert {run["error"]["code"] for run in found["runs"] if run["error"]} == {"data"}
    assert by_target["outcome", 3]["figures"]["rounds"] > 0 and by_target["years", 4]["figures"] is None
    assert "years" in by_target["years", 3]["error"]["message"]
    assert "2 FAILED" in (out / "sweep.html").read_text()
    before = sessions(out)
    again = mpc(*words, "--no-compare")
    assert again.code == 9
    assert sessions(out) == before and len(before) == 2  # the failed ones alone were run


def test_the_same_seeds_give_the_same_table_wherever_a_run_is(tmp_path: Path) -> None:
    """One after the other, or side by side; and a cell's file alone is what it says."""
    path = write_scenario(tmp_path)
    tables = []
    for jobs in ("1", "2"):
        out = tmp_path / jobs
        words = ("--set", "task.l2=0,1", *SECURE_IN_NOTHING, "--out", out, "--jobs", jobs, "--no-compare")
        ran = mpc("sweep", path, *words)
        assert ran.code == 0, ran.err
        assert "PROTECTED NOTHING" in ran.out
        tables.append(without_times(table(out)))
    assert tables[0] == tables[1]
    assert len(tables[0]) == 2 and tables[0][0][1] != tables[0][1][1]
    alone = mpc("run", tmp_path / "1" / "cells" / "001-1.toml", "--out", tmp_path / "alone", "--no-compare")
    assert alone.code == 0, alone.err
    metrics = json.loads((tmp_path / "alone" / "result.json").read_text())["metrics"]
    assert metrics["test"]["log_loss"] == table(tmp_path / "1")["table"][0]["figures"]["log-loss (test)"]["median"]


@pytest.mark.parametrize("number", sample([signal.SIGINT, signal.SIGKILL], signal.SIGKILL))
def test_a_sweep_that_was_ended_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    out, path = tmp_path / "out", write_scenario(tmp_path)
    words = ("sweep", path, "--set", "network.latency_ms=0,40", "--no-compare", "--out", out, "--jobs", "1")
    sweep = Running(*words, cwd=tmp_path)
    sweep.wait_for(lambda: bool(sessions(out)) and len(sweep.parties()) > 4, "a second run under way")
    sweep.signal(number)
    ended = sweep.end()
    assert sweep.all_gone(within=5.0)
    before = sessions(out)
    assert len(before) == 1
    if number == signal.SIGINT:
        assert ended.code == 130 and f"--out {out}" in ended.err
        assert table(out)["status"] == "unfinished"
    ran = mpc(*words)
    assert ran.code == 0, ran.err
    after = sessions(out)
    assert len(after) == 2 and after.items() > before.items()


def test_an_unknown_setting_is_refused_before_anything_is_run(tmp_path: Path) -> None:
    ran = mpc("sweep", write_scenario(tmp_path), "--set", "task.epochs=1,2", "--set", "network.latency=1", cwd=tmp_path)
    assert ran.code == 2
    assert "did you mean 'latency_ms'?" in ran.err
    assert not (tmp_path / "runs").exists()


PRODUCT = """
from beaverlodge.protocol import Party, matmul

async def product(p: Party, x):
    y = await matmul(p, x[0], x[1])
    (opened,) = await p.reveal(y, what="product", why="the result", label="product")
    return opened
"""


def test_a_protocol_of_ones_own_is_swept_by_owners_and_size(tmp_path: Path) -> None:
    """And the file beside the cells runs each of them alone."""
    (tmp_path / "own.py").write_text(PRODUCT)
    out = tmp_path / "out"
    sizes = 'task.inputs=["integers:2"],["integers:5"]'
    ran = mpc("sweep", "own.py:product", "--set", "owners=2,3", "--set", sizes, "--out", out, cwd=tmp_path)
    assert ran.code == 0, ran.err
    rows = {
        (row["settings"]["owners"], row["settings"]["task.inputs"][0]): row["figures"]["bytes sent"]["median"]
        for row in table(out)["table"]
    }
    assert rows[2, "integers:2"] < rows[2, "integers:5"] < rows[3, "integers:5"]
    cells = out / "cells"
    alone = mpc("run", cells / "001-1.toml", "--program", f"{cells}/own.py:product", "--out", tmp_path / "alone")
    assert alone.code == 0, alone.err
    records = [json.loads((one / "result.json").read_text()) for one in (tmp_path / "alone", cells / "001-1")]
    assert records[0]["program"]["results"] == records[1]["program"]["results"]


def test_sums_over_clients_are_swept_too(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ran = mpc("sweep", write_sums(tmp_path), "--set", "clients.processes=1,2", "--out", out)
    assert ran.code == 0, ran.err
    assert {row["figures"]["clients"]["median"] for row in table(out)["table"]} == {OWN + HOSTED}
