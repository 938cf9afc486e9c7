"""The benchmarks run what is here and are right; nobody wrong or missing is passed over in silence."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import aggregation, federated
from benchmarks import results as kept
from benchmarks.by_turns import Times, by_turns
from benchmarks.environments import ENVIRONMENTS
from benchmarks.jobs import Job, Operation, arrays_of
from benchmarks.report import OURS, fastest, report
from benchmarks.results import Line, Results, read
from benchmarks.running import CONTENDERS, PROGRAMS, PeerFailure, free_ports, run
from benchmarks.watching import watch
from mpc.errors import InterruptedRun
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.settings import settings_of

PYTHON = Path(sys.executable)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("results", "running", "jobs", "federated"):
        monkeypatch.setattr(f"benchmarks.{module}.FOLDER", tmp_path)
    monkeypatch.setattr(kept, "KEPT", tmp_path / "results.json")
    return tmp_path


# --- the report -------------------------------------------------------------------------------------------------------


def training(who: str, step: float, error: float = 1e-5, table: str = "A") -> Line:
    times = {"all_in": [50 * step, 60 * step, 55 * step], "step": [step, 2 * step, 3 * step]}
    return Line(table, who, {**times, "error": error, "sent": 5e6})


def test_nobody_wrong_is_the_fastest() -> None:
    results = Results(lines=[training("SPU", 0.04), training("CrypTen", 0.03, error=4e9), training(OURS, 0.001)])
    best = fastest(results, "A", "all_in")
    assert best is not None
    assert best.who == "SPU"
    assert "| CrypTen | 3 | 1.65 (1.50-1.80) | 60.0 (30.0-90.0) | 5.00 | 4.0e+09, wrong |" in report(results)


def test_nobody_is_missing_in_silence() -> None:
    why = "ValueError: /some/where/build/x.so is not at https://files.example/simple"
    text = report(
        Results({"when": "now"}, {"MPyC": "could not be set up: no Python"}, [Line("A", "MPyC", failure=why)])
    )
    assert "- MPyC: no figures: ValueError: x.so is not at (address)\n" in text
    assert "- MPyC: could not be set up: no Python\n" in text
    assert text.count("Not measured in this run.") >= 8


def test_a_line_that_fails_loses_no_other_line() -> None:
    def fails() -> Line:
        raise PeerFailure("no such job")

    def interrupted() -> Line:
        raise InterruptedRun("interrupted")

    results = Results()
    results.take("A", "SPU", fails)
    results.take("A", OURS, lambda: training(OURS, 0.001))
    with pytest.raises(InterruptedRun):
        results.take("A", "CrypTen", interrupted)
    assert [line.failure for line in read().lines] == ["no such job", ""]
    assert read() == results


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.soak
def test_our_training_is_that_of_everybodys_arrays(folder: Path) -> None:
    """The rows, the batches and the result that peers are held against are those of our own scenario, by its code."""
    job = Job("T", "small", 2, 64, 0.5, (200, 3, 1.0))
    arrays = arrays_of(job)
    with np.load(arrays.inputs) as given:
        x, y, rate = given["x"], given["y"], float(given["rate"])
        steps = np.split(given["order"], np.cumsum(given["sizes"])[:-1])
        assert given["counts"].tolist() == [100, 100]
    w = np.zeros(4)
    for rows in steps:
        w -= rate * x[rows].T @ (1 / (1 + np.exp(-x[rows] @ w)) - y[rows]) / len(rows)
    assert arrays.difference(w) < 1e-12
    for wan in (False, True):
        done = run(CONTENDERS[0], PYTHON, "train", arrays.inputs, repeats=1, wan=wan, scenario=arrays.scenario_for(wan))
        assert arrays.difference(done.result) < 1e-3
        assert done.all_in >= done.steps > (len(steps) * 0.01 if wan else 0)
        assert done.sent > x.nbytes


@pytest.mark.soak
@pytest.mark.parametrize("key", ["multiply", "matmul128", "less_than", "sigmoid"])
def test_our_operations_are_right(folder: Path, key: str) -> None:
    operation = Operation(key, key, (4, 4) if key == "matmul128" else (50,))
    np.savez(folder / "inputs.npz", **operation.inputs())  # type: ignore[arg-type]
    contender = CONTENDERS[1 if key == "sigmoid" else 0]
    done = run(contender, PYTHON, key, folder / "inputs.npz", repeats=2, wan=False)
    assert np.abs(done.result - operation.expected()).max() < 1e-4


def test_every_program_is_here_and_ports_differ() -> None:
    assert all((PROGRAMS / f"{one.program}_party.py").is_file() for one in CONTENDERS)
    for path in PROGRAMS.glob("*.py"):
        compile(path.read_text(encoding="utf-8"), path.name, "exec")
    assert {one.program for one in CONTENDERS} == {"ours", *(one.key for one in ENVIRONMENTS)} - {"flower"}
    assert len(set(free_ports(5))) == 5


@pytest.mark.parametrize("malicious", [False, True])
def test_our_secure_sum_is_right(monkeypatch: pytest.MonkeyPatch, malicious: bool) -> None:
    for name, value in (("CLIENTS", 12), ("VALUES", 100), ("DROPPED", 1)):
        monkeypatch.setattr(aggregation, name, value)
    settings = settings_of(choose_bounds(12, malicious=malicious), 100, aggregation._coding().bits, 6)
    values = aggregation.ours(settings, 2).values
    assert max(values["error"]) < 4e-6  # half of Flower's quantisation step, and float32's rounding
    assert min(values["up"]) > settings.vector_bytes


def test_checkouts_run_in_turns_and_the_first_runs_do_not_count() -> None:
    ran: list[str] = []

    def run(name: str) -> Times:
        ran.append(name)
        return {"online": float(len(ran))}

    found = by_turns(lambda: run("one"), lambda: run("other"), 2)
    assert ran == ["one", "other", "one", "other", "other", "one"]
    assert found == [({"online": 3.0}, {"online": 4.0}), ({"online": 6.0}, {"online": 5.0})]


def test_bare_rounds_are_timed() -> None:
    ran = subprocess.run([PYTHON, "-m", "benchmarks.bare_rounds"], capture_output=True, text=True, timeout=60)
    assert re.fullmatch(r"\d+ us a step, \d+ to \d+ in 21 series\n", ran.stdout), ran.stderr


def test_all_processes_of_a_command_are_watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory and time of a child's child count; a command that fails says why."""
    monkeypatch.setattr("benchmarks.watching._MEMORY_EVERY", 1)
    work = "x = bytearray(64_000_000); import time\nwhile time.process_time() < 0.5: pass\ntime.sleep(1)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}]); print('done')"
    done = watch([sys.executable, "-c", start], folder, {}, 30.0)
    assert done.out == "done\n"
    assert done.memory > 64e6
    assert 0.45 < done.processor <= done.seconds
    with pytest.raises(PeerFailure, match="no such thing"):
        watch([sys.executable, "-c", "raise SystemExit('no such thing')"], folder, {}, 30.0)
    with pytest.raises(PeerFailure, match="not done"):
        watch([sys.executable, "-c", "import time; time.sleep(60)"], folder, {}, 0.5)


def test_our_federated_study_is_that_of_everybodys_rows(folder: Path) -> None:
    """Flower's rows are those that our clients train on, and ours end where plain float64 does on them."""
    ready = federated.prepare(federated.Study(5, rounds=2))
    files = [np.load(ready.folder / "flower" / f"{name}.npz") for name in (*range(5), "held_out")]
    assert sum(one["y"].size for one in files) == 569 and max(one["y"].size for one in files[:5]) == ready.most_rows
    assert np.unique(np.concatenate([one["x"] for one in files]), axis=0).shape == (569, 30)
    w, sizes = np.zeros(31), [one["y"].size for one in files[:5]]
    for _ in range(2):
        after = []
        for one in files[:5]:
            x, y, mine = np.c_[one["x"], np.ones(one["y"].size)], one["y"], w.copy()
            for _ in range(5):
                mine -= 0.05 * x.T @ (1 / (1 + np.exp(-x @ mine)) - y) / y.size
            after.append(mine)
        w = np.average(after, axis=0, weights=sizes)
    assert np.abs(ready.weights - w).max() < 1e-12
    line = federated.ours(ready, 1, "secure", 0)
    values, accuracy = line.values, json.loads(line.notes)
    assert values["error"] < 1e-4 and values["accuracy 1"] == pytest.approx(accuracy[1], abs=1e-4)
    assert accuracy[0] == pytest.approx(np.mean(files[5]["y"] == 1), abs=1e-4) and accuracy[0] < accuracy[2]
    assert {len(one) for one in values.values() if isinstance(one, list)} == {1}  # what the report counts as runs
    assert values["up"] > 31 * 2 and values["processor"][0] > 0.1


def test_flowers_secure_study_is_set_beside_ours_over_links() -> None:
    def line(who: str, values: tuple[float, ...]) -> Line:
        keys = ("round", "processor", "up", "down")
        return Line("federated 20", who, {**dict(zip(keys, values, strict=True)), "error": 1e-6})

    others = line("Flower, plain", (1, 1, 1, 1)), line("beaverlodge, the same in one process", (1, 1, 1, 1))
    flower = line(f"{federated.SECURE[0]} 19 neighbours", (3, 80, 14e3, 22e3))
    ours = Line("federated 20", f"{federated.SECURE[1]} 19 neighbours", {**flower.values, "round": [0.5, 0.1, 9.0]})
    said = "20 clients: 6.00 times less time a round and 1.00 times less processor time than Flower's SecAgg+"
    assert said in report(Results(lines=[*others, flower, ours]))
