"""A client of noisy sums that is killed at any moment, and two at once: never more is released than its ledger has."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from parties.tasks.secure_sum.private import planned_charge
from parties.trust.budget import FILE, Ledger
from protocols.privacy.accounting import epsilon_of
from tests.helpers import ROOT
from tests.parties.tasks.secure_sum.test_private import private

DELTA = 1e-5
CLIENT = """
import hashlib, logging, os, pathlib, random, signal, sys, time
from mpc.errors import BudgetError, TooFewError
from parties.tasks.registry import load_any
from parties.tasks.secure_sum.ends.clients import clients_of
from parties.tasks.secure_sum.star import STAR
from parties.tasks.star.base import Membership, release_name
from parties.trust.budget import Ledger
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import new_session

folder, me, kills = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
scenario, moments = load_any(folder / "sums.toml"), random.Random(me)

def charge(session, name, rows, cost):
    run = STAR.release(scenario, me, rows, release_name(session, name))
    Ledger(folder / "keys").charge(run, cost, again=True)

def release(writer):
    member = Membership(RoundJournal(folder / f"{me}.rounds"), charge=charge)
    client = clients_of(scenario, {me: member}, logging.getLogger("killed"))[me]
    part = client._facts.make.__self__
    os.write(writer, b"ready\\n")
    for number in range(1, 100_000):
        try:
            vector = part._with_noise(bytes(32), number)
        except TooFewError:
            continue
        except BudgetError:
            os.write(writer, b"refused\\n")
            os._exit(0)
        os.write(writer, f"{number} {hashlib.sha256(vector.tobytes()).hexdigest()}\\n".encode())

clients_of(scenario, {me: Membership(RoundJournal(None))}, logging.getLogger("killed"))  # what it imports is there
Ledger(folder / "keys").read().spent(1e-5, [STAR.charge(scenario)])

for _ in range(kills):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        release(writer)
    os.close(writer)
    assert os.read(reader, 6) == b"ready\\n"
    time.sleep(moments.uniform(0.0, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(os.fdopen(reader, "rb").read().decode(), end="")
"""


def killed(folder: Path, kills: int, *clients: str) -> dict[str, list[str]]:
    """What each client released, line by line, while it was killed so many times; all of them at once."""
    words = [[sys.executable, "-c", CLIENT, str(folder), name, str(kills)] for name in clients]
    running = [subprocess.Popen(one, cwd=ROOT, stdout=subprocess.PIPE, text=True) for one in words]
    told = [one.communicate(timeout=500)[0] for one in running]
    assert [one.returncode for one in running] == [0] * len(clients)
    return {name: one.splitlines() for name, one in zip(clients, told, strict=True)}


def check(folder: Path, told: dict[str, list[str]]) -> int:
    """Each release is charged, and none has a second noise; returns how many there were."""
    charged = Counter((one.party, one.session) for one in Ledger(folder / "keys").read().charges)
    released = [(name, line.split()[0]) for name, lines in told.items() for line in lines if line != "refused"]
    assert len(released) == len(set(released))
    for name, number in released:
        assert charged[name, f"{bytes(32).hex()}/{number}"] == 1
    return len(released)


@pytest.mark.soak
def test_two_hundred_kills_release_nothing_uncharged(tmp_path: Path) -> None:
    private(tmp_path)
    assert check(tmp_path, killed(tmp_path, 200, "c1")) > 20
    for line in (tmp_path / "keys" / FILE).read_text().splitlines()[:-1]:
        json.loads(line)


@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.soak)])
def test_two_killed_clients_share_one_budget(tmp_path: Path, kills: int) -> None:
    """It is for 12 releases: both together get no more, and both are refused in the end."""
    one = private(tmp_path)
    charge = planned_charge(one)
    assert charge is not None
    most = epsilon_of(charge.mechanisms * 12, DELTA) * 1.0001
    ledger = Ledger(tmp_path / "keys")
    ledger.set_budget(most, DELTA)
    told = killed(tmp_path, kills, "c1", "c2")
    account = ledger.read()
    assert check(tmp_path, told) <= len(account.charges) <= 12 and account.spent(DELTA) <= most
    if kills > 8:
        assert len(account.charges) == 12 and all("refused" in lines for lines in told.values())
