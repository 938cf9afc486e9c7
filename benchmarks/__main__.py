"""`make bench`: set up the peers, time everybody, write docs/benchmarks.md.

python -m benchmarks                 everything
python -m benchmarks --quick         fewer repeats, jobs and variants
python -m benchmarks --only report   write the report again from the last results
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks import aggregation, analyses, contenders, machine, ours
from benchmarks.effort import FULL, QUICK, Effort, late
from benchmarks.environments import ENVIRONMENTS, Environment, python_of, set_up
from benchmarks.in_short import OURS
from benchmarks.jobs import JOBS, ROOT, Arrays, Job
from benchmarks.micro_programs import COMPARISONS, MICROS
from benchmarks.micro_programs import Micro as Operation
from benchmarks.own_trainings import again, ours_of
from benchmarks.report import report
from benchmarks.results import BesidePlan, Micro, Peer, Results, SumRound, Training, read
from benchmarks.telling import FOLDER, KEPT, attempt, keep, minutes, say, told, told_beside, told_micro
from mpc.errors import InterruptedRun

DOCUMENT = ROOT / "docs" / "benchmarks.md"
PARTS = ("training", "micro", "beside", "sums", "report")


def main() -> None:
    """The command."""
    shown_as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, formatter_class=shown_as_written)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, jobs and variants")
    parser.add_argument("--only", choices=PARTS, help="one part; what the last run found of the others is kept")
    parser.add_argument("--out", type=Path, default=DOCUMENT, help="where the report goes")
    given = parser.parse_args()
    results = read(KEPT) if given.only and KEPT.exists() else Results()
    results.document = str(given.out)
    if given.only != "report":
        _measure(results, QUICK if given.quick else FULL, given.only)
    given.out.write_text(report(results), encoding="utf-8")
    say(f"wrote {given.out}")


def _measure(results: Results, effort: Effort, only: str | None) -> None:
    """All parts, or one: what matters most comes first, in case the run is cut short."""
    before = machine.load()
    results.machine = machine.describe()
    results.command = "make bench QUICK=1" if effort.quick else "make bench"
    _peers(results)
    first, *others = (job for job in JOBS if job.key in effort.jobs)
    if only in (None, "training"):
        results.trainings, results.floors, results.commands = [], [], {}
        _trainings(results, effort, [first])
        again(results, effort, first)
    if only in (None, "micro"):
        _micros(results, effort)
    if only in (None, "beside"):
        _beside_plans(results, effort)
    if only in (None, "sums"):
        _sums(results, effort)
    if only in (None, "training"):
        _trainings(results, effort, others)
        again(results, effort, first)
    results.machine["load averages"] = f"{before} before, {machine.load()} after"
    results.machine["took"] = f"{minutes():.0f} minutes"
    results.write(KEPT)


def _peers(results: Results) -> None:
    results.peers = []
    for environment in ENVIRONMENTS:
        say(f"{environment.title}: setting up (the first time takes minutes)")
        peer = _peer(environment)
        say(f"{environment.title}: {peer.failure or peer.versions}")
        results.peers.append(peer)


def _peer(environment: Environment) -> Peer:
    return attempt(lambda: set_up(environment, FOLDER), lambda why: Peer(environment.title, failure=why))


def _trainings(results: Results, effort: Effort, jobs: Sequence[Job]) -> None:
    """Ours of all jobs, and then the peers'."""
    given: list[tuple[Job, Arrays]] = []
    for job in jobs:
        say(job.title)
        arrays = attempt(partial(ours_of, results, job, effort), partial(_no_arrays, results, job))
        if arrays is not None:
            given.append((job, arrays))
    for job, arrays in given:
        if job.peers:
            say(f"{job.title}: the peers")
            _peer_trainings(results, job, arrays, effort)


def _no_arrays(results: Results, job: Job, why: str) -> None:
    told(results, Training(OURS, job.key, failure=why))


def _peer_trainings(results: Results, job: Job, arrays: Arrays, effort: Effort) -> None:
    for contender, python in _ready(results, job.key, effort, results.trainings, Training):
        if job.key not in contender.jobs:
            continue
        if why := late(effort):
            told(results, Training(contender.kind.name, job.key, failure=why))
            continue
        local = _their_training(contender, python, job, arrays, effort, wan=False)
        if job.wan and contender.wan and not local.failure:
            wan = _their_training(contender, python, job, arrays, effort, wan=True)
            local = contenders.with_rounds(local, wan)
            told(results, local)
            told(results, replace(wan, rounds=local.rounds))
        else:
            told(results, local)
            if job.wan and contender.wan:
                told(results, Training(local.who, job.key, "WAN", failure="not run: it failed on localhost"))


def _their_training(
    contender: contenders.Contender, python: Path, job: Job, arrays: Arrays, effort: Effort, *, wan: bool
) -> Training:
    return attempt(
        lambda: contenders.train(contender, job, arrays, python, FOLDER / "peer", effort.peers, wan=wan),
        lambda why: Training(contender.kind.name, job.key, "WAN" if wan else "localhost", failure=why),
    )


def _micros(results: Results, effort: Effort) -> None:
    results.micros = []
    for operation in MICROS:
        say(operation.title)
        for encrypted in (True, False):
            told_micro(results, _our_micro(operation, effort, encrypted=encrypted))
        if operation.ours_only:
            continue
        for contender, python in _ready(results, operation.key, effort, results.micros, Micro):
            if contender.operations is not None and operation.peer_task not in contender.operations:
                continue
            if why := late(effort):
                told_micro(results, Micro(contender.kind.name, operation.key, failure=why))
                continue
            told_micro(results, _their_micro(contender, python, operation, effort))


def _our_micro(operation: Operation, effort: Effort, *, encrypted: bool) -> Micro:
    return attempt(
        lambda: ours.micro(operation, FOLDER / "run", encrypted=encrypted, runs=effort.sessions),
        lambda why: Micro(OURS, operation.key, encrypted, failure=why),
    )


def _their_micro(contender: contenders.Contender, python: Path, operation: Operation, effort: Effort) -> Micro:
    return attempt(
        lambda: contenders.micro(contender, operation, python, FOLDER / "peer", effort.peers),
        lambda why: Micro(contender.kind.name, operation.key, failure=why),
    )


def _beside_plans(results: Results, effort: Effort) -> None:
    """Comparisons, and our other kinds of jobs: measured beside their plans, on localhost and over the WAN."""
    results.comparisons, results.analyses = [], []
    networks = ((effort.sessions, False), *(() if effort.quick else ((1, True),)))
    for operation, (runs, wan) in product(COMPARISONS, networks):
        measure = partial(ours.beside_plan, operation, FOLDER / "run", runs=runs, wan=wan)
        one = attempt(measure, partial(_not_measured, operation.key, wan))
        told_beside(results, results.comparisons, one)
    for analysis, (runs, wan) in product(analyses.ANALYSES, networks):
        measure = partial(analyses.measure, analysis, FOLDER / "analyses", runs=runs, wan=wan)
        one = attempt(measure, partial(_not_measured, analysis.key, wan))
        told_beside(results, results.analyses, one)


def _not_measured(key: str, wan: bool, why: str) -> BesidePlan:
    return BesidePlan(key, "WAN" if wan else "localhost", failure=why)


def _sums(results: Results, effort: Effort) -> None:
    say("secure aggregation")
    failure = {e.key: peer.failure for e, peer in zip(ENVIRONMENTS, results.peers, strict=True)}["flower"]
    python = None if failure else python_of(FOLDER, "flower")
    results.sums = attempt(
        lambda: aggregation.compare(python, f"could not be set up: {failure}", 1 if effort.quick else 3),
        lambda why: [SumRound(OURS, "all rounds", failure=why)],
    )
    keep(results)
    for one in results.sums:
        say(f"  {one.who}{', signed' if one.signed else ''}, {one.note}: {one.failure or f'{one.seconds:.2f} s'}")


def _ready(
    results: Results, key: str, effort: Effort, records: list[Training] | list[Micro], make: Callable[..., object]
) -> list[tuple[contenders.Contender, Path]]:
    """The contenders that were set up; for the others, a record says why they are missing."""
    failures = {e.key: peer.failure for e, peer in zip(ENVIRONMENTS, results.peers, strict=True)}
    ready = []
    for contender in contenders.CONTENDERS:
        if effort.quick and not contender.quick:
            continue
        kind = contender.kind
        if failures[kind.environment]:
            records.append(make(kind.name, key, failure=f"could not be set up: {failures[kind.environment]}"))  # type: ignore[arg-type]
        else:
            ready.append((contender, python_of(FOLDER, kind.environment)))
    return ready


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
