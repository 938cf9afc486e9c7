"""Many sessions, one after another, in the same two processes: none leaves anything behind."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from mpc.links.zmq.curve import new_identity
from tests.links.over_zmq import HELPER
from tests.links.sessions import OWNERS, run
from tests.ports import free_ports
from tests.run.command import ROOT, environment

SOME_KB = 3000  # what the allocator may keep


def check(held: list[dict[str, int]]) -> None:
    """Nothing grows from the second of ten measurements on; memory by less than a session could leak ten times over."""
    early, late = held[1], held[-1]
    assert late["descriptors"] <= early["descriptors"] and late["threads"] <= early["threads"], held
    assert late["kB"] <= early["kB"] + SOME_KB, held


def sessions(count: int) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """a and the helper here, b in a process of its own; what each process held, ten times."""
    keys = {name: new_identity() for name in (*OWNERS, HELPER)}
    endpoints = {name: f"tcp://127.0.0.1:{port}" for name, port in zip(("a", HELPER), free_ports(2), strict=True)}
    order: dict[str, Any] = {"endpoints": endpoints}
    order["keys"] = {name: [key.public.decode(), key.secret.decode()] for name, key in keys.items()}
    other = subprocess.Popen(
        [sys.executable, "-m", "tests.links.sessions", str(count)],
        cwd=ROOT,
        env=environment(measured=True),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdin is not None
        other.stdin.write(json.dumps(order) + "\n")
        other.stdin.flush()
        here = run(count, ("a", HELPER), keys, endpoints)
        out, _ = other.communicate(timeout=60)
        assert other.returncode == 0
        return here, json.loads(out)
    finally:
        other.kill()
        other.communicate()


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.soak)])
def test_many_sessions_leave_nothing_behind(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    here, there = sessions(count)
    took = time.monotonic() - started
    with capsys.disabled():
        print(
            f"\n  {count} sessions in {took:.1f} s; descriptors, threads and kB after the first tenth, and at the end:"
        )
        for name, held in (("a and the helper", here), ("b", there)):
            print(f"    {name}: {' '.join(map(str, held[0].values()))}; {' '.join(map(str, held[-1].values()))}")
    check(here)
    check(there)
