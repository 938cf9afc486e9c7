"""A few of the soak's kills and stops, so that `make test` notices what breaks them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.soak.stages import Moment, begun
from tests.soak.sweeps import chosen, lines

DEADLINE = 5.0

KILLS = [
    (Moment("start"), "hospital_a"),
    (Moment("handshake"), "helper"),
    (Moment("evaluation"), "hospital_b"),
]


@pytest.mark.parametrize("moment, victim", KILLS, ids=str)
def test_a_killed_party(tmp_path: Path, moment: Moment, victim: str) -> None:
    staged = begun(tmp_path, moment, victim)
    staged.signal(victim, signal.SIGKILL)
    staged.end().check_failed(4, "peer-lost", victim)


def test_stopped_parties_where_no_peer_would_notice(tmp_path: Path) -> None:
    """One that does not listen yet, and a helper that has dealt all; side by side, for both wait for the deadline."""
    moments = {"hospital_b": Moment("start"), "helper": Moment("done")}
    runs = {}
    for victim, moment in moments.items():
        (tmp_path / victim).mkdir()
        runs[victim] = begun(tmp_path / victim, moment, victim, deadline=DEADLINE)
        runs[victim].signal(victim, signal.SIGSTOP)
    for victim, staged in runs.items():
        ended = staged.end()
        if victim == "helper" and ended.ran.code == 0:  # a busy machine has let it end before it was stopped
            ended.check_ok()
        else:
            ended.check_failed(4, "peer-lost", victim)


# -- the sweeps' own tools


def test_a_part_is_chosen_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(part: str, seeds: range) -> list[list[int]]:
        monkeypatch.setenv("SOAK_PART", part)
        found = []
        for seed in seeds:
            monkeypatch.setenv("SOAK_SEED", str(seed))
            found.append(chosen("sweep", range(50)))
        return found

    assert parts("1", range(2)) == [[*range(50)]] * 2
    tenths = parts("0.1", range(100))
    assert {len(tenth) for tenth in tenths} == {5}
    assert tenths[3] == parts("0.1", range(3, 4))[0] == sorted(tenths[3])
    assert {case for tenth in tenths for case in tenth} == {*range(50)}, "over time, all are tried"
    assert len(parts("0.0001", range(1))[0]) == 1


def test_the_counts_of_a_sweep() -> None:
    told: list[tuple[str, dict[str, float]]] = [
        ("kills", {"tried": 1, "named": 1, "slowest": 0.5}),
        ("kills", {"tried": 1000, "slowest": 0.25}),
        ("cuts", {"tried": 2}),
    ]
    assert lines(told) == ["cuts: 2 tried", "kills: 1,001 tried, 1 named, 0.5 slowest"]
