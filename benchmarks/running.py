"""Runs a contender's parties as processes: the same order, clock, relay and rule of time for ours and for a peer's."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.certificates import write_certificate
from benchmarks.results import FOLDER, ROOT
from mpc.links.zmq.curve import new_identity
from mpc.ring.array import Array

PROGRAMS = Path(__file__).resolve().parent / "peers"
LATENCY = 0.01
"""Seconds one way on the emulated WAN: round trips of 20 ms."""
BANDWIDTH = 100e6 / 8
"""Bytes a second, each way of each link."""
SLOWEST = 180.0
_COUNTERS = Path("/proc/net/dev")


class PeerFailure(Exception):
    """A run gave no result; says why in a few words."""


@dataclass(frozen=True)
class Contender:
    """Somebody who takes part.

    Args:
        name: in the report.
        program: `peers/PROGRAM_party.py`, and the environment in which it runs.
        parties: how many processes.
        options: what its program is told.
        encrypted: whether its links are.
        tables: the tables in which it takes part; all where it is empty.
        inside: whether its parties put the relay in front of their ports themselves, for ports they choose late.
        tries: how often a run that fails is tried.
    """

    name: str
    program: str
    parties: int
    options: Mapping[str, Any] = field(default_factory=dict)
    encrypted: bool = False
    tables: tuple[str, ...] = ()
    inside: bool = False
    tries: int = 1


CONTENDERS = (
    Contender("beaverlodge, encrypted", "ours", 3, encrypted=True),
    Contender("beaverlodge", "ours", 3, {"plain": True}),
    Contender("SPU", "spu", 2),
    Contender("SPU, exp pade", "spu", 2, {"exp": "EXP_PADE"}, tables=("A", "sigmoid")),
    Contender("SPU over TLS, encrypted", "spu", 2, encrypted=True, tables=("A",), tries=3),
    Contender("SPU, ABY3 (3 equal parties)", "spu", 3, {"protocol": "ABY3"}, tables=("A", "B")),
    Contender("CrypTen", "crypten", 2, inside=True, tries=3),
    Contender("MPyC (3 equal parties)", "mpyc", 3, tables=("A", "WAN", "matmul128")),
)


@dataclass(frozen=True)
class Run:
    """One run, by the clock that all processes of a machine share.

    Args:
        all_in: seconds from when the first party was connected to when the last had the result in shares.
        steps: the part of them from the first party's first step; `all_in` where there are no steps.
        sent: bytes that the machine's loopback carried from the first process's start to the last one's end.
        result: a training's weights, the column of ones' last; or an operation's values.
        counts: what each party counted itself, by name.
    """

    all_in: float
    steps: float
    sent: int
    result: Array
    counts: tuple[Mapping[str, float], ...] = ()


def run(
    contender: Contender,
    python: Path,
    task: str,
    inputs: Path,
    *,
    repeats: int,
    wan: bool,
    scenario: Path | None = None,
) -> Run:
    """Run all parties once, or as often as a contender needs that is known to fail now and then.

    Raises:
        PeerFailure: a party ended with an error, or not in time.
    """
    for turn in range(contender.tries):
        try:
            return _run(contender, python, task, inputs, repeats, wan, scenario)
        except PeerFailure:
            if turn == contender.tries - 1:
                raise
    raise AssertionError("the loop returns")


def _run(
    contender: Contender, python: Path, task: str, inputs: Path, repeats: int, wan: bool, scenario: Path | None
) -> Run:
    folder = FOLDER / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    real = [f"127.0.0.1:{port}" for port in free_ports(contender.parties)]
    options: dict[str, Any] = {**contender.options, "scenario": str(scenario)}
    if contender.program == "ours":
        keys = [new_identity() for _ in real]
        options["keys"] = [(one.public.decode(), one.secret.decode()) for one in keys]
    elif contender.encrypted:
        options |= write_certificate(folder)
    if wan:
        options["real"] = real
        if contender.inside:
            options |= {"relay": relay_command(), "root": str(ROOT)}
    with _in_front(real if wan and not contender.inside else []) as dialled:
        commands = []
        for rank in range(contender.parties):
            order = {
                "rank": rank,
                "addresses": [real[r] if r == rank or not dialled else dialled[r] for r in range(contender.parties)],
                "task": task,
                "inputs": str(inputs),
                "repeats": repeats,
                "options": options,
                "report": str(folder / f"report-{rank}.json"),
            }
            path = folder / f"order-{rank}.json"
            path.write_text(json.dumps(order), encoding="utf-8")
            commands.append([str(python), str(PROGRAMS / f"{contender.program}_party.py"), str(path)])
        before = _carried()
        _run_all(commands, folder)
        sent = _carried() - before
    reports = [json.loads((folder / f"report-{rank}.json").read_text()) for rank in range(contender.parties)]
    marks = [one["marks"] for one in reports]
    connected, done = min(mark["connected"] for mark in marks), max(mark["done"] for mark in marks if "done" in mark)
    steps = min((mark["steps"] for mark in marks if "steps" in mark), default=connected)
    counts = tuple(one["counts"] for one in reports)
    return Run(done - connected, done - steps, sent, np.load(folder / "report-0.npy"), counts)


def relay_command() -> list[str]:
    """The command that starts the emulated WAN; names and targets are to follow."""
    return [sys.executable, "-m", "benchmarks.wan", "--latency", str(LATENCY), "--bandwidth", str(BANDWIDTH)]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def _in_front(real: Sequence[str]) -> Iterator[list[str]]:
    """The emulated WAN in front of these addresses: yields what is to be dialled instead; nothing for none."""
    if not real:
        yield []
        return
    targets = [f"{rank}={address}" for rank, address in enumerate(real)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*relay_command(), *targets], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            endpoints = json.loads(process.stdout.readline())
            yield [endpoints[str(rank)] for rank in range(len(real))]
        finally:
            process.stdin.close()


def _carried() -> int:
    """Bytes that the loopback has carried so far."""
    lines = _COUNTERS.read_text(encoding="ascii").splitlines()
    return int(next(line.split(":")[1].split()[0] for line in lines if line.strip().startswith("lo:")))


def _run_all(commands: Sequence[Sequence[str]], folder: Path) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    logs = [folder / f"log-{rank}.txt" for rank in range(len(commands))]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for command, log in zip(commands, logs, strict=True):
            with open(log, "wb") as output:
                processes.append(
                    subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
                    )
                )
        end = time.monotonic() + SLOWEST
        while any(process.poll() is None for process in processes) and not any(p.poll() for p in processes):
            if time.monotonic() > end:
                raise PeerFailure(f"not done within {SLOWEST:g} s")
            time.sleep(0.02)
        for process, log in zip(processes, logs, strict=True):
            if process.returncode:
                raise PeerFailure(f"a party ended with exit code {process.returncode}: {last_words(log)}")
    finally:
        for process in processes:
            process.kill()
            process.wait()


def last_words(log: Path) -> str:
    """The last line of a log that says something, shortened."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"
