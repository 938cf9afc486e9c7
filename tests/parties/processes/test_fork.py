"""A party that is a copy of the launcher's process has nothing of it, and is seen as a new process would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mpc.errors import DataError
from parties.processes.fork import may_fork
from tests.parties.copies import MODULE, SAID
from tests.parties.processes.test_launcher import BAD_DATA, HANG, SUCCEED, Order
from tests.run.command import ROOT, environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every party is a new process")
PARTIES = ["hospital_a", "hospital_b", "helper"]
OWN = {"called", "copied", "argv", "descriptors", "seed", "stream", "openssl", "libsodium"}


@cache
def found(how: str) -> dict[str, dict[str, Any]]:
    """What each party of a run found in its process; the run's own end is checked."""
    known = environment({"OPENBLAS_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"})
    with TemporaryDirectory() as out:
        words = [sys.executable, "-m", MODULE, out, how]
        done = subprocess.run(words, cwd=ROOT, env=known, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done
        first, results, last = done.stdout.splitlines()
        assert (first, last) == (SAID, "at exit"), "the launcher's own words, once"
        assert os.listdir(out) == [], "no party said anything else"
    told: dict[str, dict[str, Any]] = json.loads(results)
    assert list(told) == PARTIES
    return told


def are_copies(parties: dict[str, dict[str, Any]]) -> list[bool]:
    """By a generator whose state a copy has a copy of."""
    drawn = [party["copied"] for party in parties.values()]
    return [drawn.count(each) > 1 for each in drawn]


def test_a_copy_is_like_a_new_process() -> None:
    """As a launcher with threads starts one, which is never copied."""
    new, copies = found("threads"), found("copy")
    assert (are_copies(new), are_copies(copies)) == ([False] * 3, [True] * 3)
    for name in PARTIES:
        one, other = new[name], copies[name]
        assert {key: one[key] for key in one.keys() - OWN} == {key: other[key] for key in other.keys() - OWN}
        assert one["argv"][:2] == other["argv"][:2] == ["--as", name]
        assert (one["threads"], one["wakeup"]) == (1, -1)


def test_a_copy_has_four_descriptors_and_no_other_partys() -> None:
    pipes: list[str] = []
    for name, party in found("copy").items():
        descriptors = party["descriptors"]
        assert {"0", "1", "2"} < descriptors.keys() and len(descriptors) == 4, descriptors
        assert Path(descriptors["1"]).name == Path(descriptors["2"]).name == f"{name}.stderr"
        pipes += [target for target in descriptors.values() if target.startswith("pipe:")]
    assert len(set(pipes)) == len(pipes) == 2 * len(PARTIES)


def test_a_copy_is_seen_by_its_partys_name() -> None:
    assert [party["called"] for party in found("copy").values()] == PARTIES


@pytest.mark.parametrize("where", ["seed", "stream", "openssl", "libsodium"])
def test_copies_draw_randomness_of_their_own(where: str) -> None:
    drawn = [party[where] for how in ("threads", "copy") for party in found(how).values()]
    assert len(set(drawn)) == 2 * len(PARTIES)


def test_however_a_copy_ends_its_launcher_says_how(tmp_path: Path) -> None:
    ends: list[tuple[Order, str | None]] = [
        (SUCCEED, None),
        ({"act": "interrupt_self"}, None),  # what a terminal sends
        ({"act": "many", "count": 2000}, None),
        ({"act": "kill_self"}, "b was killed (signal 9)"),
        ({"act": "kill_self", "signal": signal.SIGTERM}, "b was killed (signal 15)"),
        ({"act": "crash", "keys": "x" * 100_000}, "b ended with exit code 1: ValueError: a planted bug"),
        ({"act": "exit", "code": 3}, "b ended with exit code 3"),
        ({"act": "exit", "code": 0}, "b ended without a result"),
        (BAD_DATA, "b has no column x"),
    ]
    runs = [{"a": HANG if message else SUCCEED, "b": order} for order, message in ends]
    words = [sys.executable, "-m", "tests.parties.launch_fakes", "copy", str(tmp_path), json.dumps(runs)]
    done = subprocess.run(words, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (DataError.exit_code, "")
    told = [json.loads(line) for line in done.stdout.splitlines() if line[:2] not in ("a ", "b ")]
    assert [error and error["message"] for error in told] == [message for _, message in ends]
    assert list(tmp_path.glob("*.stderr")) == []


def test_a_party_with_an_environment_of_its_own_is_no_copy() -> None:
    parties = found("environment")
    assert are_copies(parties) == [True, True, False]
    assert [party["environment"].get("EXTRA") for party in parties.values()] == [None, None, "1"]


def test_one_thread_may_be_copied() -> None:
    assert may_fork() == (len(os.listdir("/proc/self/task")) == 1)
