"""SIGKILL to the server and to a client of federated learning at random moments, and each is started again."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.run.command import Ran, Running, record
from tests.run.federated import write_federated
from tests.run.sums import party
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

MOMENTS = 50
CLIENTS = ("c1", "c2", "c3", "c4")
PATIENT = 240.0
ROUNDS = 12  # and one before them, for the scales, and one after


@dataclass(frozen=True)
class Moment:
    """Some time after the server's state was written so many times; 0: after the start."""

    writes: int
    seconds: float

    @classmethod
    def of(cls, draw: Random) -> Moment:
        """One of those that a study has."""
        writes = draw.randrange(2 * ROUNDS)
        return cls(writes, draw.uniform(0.0, 0.1 if writes else 2.0))

    def wait(self, path: Path, running: Running) -> None:
        """Until then, or until the process has ended."""
        while running.process.poll() is None and self.writes:
            lists = [*(path.parent / "keys").glob("server-*.state.list")]
            if lists and len(lists[0].read_bytes().splitlines()) >= self.writes:
                break
            time.sleep(0.002)
        time.sleep(self.seconds)


def begun(path: Path) -> dict[str, Running]:
    """All parties of a study, from the start."""
    return {name: party(path, name, "first") for name in ("server", *CLIENTS)}


def killed_at(path: Path, victim: str, moment: Moment) -> tuple[dict[str, Ran], bool]:
    """A study whose victim is killed at a moment, and started again at once.

    Returns how each party's last process ended, and whether the victim was killed before its part was over. One that
    had written its record is not started again, nor is its end returned: its study is done.
    """
    running = begun(path)
    moment.wait(path, running["server"])
    struck = running[victim].process.poll() is None
    if struck:
        with suppress(ProcessLookupError):  # it may end just now
            running[victim].process.kill()
        killed = running.pop(victim).end(PATIENT)
        written = path.parent / "first" / victim / "result.json"
        struck = killed.code != 0 and not (written.is_file() and json.loads(written.read_bytes())["status"] == "ok")
        if struck:
            running[victim] = party(path, victim, "second")
    return {name: one.end(PATIENT) for name, one in running.items()}, struck


def study(folder: Path, number: int) -> Path:
    """A study; against a server that may lie, if its number is odd: it has the same model."""
    task = 'server = "malicious"\n' if number % 2 else ""
    return write_federated(folder, clients=len(CLIENTS), rounds=ROUNDS, task=task)


def result(path: Path, *, struck: bool) -> dict[str, Any]:
    """What the server's last process recorded."""
    found: dict[str, Any] = record(path.parent / ("second" if struck else "first") / "server")["federated"]
    return found


def check_numbers(path: Path) -> None:
    """No round number was used twice, and each client released each key's vector for one set of survivors."""
    for file in (path.parent / "keys").glob("*.rounds"):
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        assert set(Counter(line.get("round") for line in lines).values()) == {1}, file.name


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of a study in which nobody is killed."""
    path = study(tmp_path_factory.mktemp("whole"), 0)
    ends = {name: one.end(PATIENT) for name, one in begun(path).items()}
    assert {ran.code for ran in ends.values()} == {0}, ends
    return result(path, struck=False)


@pytest.mark.parametrize("number", SOAK.chosen("federated server", range(MOMENTS)))
def test_a_killed_server(tmp_path: Path, number: int, expected: dict[str, Any], tell: Tell) -> None:
    """It goes on, to the same model: no client was lost, so no update was."""
    path, moment = study(tmp_path, number), Moment.of(Random(f"{SOAK.seed()}/{number}"))
    ends, struck = killed_at(path, "server", moment)
    assert {ran.code for ran in ends.values()} == {0}, (moment, ends)
    found = result(path, struck=struck)
    assert [one["clients"] for one in found["rounds"]] == [len(CLIENTS)] * len(found["rounds"]), moment
    assert found["weights"] == expected["weights"]
    check_numbers(path)
    tell("SIGKILL to the server of federated learning", **{"same_model" if struck else "was_done_before": 1})


@pytest.mark.parametrize("number", SOAK.chosen("federated client", range(MOMENTS)))
def test_a_killed_client(tmp_path: Path, number: int, expected: dict[str, Any], tell: Tell) -> None:
    """The study goes on without it, and with it from the next round."""
    draw = Random(f"{SOAK.seed()}/client/{number}")
    path, victim, moment = study(tmp_path, number), draw.choice(CLIENTS), Moment.of(draw)
    ends, struck = killed_at(path, victim, moment)
    others = {name: ran for name, ran in ends.items() if name != victim}
    assert {ran.code for ran in others.values()} == {0}, (moment, ends)
    found = result(path, struck=False)
    assert found["rounds"][-1]["phase"] == "evaluate"
    took = [one["clients"] for one in found["rounds"]]
    missed = [place for place, clients in enumerate(took) if clients < len(CLIENTS)]
    assert min(took) >= len(CLIENTS) - 1 and missed == [*range(*((missed[0], missed[-1] + 1) if missed else (0,)))], (
        took
    )
    assert victim not in ends or ends[victim].code in ((0, 4, 7) if struck else (0,)), ends[victim]
    check_numbers(path)
    outcome = "was_done_before" if not struck else "same_model" if min(took) == len(CLIENTS) else "missed_a_round"
    assert outcome == "missed_a_round" or found["weights"] == expected["weights"]
    tell("SIGKILL to a client of federated learning", **{outcome: 1})
