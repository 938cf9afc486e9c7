"""Our own trainings, each with what is measured beside it: the floor of a step, the command, sgd to the same loss."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks import ours
from benchmarks.effort import Effort
from benchmarks.in_short import OURS
from benchmarks.jobs import AS_FAR, AUTO, SGD, Arrays, Job, arrays_of, epochs_to, write_scenario
from benchmarks.peer_runs import LATENCY
from benchmarks.results import Results, Training
from benchmarks.telling import FOLDER, attempt, keep, kept, said, say, told


def ours_of(results: Results, job: Job, effort: Effort) -> Arrays:
    """Our runs of one job; its arrays, for the peers."""
    data = FOLDER / "data"
    arrays = arrays_of(write_scenario(job, data))
    _our_trainings(results, job, arrays, data, effort)
    return arrays


def _our_trainings(results: Results, job: Job, arrays: Arrays, data: Path, effort: Effort) -> None:
    runs = {"A": effort.ours, "C": effort.ours, "B": 3}.get(job.key, 1)  # of A's steps there are more, see `again`
    for variant in job.variants:
        for encrypted, wan in ((True, False), (False, False), (True, True)):
            if (wan and not job.wan) or not (encrypted or job.peers):  # without encryption, beside peers alone
                continue
            one = _our_training(job, variant, arrays, data, min(3, runs) if wan else runs, encrypted, wan)
            told(results, one)
            if job.key == "A" and variant == SGD and not wan and not one.failure:
                _floor(results, data / "a-sgd.toml", arrays, one, encrypted)
            if variant == AUTO and encrypted and not one.failure:
                told(results, _as_far(job, arrays, data, one.log_loss or 0.0, wan))
    if job.key == "A":
        _command(results, data / "a-sgd.toml")


def again(results: Results, effort: Effort, job: Job) -> None:
    """A later series of our runs of job A on localhost, and of its floor, put together with those there are.

    The machine is now fast and now slow, for minutes, and the peers take minutes: one series would be a matter of luck.
    """
    for number, before in enumerate(results.trainings):
        if (before.who, before.job, before.network) == (f"{OURS}, {SGD}", job.key, "localhost") and not before.failure:
            say(f"{job.title}: once more")
            attempt(partial(_once_more, results, effort, job, number), said)


def _once_more(results: Results, effort: Effort, job: Job, number: int) -> None:
    before, data = results.trainings[number], FOLDER / "data"
    encrypted = bool(before.encrypted)
    arrays = arrays_of(write_scenario(job, data))
    later = _our_training(job, SGD, arrays, data, effort.ours, encrypted, False)
    results.trainings[number] = one = before.with_later(later)
    kept(results, one)
    if later.failure:
        return
    floor = ours.floor(data / "a-sgd.toml", arrays, later, FOLDER / "run", encrypted=encrypted)
    results.floors = [
        earlier.with_later(floor, one.step_seconds or 0.0) if earlier.encrypted == encrypted else earlier
        for earlier in results.floors
    ]
    keep(results)


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
    say("the floor of a step")
    found = attempt(lambda: ours.floor(path, arrays, one, FOLDER / "run", encrypted=encrypted), said)
    results.floors += [found] if found is not None else []
    keep(results)


def _command(results: Results, path: Path) -> None:
    name = "`mpc run` on job A, process start, handshake, comparison and report included"
    seconds = attempt(lambda: ours.command_seconds(path, FOLDER / "run", 3), said)
    if seconds is not None:
        results.commands[name] = seconds
        keep(results)
