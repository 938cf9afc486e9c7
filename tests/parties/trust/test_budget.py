"""The ledger of epsilon: what it refuses, and that no charge is lost, whatever happens to a process or the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mpc.errors import BudgetError, UsageError
from parties.report.budget import budget_blocks, budget_text
from parties.show.blocks import Grid, Line
from parties.trust.budget import DELTA, FILE, Account, Charge, Ledger
from parties.trust.releases import Release
from protocols.privacy.accounting import Excess, Mechanism, VectorMechanism, calibrated, epsilon_of
from tests.helpers import ROOT

RUN = Release(
    time="2026-05-10T12:00:00+00:00",
    scenario="small",
    digest="d",
    session="s1",
    party="a",
    owners=("a", "b"),
    data="x" * 64,
    rows=60,
    columns=("dose",),
    revealed=("noisy counts and sums",),
    epsilon=1.0,
)


def charge_of(epsilon: float, delta: float = 1e-6, releases: int = 3) -> Charge:
    return Charge((calibrated(epsilon, delta, releases, 2).mechanism(releases),), epsilon, delta)


ONE = charge_of(1.0)
VECTORS = Charge((VectorMechanism(4000, 90, 20, 0.1), VectorMechanism(4000, 90, 2), *ONE.mechanisms), 1.0, 1e-6)


def nth(k: int) -> Release:
    return replace(RUN, session=f"s{k}")


def charges(folder: Path) -> list[str]:
    return [one.session for one in Ledger(folder).read().charges]


def test_a_run_that_fits_is_charged_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.set_budget(1.0, 1e-6)
    ledger.charge(RUN, ONE)
    ledger.charge(RUN, ONE)
    account = ledger.read()
    assert charges(tmp_path) == ["s1"]
    assert 0.99 < account.spent(1e-6) <= 1.0
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_a_charge_is_on_the_disk_at_return(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed process tells nothing of this; a machine that loses its power would."""
    ledger, written = Ledger(tmp_path), []
    ledger.charge(RUN, ONE)
    monkeypatch.setattr(os, "fsync", lambda file: written.append(os.fstat(file)))
    ledger.charge(nth(2), ONE)
    now = (tmp_path / FILE).stat()
    assert [(one.st_ino, one.st_size) for one in written] == [(now.st_ino, now.st_size)]


def test_a_run_over_budget_is_refused_and_charges_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.set_budget(1.5, 1e-6)
    ledger.charge(RUN, ONE)
    before = (tmp_path / FILE).read_bytes()
    for _ in range(2):
        with pytest.raises(BudgetError, match=r"a's budget is epsilon = 1.5 at delta = 1e-06: 1 was spent by 1 run,"):
            ledger.charge(nth(2), charge_of(1.2))
    assert (tmp_path / FILE).read_bytes() == before
    assert Ledger(tmp_path).check("a", charge_of(0.3)).charges[0].session == "s1"


def test_a_run_is_charged_for_all_its_mechanisms(tmp_path: Path) -> None:
    vectors = (VectorMechanism(1 << 50, 1 << 48, 100, 0.05), VectorMechanism(400, 90, 2))
    several = (Mechanism(1000, 16, 3), *vectors, Excess(0.5, 2.0, 1e-8))
    Ledger(tmp_path).charge(RUN, Charge(several, 3.0, 1e-6))
    (line,) = Ledger(tmp_path).read().charges
    assert line.mechanisms == several
    assert Ledger(tmp_path).read().spent(1e-6) == epsilon_of(several, 1e-6)


OLD_LINE = (
    '{"entry":"charge","epsilon":1.0,"delta":1e-06,"variance":1000,"sensitivity":16,"times":3,"time":"t",'
    '"session":"s0","party":"a","scenario":"small","digest":"d","data":"x"}'
)


def test_a_line_of_an_older_ledger_counts(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(OLD_LINE + "\n")
    (tmp_path / FILE).chmod(0o600)
    (line,) = Ledger(tmp_path).read().charges
    assert (line.mechanisms, line.unit) == ((Mechanism(1000, 16, 3),), "patient")
    Ledger(tmp_path).charge(RUN, ONE)
    assert charges(tmp_path) == ["s0", "s1"]


def test_a_client_charge_costs_a_patient_twice_the_distance(tmp_path: Path) -> None:
    """A client's vector is of length D at most; a patient changes it from one to another."""
    client = Charge((VectorMechanism(400, 100, 2),), 1.0, 1e-6, "client")
    ledger = Ledger(tmp_path)
    ledger.charge(RUN, client)
    assert ledger.read().spent(1e-6) == epsilon_of([VectorMechanism(400, 100, 2)], 1e-6)
    ledger.charge(nth(2), ONE)
    assert ledger.read().spent(1e-6) == epsilon_of([VectorMechanism(400, 400, 2), *ONE.mechanisms], 1e-6)


def test_charges_add_up_to_less_than_their_sum(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for k in range(6):
        ledger.charge(nth(k), ONE)
    spent = ledger.read().spent(1e-5)
    assert 2.0 < spent < 3.5  # sqrt(6) is 2.45; each is of delta 1e-6 and so cheaper at 1e-5


def test_without_a_budget_all_is_noted_and_none_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for k in range(3):
        ledger.charge(nth(k), charge_of(20.0))
    assert len(charges(tmp_path)) == 3


def test_a_budget_can_be_changed_and_the_charges_stay(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.set_budget(0.5, 1e-6)
    with pytest.raises(BudgetError):
        ledger.charge(RUN, ONE)
    account = ledger.set_budget(1.0, 1e-6)
    assert account.budget is not None and account.budget.epsilon == 1.0
    ledger.charge(RUN, ONE)
    assert charges(tmp_path) == ["s1"]


def test_a_line_that_a_crash_cut_off_is_no_charge(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.charge(RUN, ONE)
    whole = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(whole + whole[: len(whole) // 2])
    assert charges(tmp_path) == ["s1"]
    ledger.charge(nth(2), ONE)
    assert charges(tmp_path) == ["s1", "s2"]


@pytest.mark.parametrize("line", [b"{}", b"[]", b"nothing", b'{"entry": "charge"}', b'{"entry": "gift"}'])
def test_a_changed_ledger_refuses_every_run(line: bytes, tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.charge(RUN, ONE)
    with (tmp_path / FILE).open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(UsageError, match="line 2: this is no line of a ledger"):
        ledger.charge(nth(2), ONE)


def test_a_ledger_that_was_put_back_is_seen_by_the_list(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.charge(RUN, ONE)
    old = (tmp_path / FILE).read_bytes()
    ledger.charge(nth(2), ONE)
    listed = [RUN, nth(2), replace(RUN, session="s3", epsilon=0.0)]
    ledger.check("a", ONE, listed)
    (tmp_path / FILE).write_bytes(old)
    for refused in (lambda: ledger.check("a", ONE, listed), lambda: ledger.charge(nth(4), ONE, listed)):
        with pytest.raises(BudgetError, match="lacks the run 'small' of 2026-05-10"):
            refused()
    Ledger(tmp_path).check("a", ONE, listed[:1])  # the list was put back, too: nothing here can know
    text = shown(ledger.read(), listed)
    assert "1 run with [privacy] in releases.jsonl, but not here" in text
    assert "No budget counts 1 entry of releases.jsonl" in text


def shown(account: Account, listed: list[Release]) -> str:
    return "\n".join(b.text if isinstance(b, Line) else str(b.rows) for b in budget_blocks(account, listed))


def test_text_of_an_account(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert "No budget of epsilon is set" in budget_text(ledger.read(), ONE)
    assert "Nothing was spent." in shown(ledger.read(), [])
    ledger.set_budget(5, DELTA)
    ledger.charge(RUN, ONE)
    assert "Spent: epsilon = 0.8" in shown(ledger.read(), [])
    assert "with this run: 1." in budget_text(ledger.read(), ONE)
    (grid,) = [block for block in budget_blocks(ledger.read(), []) if isinstance(block, Grid)]
    assert grid.rows[0][1:] == ("small", "a", "x" * 12, "1", "1e-06")


@pytest.mark.parametrize("one", [ONE, VECTORS], ids=["numbers", "vectors"])
def test_two_runs_at_once_do_not_both_take_the_rest(tmp_path: Path, one: Charge) -> None:
    """The budget is for three such runs; each of two charges as many as it can. A lock is one of open files."""
    most = Account(None, ()).spent(1e-6, [one] * 3)
    Ledger(tmp_path).set_budget(most * 1.001, 1e-6)
    told: list[str] = []
    refused: list[str] = []

    def take(who: str) -> None:
        for k in range(9):
            run = replace(RUN, session=f"{who}-{k}")
            try:
                Ledger(tmp_path).charge(run, one)
            except BudgetError:
                refused.append(who)
                return
            told.append(run.session)

    threads = [threading.Thread(target=take, args=(who,)) for who in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(told) == sorted(charges(tmp_path)) and len(told) == 3
    assert sorted(refused) == ["a", "b"]


KILL_MANY = """
import os, pathlib, random, signal, sys, time
from parties.trust.budget import Charge, Ledger
from parties.trust.releases import Release
from protocols.privacy.accounting import Mechanism, VectorMechanism
ledger, moments = Ledger(pathlib.Path(sys.argv[1])), random.Random(1)
charge = Charge((Mechanism(1000, 16, 3), VectorMechanism(1000, 90, 20, 0.1)), 1.0, 1e-6)
for who in range(int(sys.argv[2])):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        for k in range(10_000):
            ledger.charge(Release("", "small", "d", f"{who}-{k}", "a", (), "x", 60, (), ()), charge)
            os.write(writer, f"{who}-{k}\\n".encode())
    os.close(writer)
    first = os.read(reader, 1)
    time.sleep(moments.uniform(0.0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    rest = os.fdopen(reader, "rb").read()
    print((first + rest).decode(), end="")
"""


def killed_at_random_moments(folder: Path, times: int) -> tuple[list[str], list[str]]:
    """Kill a process that charges, so many times; what it was told was charged, and what the ledger has."""
    words = [sys.executable, "-c", KILL_MANY, str(folder), str(times)]
    told = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300).stdout
    return told.split(), charges(folder)


def test_what_was_told_as_charged_survives_a_kill(tmp_path: Path) -> None:
    told, found = killed_at_random_moments(tmp_path, 2)
    assert told and set(told) <= set(found)
    for line in (tmp_path / FILE).read_text().splitlines()[:-1]:
        json.loads(line)


@pytest.mark.soak
def test_two_hundred_kills_lose_no_charge(tmp_path: Path) -> None:
    told, found = killed_at_random_moments(tmp_path, 200)
    assert len(told) > 200 and set(told) <= set(found)
