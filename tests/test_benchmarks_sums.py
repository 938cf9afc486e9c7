"""The benchmark of secure aggregation: ours runs and is right, Flower's absence is a result, both are told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import aggregation, aggregation_round
from benchmarks.running import PeerFailure
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.settings import settings_of


@pytest.mark.parametrize("malicious", [False, True])
def test_our_round_is_right(monkeypatch: pytest.MonkeyPatch, malicious: bool) -> None:
    for name, value in (("CLIENTS", 12), ("VALUES", 100), ("DROPPED", 1)):
        monkeypatch.setattr(aggregation, name, value)
    how = aggregation._coding()
    settings = settings_of(choose_bounds(12, malicious=malicious), 100, how.bits, 6)
    values = aggregation.ours(settings, 2).values
    assert max(values["error"]) < 4e-6  # half of Flower's quantisation step, and float32's rounding
    assert len(values["up"]) == 2
    assert min(values["up"]) > settings.vector_bytes


def test_a_round_that_cannot_run_says_why() -> None:
    with pytest.raises(PeerFailure, match="flwr"):
        aggregation.theirs(Path(sys.executable), 11, 7)  # an interpreter without Flower


def test_every_line_has_whose_choice_of_neighbours_it_is() -> None:
    found = [(who, note) for note, who, _ in aggregation.cases(Path("python"), 1)]
    assert len(set(found)) == len(found) == 7
    assert sum("Flower" in who for who, _ in found) == 3


@pytest.mark.parametrize("lying", [False, True])
def test_a_round_over_sockets_is_exact_and_as_planned(lying: bool) -> None:
    said = aggregation_round.measure(10, 100, 0.2, 1, lying=lying, level_bits=16).splitlines()
    assert "10 clients x 100 values of 20 bits, 2 dropping" in said[0] and ("lying" in said[0]) == lying
    assert "the sum of 8 survivors is exact; traffic is as planned" in said[1]
    assert said[2].startswith("  server: ") and said[3].startswith("  a client: ")


@pytest.mark.parametrize("words", ["--clients 2", "--values 0", "--processes 0", "--dropping 1.5"])
def test_a_round_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["aggregation_round", *words.split()])
    with pytest.raises(SystemExit) as ended:
        aggregation_round.main()
    assert ended.value.code == 2
    assert "at least 3 clients, 1 value" in capsys.readouterr().err
