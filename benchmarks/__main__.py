"""`make bench`: set up the peers, time everybody, write docs/benchmarks.md.

python -m benchmarks                 everything
python -m benchmarks --quick         fewer repeats, jobs and variants
python -m benchmarks --only report   write the report again from the last results
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import aggregation, contenders, machine, ours
from benchmarks.environments import ENVIRONMENTS, python_of, set_up
from benchmarks.jobs import JOBS, ROOT, Arrays, Job, arrays_of, write_scenario
from benchmarks.micro_programs import MICROS
from benchmarks.report import OURS, report
from benchmarks.results import Micro, Results, Training, read

FOLDER = ROOT / "build" / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PARTS = ("training", "micro", "sums", "report")


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        ours: our runs of a training.
        sessions: our sessions of a microbenchmark.
        peers: how often peers run.
        jobs: which jobs.
        quick: whether variants that add little are left out.
    """

    ours: int
    sessions: int
    peers: contenders.Runs
    jobs: tuple[str, ...]
    quick: bool


FULL = Effort(9, 3, contenders.Runs(3, 40, 10, 5), ("A", "C", "B", "D"), quick=False)
QUICK = Effort(5, 1, contenders.Runs(1, 5, 3, 3), ("A", "C"), quick=True)

_started = time.monotonic()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, jobs and variants")
    parser.add_argument("--only", choices=PARTS, help="one part; what the last run found of the others is kept")
    parser.add_argument("--out", type=Path, default=DOCUMENT, help="where the report goes")
    given = parser.parse_args()
    kept = FOLDER / "results.json"
    results = read(kept) if given.only and kept.exists() else Results()
    if given.only != "report":
        effort = QUICK if given.quick else FULL
        before = machine.load()
        results.machine = machine.describe()
        results.command = "make bench QUICK=1" if given.quick else "make bench"
        _peers(results)
        if given.only in (None, "training"):
            _trainings(results, effort)
        if given.only in (None, "micro"):
            _micros(results, effort)
        if given.only in (None, "sums"):
            _sums(results, effort)
        results.machine["load averages"] = f"{before} before, {machine.load()} after"
        results.machine["took"] = f"{(time.monotonic() - _started) / 60:.0f} minutes"
        results.write(kept)
    given.out.write_text(report(results), encoding="utf-8")
    _say(f"wrote {given.out}")


def _peers(results: Results) -> None:
    results.peers = []
    for environment in ENVIRONMENTS:
        _say(f"{environment.title}: setting up (the first time takes minutes)")
        peer = set_up(environment, FOLDER)
        _say(f"{environment.title}: {peer.failure or peer.versions}")
        results.peers.append(peer)


def _trainings(results: Results, effort: Effort) -> None:
    results.trainings, results.floors, results.commands = [], [], {}
    data = FOLDER / "data"
    for job in (job for job in JOBS if job.key in effort.jobs):
        _say(job.title)
        arrays = arrays_of(write_scenario(job, data))
        _our_trainings(results, job, arrays, data, effort)
        if job.peers:
            _peer_trainings(results, job, arrays, effort)
        results.write(FOLDER / "results.json")  # so that what was measured is not lost if a later job is broken off


def _our_trainings(results: Results, job: Job, arrays: Arrays, data: Path, effort: Effort) -> None:
    for variant, extra in job.variants.items():
        path = write_scenario(job, data, extra, f"-{variant.replace(' ', '-')}")
        who = f"{OURS}, {variant}"
        runs = effort.ours if job.key in ("A", "C") else 3 if job.key == "B" else 1
        for encrypted, wan in ((True, False), (False, False), (True, True)):
            if wan and not job.wan:
                continue
            one = ours.train(
                who,
                job.key,
                path,
                arrays,
                FOLDER / "run",
                runs=min(3, runs) if wan else runs,
                encrypted=encrypted,
                wan=wan,
            )
            _told(results.trainings, one)
            if one.failure and "not available" in one.failure:
                break
            if job.key == "A" and variant == "sgd" and not wan and not one.failure:
                _say("the floor of a step")
                results.floors.append(ours.floor(path, arrays, one, FOLDER / "run", encrypted=encrypted))
        if job.key == "A" and variant == "sgd":
            name = "`mpc run` on job A, process start, handshake, comparison and report included"
            results.commands[name] = ours.command_seconds(path, FOLDER / "run", 3)


def _peer_trainings(results: Results, job: Job, arrays: Arrays, effort: Effort) -> None:
    for contender, python in _ready(results, job.key, effort, results.trainings, Training):
        folder = FOLDER / "peer"
        local = contenders.train(contender, job, arrays, python, folder, effort.peers, wan=False)
        if job.wan and not local.failure:
            wan = contenders.train(contender, job, arrays, python, folder, effort.peers, wan=True)
            local = contenders.with_rounds(local, wan)
            _told(results.trainings, local)
            _told(results.trainings, replace(wan, rounds=local.rounds))
        else:
            _told(results.trainings, local)


def _micros(results: Results, effort: Effort) -> None:
    results.micros = []
    for operation in MICROS:
        _say(operation.title)
        for encrypted in (True, False):
            results.micros.append(ours.micro(operation, FOLDER / "run", encrypted=encrypted, runs=effort.sessions))
            _say_micro(results.micros[-1])
        if operation.ours_only:
            continue
        for contender, python in _ready(results, operation.key, effort, results.micros, Micro):
            results.micros.append(contenders.micro(contender, operation, python, FOLDER / "peer", effort.peers))
            _say_micro(results.micros[-1])


def _sums(results: Results, effort: Effort) -> None:
    _say("secure aggregation")
    failure = {e.key: peer.failure for e, peer in zip(ENVIRONMENTS, results.peers, strict=True)}["flower"]
    python = None if failure else python_of(FOLDER, "flower")
    results.sums = aggregation.compare(python, f"could not be set up: {failure}", 1 if effort.quick else 3)
    for one in results.sums:
        _say(f"  {one.who}{', signed' if one.signed else ''}, {one.note}: {one.failure or f'{one.seconds:.2f} s'}")


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


def _told(records: list[Training], one: Training) -> None:
    records.append(one)
    text = one.failure or f"{(one.step_seconds or 0) * 1e3:.3f} ms a step, max |dw| {one.difference:.1e}"
    secured = "" if one.encrypted is None else ", encrypted" if one.encrypted else ", not encrypted"
    _say(f"  {one.who}{secured}, {one.network}: {text}")


def _say_micro(one: Micro) -> None:
    secured = "" if one.encrypted is None else ", encrypted" if one.encrypted else ", not encrypted"
    _say(f"  {one.who}{secured}: {one.failure or f'{(one.seconds or 0) * 1e3:.2f} ms'}")


def _say(text: str) -> None:
    print(f"{time.monotonic() - _started:6.0f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
