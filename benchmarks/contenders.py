"""The peers' variants, and how their runs become records."""

from __future__ import annotations

import statistics
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs import Arrays, Job, log_loss
from benchmarks.micro_programs import Micro as Operation
from benchmarks.peer_runs import LATENCY, PeerFailure, PeerKind, PeerRun, run_peer
from benchmarks.results import Micro, Training, median_and_spread

SHRUNK = {"multiply": 10, "less_than": 100, "sigmoid": 10, "matmul512": 1, "matmul128": 1}


@dataclass(frozen=True)
class Contender:
    """A peer's variant and what it is run on.

    Args:
        kind: how it is started.
        slow: whether it does only the first steps of a long job, once, and micro jobs at a part of their size.
        operations: the microbenchmarks in which it takes part; all where it is None.
        jobs: the trainings in which it takes part.
        wan: whether it takes part over the WAN.
        quick: whether it takes part in a quick run.
    """

    kind: PeerKind
    slow: bool = False
    operations: tuple[str, ...] | None = None
    jobs: tuple[str, ...] = ("A", "C", "B")
    wan: bool = True
    quick: bool = True


CONTENDERS = (
    Contender(PeerKind("SPU", "spu", 2)),
    Contender(PeerKind("SPU over TLS", "spu", 2, encrypted=True, tries=3), jobs=("A",), wan=False, quick=False),
    Contender(PeerKind("SPU, exp pade", "spu", 2, {"exp": "EXP_PADE"}), operations=("sigmoid",)),
    Contender(PeerKind("SPU, ABY3 (3 parties)", "spu", 3, {"protocol": "ABY3"}), wan=False, quick=False),
    Contender(PeerKind("CrypTen", "crypten", 2, inside=True)),
    Contender(PeerKind("MPyC (3 parties)", "mpyc", 3), slow=True),
)


@dataclass(frozen=True)
class Runs:
    """How often peers are run.

    Args:
        local: trainings on localhost.
        wan_steps: how many steps over the WAN at most.
        slow_steps: how many steps the slow ones do, but of job A on localhost where others do several runs of it.
        repeats: how often a micro job is repeated.
        patience: seconds that one run may take; `slow_patience` of a slow one.
    """

    local: int
    wan_steps: int
    slow_steps: int
    repeats: int
    patience: float = 180.0
    slow_patience: float = 60.0

    def patience_with(self, contender: Contender) -> float:
        """How long one of its runs may take."""
        return self.slow_patience if contender.slow else self.patience


def train(
    contender: Contender, job: Job, arrays: Arrays, python: Path, folder: Path, runs: Runs, *, wan: bool
) -> Training:
    """A peer's training; never raises for what goes wrong in it."""
    network = "WAN" if wan else "localhost"
    limits = [job.peer_steps or len(arrays.steps)]
    if wan:
        limits.append(runs.wan_steps)
    if contender.slow and (wan or job.key != "A" or runs.local == 1):
        limits.append(runs.slow_steps)
    part = arrays.first(min(limits)) if min(limits) < len(arrays.steps) else arrays
    inputs = folder / "inputs.npz"
    folder.mkdir(parents=True, exist_ok=True)
    part.write(inputs)
    count = runs.local if job.key == "A" and not wan and not contender.slow else 1
    patience = runs.patience_with(contender)
    try:
        done = [
            _tried(contender.kind, python, "train", inputs, folder / "run", wan=wan, timeout=patience)
            for _ in range(count)
        ]
    except PeerFailure as failure:
        return Training(contender.kind.name, job.key, network, contender.kind.encrypted or None, failure=str(failure))
    note = "" if part is arrays else f"only the first {len(part.steps)} steps, held against the twin after as many"
    return _training(contender.kind, job, part, done, network, note)


def _tried(kind: PeerKind, *order: Any, **more: Any) -> PeerRun:
    """A run, or another one where it fails and the peer is known to fail now and then."""
    for _ in range(kind.tries - 1):
        with suppress(PeerFailure):
            return run_peer(kind, *order, **more)
    return run_peer(kind, *order, **more)


def with_rounds(local: Training, wan: Training) -> Training:
    """The same figures with a peer's rounds: how many latencies the WAN adds to a step."""
    if local.failure or not local.step_seconds or not wan.step_seconds or wan.failure:
        return local
    added = wan.step_seconds - local.step_seconds
    # On a busy machine it may be less than nothing for a peer that computes much more than it waits.
    return replace(local, rounds=added / LATENCY if added > 0 else None, step_bytes=wan.step_bytes)


def micro(contender: Contender, operation: Operation, python: Path, folder: Path, runs: Runs) -> Micro:
    """A peer's time for one operation."""
    inputs, expected, factor = operation.inputs(), operation.expected(), 1
    if contender.slow:
        factor = SHRUNK[operation.peer_task]
        count = operation.shape[0] // factor
        inputs = {name: value[:count] for name, value in inputs.items()}
        expected = expected[:count]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "inputs.npz", **inputs)  # type: ignore[arg-type]  # numpy's stub takes the names for options
    repeats, encrypted = 2 if contender.slow else runs.repeats, contender.kind.encrypted or None
    try:
        done = _tried(
            contender.kind, python, operation.peer_task, folder / "inputs.npz", folder / "run",
            repeats=repeats, timeout=runs.patience_with(contender),
        )  # fmt: skip
    except PeerFailure as failure:
        return Micro(contender.kind.name, operation.key, encrypted, failure=str(failure))
    seconds, spread = median_and_spread([one * factor for one in done.seconds])
    assert done.values is not None
    error = float(np.abs(done.values.reshape(expected.shape) - expected).max())
    note = f"measured at 1/{factor} of the size, and multiplied" if factor > 1 else ""
    return Micro(contender.kind.name, operation.key, encrypted, repeats, seconds, spread, None, None, error, note)


def _training(kind: PeerKind, job: Job, part: Arrays, done: list[PeerRun], network: str, note: str) -> Training:
    steps = len(part.steps)
    step, spread = median_and_spread([sum(run.seconds) / steps for run in done])
    carried, weights = done[-1].carried, done[-1].result
    return Training(
        who=kind.name,
        job=job.key,
        network=network,
        encrypted=kind.encrypted or None,
        runs=len(done),
        steps=steps,
        step_seconds=step,
        spread=spread,
        setup_seconds=statistics.median(run.setup_seconds for run in done),
        step_bytes=None if carried is None else carried / steps / kind.parties,
        accuracy=part.accuracy(weights),
        difference=float(np.abs(weights - part.weights).max()),
        log_loss=log_loss(part.x, part.y, weights),
        note=note,
    )
