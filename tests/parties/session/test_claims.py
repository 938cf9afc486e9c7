"""What owners say of their data, against the scenario and this machine: before anything is as large as they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import BeaverlodgeError, DisagreementError
from parties.scenario.file import Scenario
from parties.session import claims
from parties.session.claims import check_claims, memory_limit
from parties.tasks.registry import job_of, load_scenario
from parties.tasks.rows.extent import Rows
from tests.run.command import ROOT, environment
from tests.run.scenarios import write_scenario

STATED = "rows = 67"


def scenario(tmp_path: Path, stated: str = "", **task: Any) -> Scenario:
    path = write_scenario(tmp_path, **task)
    text = path.read_text()
    path.write_text(text.replace('data = "hospital_b.csv"', f'data = "hospital_b.csv"\n{stated}'))
    return load_scenario(path)


def rows_of(one: Scenario, *counts: int) -> Rows:
    return {owner: job_of(one).data.counts(one, count) for owner, count in zip(one.owners, counts, strict=True)}


def refusal(one: Scenario, me: str, rows: Rows, columns: int = 3) -> BeaverlodgeError:
    with pytest.raises(DisagreementError) as caught:
        check_claims(one, me, rows, columns)
    return caught.value


@pytest.mark.parametrize("me", ["hospital_a", "helper"])
def test_other_rows_than_the_scenario_states_are_refused(tmp_path: Path, me: str) -> None:
    one = scenario(tmp_path, STATED)
    check_claims(one, me, rows_of(one, 60, 67), 3)
    error = refusal(one, me, rows_of(one, 60, 125_000))
    assert error.party == "hospital_b"
    assert error.message == "hospital_b has 125,000 rows, but the scenario states rows = 67"
    assert "ask hospital_b which data it uses" in error.hint


def test_rows_split_otherwise_than_the_scenario_are_refused(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    train, test = rows_of(one, 60, 67)["hospital_b"]
    error = refusal(one, "helper", {"hospital_a": (48, 12), "hospital_b": (train + test, 0)})
    assert error.party == "hospital_b" and "splits its 67 rows otherwise" in error.message


@pytest.mark.parametrize("count", [2**31, 10**15, 2**62])
def test_more_rows_than_can_be_are_refused_at_once(tmp_path: Path, count: int) -> None:
    one = scenario(tmp_path)
    error = refusal(one, "hospital_a", {"hospital_a": (48, 12), "hospital_b": (count, 0)})
    assert error.party == "hospital_b" and f"hospital_b says that it has {count:,} rows" in error.message


@pytest.mark.parametrize(("me", "copies"), [("hospital_a", 4), ("helper", 2)])
@pytest.mark.parametrize("partition", ["horizontal", "vertical"])
def test_what_this_machine_has_no_memory_for_is_refused(
    tmp_path: Path, me: str, copies: int, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scenario(tmp_path)
    one = one.model_copy(update={"task": one.task.model_copy(update={"partition": partition})})
    rows = rows_of(one, 1000, 50_000)
    needed = (51_000 if partition == "horizontal" else 50_000) * 30 * 8 * copies
    monkeypatch.setattr(claims, "memory_limit", lambda: needed)
    check_claims(one, me, rows, 30)
    monkeypatch.setattr(claims, "memory_limit", lambda: needed - 1)
    error = refusal(one, me, rows, 30)
    assert error.party == "hospital_b"
    assert error.message.startswith("hospital_b says that it has 50,000 rows; with 30 columns they take about ")
    assert f"{me} can have" in error.message and "ask hospital_b which data it uses" in error.hint


def test_where_no_owner_has_most_of_the_rows_none_is_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = scenario(tmp_path)
    monkeypatch.setattr(claims, "memory_limit", lambda: 1 << 20)
    error = refusal(one, "helper", rows_of(one, 50_000, 50_000), 30)
    assert error.party is None
    assert error.message.startswith("the owners have rows: hospital_a 50,000, hospital_b 50,000; with 30 columns")


def test_rows_of_their_owner_alone_take_no_memory_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_scenario(tmp_path)
    text = path.read_text()
    head = text[: text.index("[task]")]
    path.write_text(head + '[task]\nkind = "linear_regression"\ntarget = "dose"\nid = "patient"\n')
    one = load_scenario(path)
    monkeypatch.setattr(claims, "memory_limit", lambda: 1 << 20)
    check_claims(one, "helper", rows_of(one, 100_000_000, 10), 30)
    error = refusal(one, "helper", rows_of(one, 100, 10), 30_000)  # but a table of all columns by all columns does
    assert "with 30,000 columns" in error.message


def test_the_memory_limit_is_the_smallest_that_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = memory_limit()
    assert 1 << 26 < here < 1 << 50
    small = tmp_path / "memory.max"
    small.write_text("12345678\n")
    monkeypatch.setattr(claims, "_CGROUPS", (str(small), str(tmp_path / "none")))
    assert memory_limit() == 12345678
    small.write_text("max\n")
    assert memory_limit() >= here


# What the whole of two honest parties does, in a process with little memory; hospital_b claims what it likes.
CLAIM = """
import resource, sys, threading
from dataclasses import replace
from pathlib import Path
from parties.session import take_part
from parties.session.claims import check_claims
from parties.tasks.registry import load_scenario
from tests.run.threads import run_in_threads

claim = int(sys.argv[2])
scenario = load_scenario(Path(sys.argv[1]))
offer, over = take_part._offer, threading.Semaphore(0)

def lie(scenario, table):
    said = offer(scenario, table)
    if table is None or table.owner != "hospital_b":
        return said
    return replace(said, rows=(claim - claim // 5, claim // 5))

def check(scenario, me, rows, columns):
    if me == "hospital_b":  # who lies does not look, and waits until the other has
        over.acquire(timeout=20)
    try:
        check_claims(scenario, me, rows, columns)
    finally:
        over.release()

take_part._offer, take_part.check_claims = lie, check
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
_, errors = run_in_threads(scenario, Path(sys.argv[1]).parent)
for name in ("hospital_a", "helper"):
    error = errors[name]
    print(name, error.exit_code, error.party, error.told_by, error.message, sep="|")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    ("claim", "stated", "words"),
    [
        (125_000, STATED, "hospital_b has 125,000 rows, but the scenario states rows = 67"),
        (100_000_000, "", "hospital_b says that it has 100,000,000 rows; with 3 columns they take about "),
        (10**15, "", "hospital_b says that it has 1,000,000,000,000,000 rows, and at most 2,147,483,647 can be"),
    ],
)
def test_who_claims_too_much_is_refused_in_little_memory(tmp_path: Path, claim: int, stated: str, words: str) -> None:
    one = scenario(tmp_path, stated)
    command = [sys.executable, "-c", CLAIM, str(one.path), str(claim)]
    ran = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    *lines, grew = ran.stdout.splitlines()
    owner, helper = (line.split("|") for line in lines)
    assert owner[:4] == ["hospital_a", "5", "hospital_b", "None"] and owner[4].startswith(words)
    assert helper[1] == "5"  # by itself, or by what hospital_a told it
    assert int(grew) < 64
