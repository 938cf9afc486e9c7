"""`make bench`: set up the peers, time everybody by one rule, write docs/benchmarks.md.

python -m benchmarks                   everything
python -m benchmarks --quick           one run of each, of the smallest job
python -m benchmarks --only training   one part; what the last run found of the others is kept
python -m benchmarks --only report     write the report again from the last results
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks import aggregation, federated, federated_scale, machine
from benchmarks.environments import ENVIRONMENTS, python_of, set_up
from benchmarks.jobs import JOBS, OPERATIONS, Arrays, Job, Operation, arrays_of
from benchmarks.report import WAN, report
from benchmarks.results import FOLDER, KEPT, ROOT, Line, Results, minutes, read, say
from benchmarks.running import CONTENDERS, Contender, PeerFailure, Run, run
from mpc.errors import InterruptedRun

DOCUMENT = ROOT / "docs" / "benchmarks.md"
REPEATS = 5
"""How often an operation is done in a run."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: everybody's runs of a line, the jobs, and the operations."""

    runs: int
    jobs: Sequence[Job]
    operations: Sequence[Operation]
    scenarios: Sequence[Path]
    studies: Sequence[federated.Study]
    sizes: Sequence[int]


def main() -> None:
    """The command."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=raw)
    parser.add_argument("--quick", action="store_true", help="one run of each, of the smallest job")
    parser.add_argument("--only", choices=(*_MEASURED, "report"), help="one part")
    parser.add_argument("--out", type=Path, default=DOCUMENT, help="where the report goes")
    given = parser.parse_args()
    results = read() if given.only and KEPT.exists() else Results()
    if given.only != "report":
        scenarios = sorted((ROOT / "scenarios").glob("*.toml"))
        full = Effort(
            3, JOBS, OPERATIONS, scenarios, federated.STUDIES, (*federated_scale.SIZES, *federated_scale.PLANNED)
        )
        quick = Effort(1, JOBS[:1], OPERATIONS[-1:], scenarios[:1], federated.STUDIES[:1], federated_scale.SIZES[:1])
        _measure(results, quick if given.quick else full, given.only)
    given.out.write_text(report(results), encoding="utf-8")
    say(f"wrote {given.out}")


def _measure(results: Results, effort: Effort, only: str | None) -> None:
    before = machine.load()
    results.machine = machine.describe()
    for environment in ENVIRONMENTS:
        say(f"{environment.title}: setting up (the first time takes minutes)")
        results.peers[environment.title] = set_up(environment, FOLDER)
    for name, (tables, measure) in _MEASURED.items():
        if only in (None, name):
            results.lines = [line for line in results.lines if line.table not in tables]
            measure(results, effort)
    results.machine["load averages"] = f"{before} before, {machine.load()} after"
    results.machine["took"] = f"{minutes():.0f} minutes"
    results.write()


def _trainings(results: Results, effort: Effort) -> None:
    """Everybody's training of each job, and of the first over the WAN."""
    for job in effort.jobs:
        arrays = arrays_of(job)
        for table in (job.key, WAN) if job.wan else (job.key,):
            for contender in CONTENDERS if job.peers else CONTENDERS[:1]:
                if not contender.tables or table in contender.tables:
                    work = partial(_training, table, contender, arrays, effort.runs)
                    results.take(table, contender.name, work)


def _training(table: str, contender: Contender, arrays: Arrays, runs: int) -> Line:
    once = partial(run, contender, _python(contender), "train", arrays.inputs, repeats=1, wan=table == WAN)
    done = [once(scenario=arrays.scenario_for(table == WAN)) for _ in range(runs)]
    times = {"all_in": [one.all_in for one in done], "step": [one.steps / arrays.steps for one in done]}
    errors = max(arrays.difference(one.result) for one in done)
    return Line(table, contender.name, {**times, "error": errors, "sent": _sent(done)})


def _operations(results: Results, effort: Effort) -> None:
    """Everybody's time for each operation."""
    for operation in effort.operations:
        inputs = FOLDER / "data" / f"{operation.key}.npz"
        inputs.parent.mkdir(parents=True, exist_ok=True)
        x, y = operation.inputs().values()
        np.savez(inputs, x=x, y=y)
        for contender in CONTENDERS:
            if not contender.tables or operation.key in contender.tables:
                work = partial(_operation, operation, contender, inputs, effort.runs)
                results.take(operation.key, contender.name, work)


def _operation(operation: Operation, contender: Contender, inputs: Path, runs: int) -> Line:
    once = partial(run, contender, _python(contender), operation.key, inputs, repeats=REPEATS, wan=False)
    done = [once() for _ in range(runs)]
    expected = operation.expected()
    error = max(float(np.abs(one.result.reshape(expected.shape) - expected).max()) for one in done)
    times = [one.all_in / REPEATS for one in done]
    return Line(operation.key, contender.name, {"all_in": times, "error": error, "sent": _sent(done) / REPEATS})


def _sent(done: Sequence[Run]) -> float:
    return float(np.median([one.sent for one in done]))


def _python(contender: Contender) -> Path:
    return Path(sys.executable) if contender.program == "ours" else python_of(FOLDER, contender.program)


def _kinds(results: Results, effort: Effort) -> None:
    """The command `mpc run` on each scenario of the project's, in a copy of their folder.

    Scorings come after the trainings of their models, and run once: a model gives so many scores and no more.
    """
    shutil.rmtree(FOLDER / "kinds", ignore_errors=True)
    shutil.copytree(ROOT / "scenarios", FOLDER / "kinds" / "scenarios")
    scorings = [path for path in effort.scenarios if "predict" in path.stem]
    for path in (*(path for path in effort.scenarios if path not in scorings), *scorings):
        results.take("kinds", path.name, partial(_command, path.name, 1 if path in scorings else effort.runs))


def _command(name: str, runs: int) -> Line:
    # In runs/ beside scenarios/, a scoring finds the shares of an earlier training.
    here = FOLDER / "kinds"
    folder = here / "runs" / Path(name).stem
    seconds, online, rounds = [], [], 0
    for _ in range(runs):
        shutil.rmtree(folder, ignore_errors=True)
        began = time.monotonic()
        words = [sys.executable, "-m", "parties.cli", "run", f"scenarios/{name}", "--out", str(folder), "--no-compare"]
        paths = {**os.environ, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(words, cwd=here, env=paths, capture_output=True, text=True, timeout=300.0)
        seconds.append(time.monotonic() - began)
        if ran.returncode:
            raise PeerFailure(([f"exit code {ran.returncode}", *ran.stderr.splitlines()])[-1])
        record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        rounds = record["plan"]["rounds"]
        online.append(max(one.get("seconds", {}).get("online", 0.0) for one in record["parties"].values()))
    return Line("kinds", name, {"command": seconds, "online": online, "rounds": rounds})


def _sums(results: Results, effort: Effort) -> None:
    """Secure aggregation, beside Flower's."""
    for note, who, work in aggregation.cases(python_of(FOLDER, "flower"), effort.runs):
        name = f"{who}; {note}"
        results.take("sums", name, lambda work=work, name=name: replace(work(), who=name))  # type: ignore[misc]


def _federated(results: Results, effort: Effort) -> None:
    """Federated averaging, beside Flower's."""
    for study, who, work in federated.cases(python_of(FOLDER, "flower"), effort.runs, effort.studies):
        results.take(study.table, who, lambda work=work, who=who: replace(work(), who=who))  # type: ignore[misc]
    for clients in effort.sizes:
        work = federated_scale.only_planned if clients > federated_scale.SIZES[-1] else federated_scale.measured
        results.take(federated_scale.TABLE, f"{clients:,} clients", partial(work, clients))


_MEASURED: Final[Mapping[str, tuple[tuple[str, ...], Callable[[Results, Effort], None]]]] = {
    "training": ((WAN, *(job.key for job in JOBS)), _trainings),
    "operations": (tuple(operation.key for operation in OPERATIONS), _operations),
    "kinds": (("kinds",), _kinds),
    "sums": (("sums",), _sums),
    "federated": ((*(study.table for study in federated.STUDIES), federated_scale.TABLE), _federated),
}
"""The parts in their order: which tables each fills, and how."""


def command() -> int:
    """The command's exit code; Ctrl-C ends it with a sentence, and leaves what was measured."""
    try:
        main()
    except (KeyboardInterrupt, InterruptedRun):
        say(f"interrupted; {KEPT.relative_to(ROOT)} has what was measured")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(command())
