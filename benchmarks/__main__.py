"""`make bench`: set up the peers, time everybody, write docs/benchmarks.md.

python -m benchmarks                 everything
python -m benchmarks --quick         fewer repeats, jobs and variants
python -m benchmarks --only report   write the report again from the last results
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import TypeVar

from benchmarks import aggregation, analyses, contenders, machine, ours
from benchmarks.environments import ENVIRONMENTS, Environment, python_of, set_up
from benchmarks.in_short import OURS
from benchmarks.jobs import AS_FAR, AUTO, JOBS, ROOT, SGD, Arrays, Job, arrays_of, epochs_to, write_scenario
from benchmarks.micro_programs import COMPARISONS, MICROS
from benchmarks.micro_programs import Micro as Operation
from benchmarks.peer_runs import LATENCY
from benchmarks.report import report
from benchmarks.results import BesidePlan, Micro, Peer, Results, SumRound, Training, read
from mpc.errors import InterruptedRun

FOLDER = ROOT / "build" / "bench"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
PARTS = ("training", "micro", "beside", "sums", "report")


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        ours: our runs of a training.
        sessions: our sessions of a microbenchmark, and our runs of what is measured beside its plan.
        peers: how often peers run.
        jobs: which jobs; those after the first come last of all.
        minutes: from then on peers' lines are left out, and say so, so that our own all come to their turn.
        quick: whether variants that add little are left out.
    """

    ours: int
    sessions: int
    peers: contenders.Runs
    jobs: tuple[str, ...]
    minutes: float
    quick: bool


FULL = Effort(7, 2, contenders.Runs(2, 20, 10, 5), ("A", "C", "B", "D", "E"), 21.0, quick=False)
QUICK = Effort(5, 1, contenders.Runs(1, 5, 3, 3), ("A", "C"), 4.0, quick=True)

KEPT = FOLDER / "results.json"
"""What was measured so far, written after every line as the report is: a run that is broken off loses nothing of it."""

T = TypeVar("T")

_started = time.monotonic()


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
    _say(f"wrote {given.out}")


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
        _again(results, effort, first)
    if only in (None, "micro"):
        _micros(results, effort)
    if only in (None, "beside"):
        _beside_plans(results, effort)
    if only in (None, "sums"):
        _sums(results, effort)
    if only in (None, "training"):
        _trainings(results, effort, others)
        _again(results, effort, first)
    results.machine["load averages"] = f"{before} before, {machine.load()} after"
    results.machine["took"] = f"{_minutes():.0f} minutes"
    results.write(KEPT)


def _minutes() -> float:
    return (time.monotonic() - _started) / 60


def _keep(results: Results) -> None:
    """Leave what there is so far, as a record and as the report."""
    results.machine["took"] = f"{_minutes():.0f} minutes so far; not yet done"
    results.write(KEPT)
    if results.document:
        attempt(lambda: Path(results.document).write_text(report(results), encoding="utf-8"), _said)


def attempt(work: Callable[[], T], otherwise: Callable[[str], T]) -> T:
    """What `work` gives, or `otherwise` of why it failed: one line's failure must not lose the lines after it."""
    try:
        return work()
    except InterruptedRun:
        raise  # Ctrl-C ends everything
    except Exception as problem:
        said = str(problem).strip().splitlines()
        return otherwise(f"{type(problem).__name__}: {said[-1] if said else 'it said nothing'}")


def _peers(results: Results) -> None:
    results.peers = []
    for environment in ENVIRONMENTS:
        _say(f"{environment.title}: setting up (the first time takes minutes)")
        peer = _peer(environment)
        _say(f"{environment.title}: {peer.failure or peer.versions}")
        results.peers.append(peer)


def _peer(environment: Environment) -> Peer:
    return attempt(lambda: set_up(environment, FOLDER), lambda why: Peer(environment.title, failure=why))


def _trainings(results: Results, effort: Effort, jobs: Sequence[Job]) -> None:
    """Ours of all jobs, and then the peers'."""
    given: list[tuple[Job, Arrays]] = []
    for job in jobs:
        _say(job.title)
        arrays = attempt(partial(_ours_of, results, job, effort), partial(_no_arrays, results, job))
        if arrays is not None:
            given.append((job, arrays))
    for job, arrays in given:
        if job.peers:
            _say(f"{job.title}: the peers")
            _peer_trainings(results, job, arrays, effort)


def _no_arrays(results: Results, job: Job, why: str) -> None:
    _told(results, Training(OURS, job.key, failure=why))


def _ours_of(results: Results, job: Job, effort: Effort) -> Arrays:
    """Our runs of one job; its arrays, for the peers."""
    data = FOLDER / "data"
    arrays = arrays_of(write_scenario(job, data))
    _our_trainings(results, job, arrays, data, effort)
    return arrays


def _our_trainings(results: Results, job: Job, arrays: Arrays, data: Path, effort: Effort) -> None:
    runs = {"A": effort.ours, "C": effort.ours, "B": 3}.get(job.key, 1)  # of A's steps there are more, see `_again`
    for variant in job.variants:
        for encrypted, wan in ((True, False), (False, False), (True, True)):
            if (wan and not job.wan) or not (encrypted or job.peers):  # without encryption, beside peers alone
                continue
            one = _our_training(job, variant, arrays, data, min(3, runs) if wan else runs, encrypted, wan)
            _told(results, one)
            if job.key == "A" and variant == SGD and not wan and not one.failure:
                _floor(results, data / "a-sgd.toml", arrays, one, encrypted)
            if variant == AUTO and encrypted and not one.failure:
                _told(results, _as_far(job, arrays, data, one.log_loss or 0.0, wan))
    if job.key == "A":
        _command(results, data / "a-sgd.toml")


def _again(results: Results, effort: Effort, job: Job) -> None:
    """A later series of our runs of job A on localhost, and of its floor, put together with those there are.

    The machine is now fast and now slow, for minutes, and the peers take minutes: one series would be a matter of luck.
    """
    for number, before in enumerate(results.trainings):
        if (before.who, before.job, before.network) == (f"{OURS}, {SGD}", job.key, "localhost") and not before.failure:
            _say(f"{job.title}: once more")
            attempt(partial(_once_more, results, effort, job, number), _said)


def _once_more(results: Results, effort: Effort, job: Job, number: int) -> None:
    before, data = results.trainings[number], FOLDER / "data"
    encrypted = bool(before.encrypted)
    arrays = arrays_of(write_scenario(job, data))
    later = _our_training(job, SGD, arrays, data, effort.ours, encrypted, False)
    results.trainings[number] = one = before.with_later(later)
    _kept(results, one)
    if later.failure:
        return
    floor = ours.floor(data / "a-sgd.toml", arrays, later, FOLDER / "run", encrypted=encrypted)
    results.floors = [
        earlier.with_later(floor, one.step_seconds or 0.0) if earlier.encrypted == encrypted else earlier
        for earlier in results.floors
    ]
    _keep(results)


def _our_training(
    job: Job, variant: str, arrays: Arrays, data: Path, runs: int, encrypted: bool, wan: bool
) -> Training:
    """One of our variants on one network; what fails is its line."""
    who, network = f"{OURS}, {variant}", "WAN" if wan else "localhost"
    extra = job.variants[variant]

    def train() -> Training:
        name = f"-{variant.replace(' ', '-')}{'-wan' if wan else ''}"
        path = write_scenario(job, data, extra, name, LATENCY * 1e3 if wan else None)
        own = arrays_of(path) if extra else arrays
        return ours.train(who, job.key, path, own, FOLDER / "run", runs=runs, encrypted=encrypted, wan=wan)

    return attempt(train, lambda why: Training(who, job.key, network, encrypted, failure=why))


def _as_far(job: Job, arrays: Arrays, data: Path, loss: float, wan: bool) -> Training:
    """Mini-batches for as many epochs as bring the loss down to that of solver = "auto"; one run."""
    who, network = f"{OURS}, {AS_FAR}", "WAN" if wan else "localhost"

    def train() -> Training:
        epochs = epochs_to(loss, write_scenario(job, data), arrays)
        if epochs is None:
            return Training(who, job.key, network, True, failure=f"no number of epochs brings the loss to {loss:.5f}")
        path = write_scenario(job, data, {"epochs": epochs}, "-as-far")
        one = ours.train(who, job.key, path, arrays_of(path), FOLDER / "run", runs=1, encrypted=True, wan=wan)
        return replace(one, note=f"{epochs} epochs: the fewest that bring the loss to {loss:.5f}")

    return attempt(train, lambda why: Training(who, job.key, network, True, failure=why))


def _floor(results: Results, path: Path, arrays: Arrays, one: Training, encrypted: bool) -> None:
    _say("the floor of a step")
    found = attempt(lambda: ours.floor(path, arrays, one, FOLDER / "run", encrypted=encrypted), _said)
    results.floors += [found] if found is not None else []
    _keep(results)


def _command(results: Results, path: Path) -> None:
    name = "`mpc run` on job A, process start, handshake, comparison and report included"
    seconds = attempt(lambda: ours.command_seconds(path, FOLDER / "run", 3), _said)
    if seconds is not None:
        results.commands[name] = seconds
        _keep(results)


def _said(why: str) -> None:
    """For what has no line of its own in the records: the report then says that it was not measured."""
    _say(f"  no figures: {why}")


def _peer_trainings(results: Results, job: Job, arrays: Arrays, effort: Effort) -> None:
    for contender, python in _ready(results, job.key, effort, results.trainings, Training):
        if job.key not in contender.jobs:
            continue
        if late := _late(effort):
            _told(results, Training(contender.kind.name, job.key, failure=late))
            continue
        local = _their_training(contender, python, job, arrays, effort, wan=False)
        if job.wan and contender.wan and not local.failure:
            wan = _their_training(contender, python, job, arrays, effort, wan=True)
            local = contenders.with_rounds(local, wan)
            _told(results, local)
            _told(results, replace(wan, rounds=local.rounds))
        else:
            _told(results, local)
            if job.wan and contender.wan:
                _told(results, Training(local.who, job.key, "WAN", failure="not run: it failed on localhost"))


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
        _say(operation.title)
        for encrypted in (True, False):
            _told_micro(results, _our_micro(operation, effort, encrypted=encrypted))
        if operation.ours_only:
            continue
        for contender, python in _ready(results, operation.key, effort, results.micros, Micro):
            if contender.operations is not None and operation.peer_task not in contender.operations:
                continue
            if late := _late(effort):
                _told_micro(results, Micro(contender.kind.name, operation.key, failure=late))
                continue
            _told_micro(results, _their_micro(contender, python, operation, effort))


def _late(effort: Effort) -> str:
    """Why a peer's line is left out, if it is."""
    return f"not run: the first {effort.minutes:g} minutes were over" if _minutes() > effort.minutes else ""


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
        _told_beside(results, results.comparisons, one)
    for analysis, (runs, wan) in product(analyses.ANALYSES, networks):
        measure = partial(analyses.measure, analysis, FOLDER / "analyses", runs=runs, wan=wan)
        one = attempt(measure, partial(_not_measured, analysis.key, wan))
        _told_beside(results, results.analyses, one)


def _not_measured(key: str, wan: bool, why: str) -> BesidePlan:
    return BesidePlan(key, "WAN" if wan else "localhost", failure=why)


def _sums(results: Results, effort: Effort) -> None:
    _say("secure aggregation")
    failure = {e.key: peer.failure for e, peer in zip(ENVIRONMENTS, results.peers, strict=True)}["flower"]
    python = None if failure else python_of(FOLDER, "flower")
    results.sums = attempt(
        lambda: aggregation.compare(python, f"could not be set up: {failure}", 1 if effort.quick else 3),
        lambda why: [SumRound(OURS, "all rounds", failure=why)],
    )
    _keep(results)
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


def _told(results: Results, one: Training) -> None:
    results.trainings.append(one)
    _kept(results, one)


def _kept(results: Results, one: Training) -> None:
    _keep(results)
    text = one.failure or f"{(one.step_seconds or 0) * 1e3:.3f} ms a step, max |dw| {one.difference:.1e}"
    _say(f"  {one.who}{_secured(one)}, {one.network}: {text}")


def _told_micro(results: Results, one: Micro) -> None:
    results.micros.append(one)
    _keep(results)
    _say(f"  {one.who}{_secured(one)}: {one.failure or f'{(one.seconds or 0) * 1e3:.2f} ms'}")


def _told_beside(results: Results, kept: list[BesidePlan], one: BesidePlan) -> None:
    kept.append(one)
    _keep(results)
    text = one.failure or f"{(one.seconds or 0) * 1e3:.2f} ms, {one.rounds:g} rounds ({one.planned_rounds:g} planned)"
    _say(f"  {one.key}, {one.network}: {text}")


def _secured(one: Training | Micro) -> str:
    return "" if one.encrypted is None else ", encrypted" if one.encrypted else ", not encrypted"


def _say(text: str) -> None:
    print(f"{time.monotonic() - _started:6.0f} s  {text}", flush=True)


def command() -> int:
    """The command's exit code; Ctrl-C ends it with a sentence, and leaves what was measured."""
    try:
        main()
    except (KeyboardInterrupt, InterruptedRun):
        _say(f"interrupted; {KEPT.relative_to(ROOT)} has what was measured")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(command())
