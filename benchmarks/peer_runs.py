"""Runs a peer's parties as processes of its own environment, on localhost or through the emulated WAN."""

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
from benchmarks.jobs import ROOT
from benchmarks.wan import carried
from mpc.ghost import Array

PROGRAMS = Path(__file__).resolve().parent / "peers"
LATENCY = 0.01
"""Seconds one way on the emulated WAN: round trips of 20 ms."""


class PeerFailure(Exception):
    """A peer's run did not give a result; says why in a few words."""


@dataclass(frozen=True)
class PeerKind:
    """A peer's variant.

    Args:
        name: in the report.
        environment: which virtual environment it runs in, and its program: `peers/ENVIRONMENT_party.py`.
        parties: how many processes.
        options: what its program is told.
        encrypted: whether its links are, by a certificate made for the run.
        tries: how often a run that fails is tried.
        inside: whether its parties put the relay in front of their ports themselves, for ports they choose late.
        note: in the report.
    """

    name: str
    environment: str
    parties: int
    options: Mapping[str, Any] = field(default_factory=dict)
    inside: bool = False
    note: str = ""
    encrypted: bool = False
    tries: int = 1


@dataclass(frozen=True)
class PeerRun:
    """One run: the timed parts' seconds at the slowest party, and what the first party found."""

    seconds: tuple[float, ...]
    setup_seconds: float
    carried: int | None
    result: Array
    values: Array | None
    notes: dict[str, Any]


def run_peer(
    kind: PeerKind,
    python: Path,
    task: str,
    inputs: Path,
    folder: Path,
    *,
    repeats: int = 1,
    wan: bool = False,
    timeout: float = 300.0,
    options: Mapping[str, Any] | None = None,
) -> PeerRun:
    """Run all parties of a peer once.

    Raises:
        PeerFailure: a party ended with an error, or not in time.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports = free_ports(kind.parties)
    certified = write_certificate(folder) if kind.encrypted else {}
    real = [f"127.0.0.1:{port}" for port in ports]
    with _in_front(real if wan and not kind.inside else [], folder / "traffic-relay.json") as dialled:
        commands = []
        for rank in range(kind.parties):
            more: dict[str, Any] = {**kind.options, **certified, **(options or {})}
            if wan:
                more["real"] = real
            if wan and kind.inside:
                more["relay"] = [*relay_command(folder / f"traffic-{rank}.json")]
                more["root"] = str(ROOT)
            order = {
                "rank": rank,
                "addresses": [real[r] if r == rank or not dialled else dialled[r] for r in range(kind.parties)],
                "task": task,
                "inputs": str(inputs.resolve()),
                "repeats": repeats,
                "options": more,
                "report": str((folder / f"report-{rank}.json").resolve()),
                "started": time.monotonic(),
            }
            path = folder / f"order-{rank}.json"
            path.write_text(json.dumps(order), encoding="utf-8")
            commands.append([str(python), str(PROGRAMS / f"{kind.environment}_party.py"), str(path.resolve())])
        _run_all(commands, folder, timeout)
    return _gather(kind, folder, wan=wan)


def relay_command(traffic: Path) -> list[str]:
    """The command that starts the emulated WAN; names and targets are to follow."""
    return [sys.executable, "-m", "benchmarks.wan", "--latency", str(LATENCY), "--traffic", str(traffic.resolve())]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@contextmanager
def _in_front(real: Sequence[str], traffic: Path) -> Iterator[list[str]]:
    """The emulated WAN in front of these addresses: yields what is to be dialled instead; nothing for none."""
    if not real:
        yield []
        return
    targets = [f"{rank}={address}" for rank, address in enumerate(real)]
    process = subprocess.Popen(
        [*relay_command(traffic), *targets], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        endpoints = json.loads(process.stdout.readline())
        yield [endpoints[str(rank)] for rank in range(len(real))]
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()


def _run_all(commands: Sequence[Sequence[str]], folder: Path, timeout: float) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    processes = []
    logs = [folder / f"log-{rank}.txt" for rank in range(len(commands))]
    try:
        for command, log in zip(commands, logs, strict=True):
            with open(log, "wb") as output:
                processes.append(
                    subprocess.Popen(
                        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
                    )
                )
        end = time.monotonic() + timeout
        while any(process.poll() is None for process in processes):
            for process, log in zip(processes, logs, strict=True):
                if process.poll():
                    raise PeerFailure(f"a party ended with exit code {process.returncode}: {last_words(log)}")
            if time.monotonic() > end:
                raise PeerFailure(f"not done within {timeout:g} s")
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


def _gather(kind: PeerKind, folder: Path, *, wan: bool) -> PeerRun:
    reports = [json.loads((folder / f"report-{rank}.json").read_text()) for rank in range(kind.parties)]
    began = [report["began"] for report in reports]
    ended = [report["ended"] for report in reports]
    seconds = tuple(max(e) - min(b) for b, e in zip(zip(*began, strict=True), zip(*ended, strict=True), strict=True))
    total = None
    if wan:
        entries = [
            (when, size)
            for path in folder.glob("traffic-*.json")
            for when, size in json.loads(path.read_text(encoding="utf-8"))
        ]
        spans = zip(zip(*began, strict=True), zip(*ended, strict=True), strict=True)
        total = sum(carried(entries, min(b), max(e)) for b, e in spans)
    kept = folder / "report-0.npy"
    return PeerRun(
        seconds,
        max(report["setup_seconds"] for report in reports),
        total,
        np.array(reports[0]["result"]),
        np.load(kept) if kept.exists() else None,
        reports[0]["notes"],
    )
