"""What encryption costs the demo: side by side with a link that has none, which exists in this test alone."""

from __future__ import annotations

import re
import statistics
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from parties.cli.run_locally import orders
from parties.processes.child import Program
from parties.processes.launcher import launch
from parties.tasks.registry import load_scenario
from tests.run.command import ROOT

DEMO = ROOT / "scenarios" / "two_hospitals.toml"
PAIRS = 15
STAGES = {"steps": ("training", "range check"), "opening of X - A": ("sharing", "training")}
PROGRAMS = {"CURVE": Program("parties.processes.party.member"), "in clear": Program("tests.links.zmq.plain_member")}


def began(log: Path) -> dict[str, float]:
    """When each stage began, in seconds, by a party's log."""
    lines = re.findall(r"^(\S+ \S+),(\d{3}) INFO (.*)$", log.read_text(), re.MULTILINE)
    times = {name: datetime.fromisoformat(when).timestamp() + int(ms) / 1000 for when, ms, name in reversed(lines)}
    assert {stage for pair in STAGES.values() for stage in pair} <= set(times)
    return times


def test_the_plain_link_is_like_the_real_one(tmp_path: Path) -> None:
    scenario = load_scenario(DEMO)
    make = partial(orders, scenario)
    program = PROGRAMS["in clear"]
    results = launch(DEMO, scenario.parties, make, out=tmp_path, on_event=lambda *_: None, program=program)
    for name, one in results.items():
        assert one["party"]["bytes_sent"] == one["plan"]["bytes"][name]


@pytest.mark.soak
@pytest.mark.speed
def test_what_encryption_costs_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    took: dict[str, dict[str, list[float]]] = {what: {kind: [] for kind in PROGRAMS} for what in STAGES}
    scenario = load_scenario(DEMO)
    for number in range(PAIRS):
        for kind, program in PROGRAMS.items():
            out = tmp_path / f"{kind}{number}"
            out.mkdir()
            make = partial(orders, scenario)
            launch(DEMO, scenario.parties, make, out=out, on_event=lambda *_: None, program=program)
            times = began(out / "hospital_a.log")
            for what, (first, last) in STAGES.items():
                took[what][kind].append(times[last] - times[first])
    best = {what: {kind: min(times) for kind, times in by.items()} for what, by in took.items()}
    middle = {what: {kind: statistics.median(times) for kind, times in by.items()} for what, by in took.items()}
    with capsys.disabled():
        for what, by in took.items():
            print(f"\n  {what}: CURVE / in clear", end="")
            for word, of in (("best", best), ("median", middle)):
                curve, clear = (1000 * of[what][kind] for kind in by)
                print(f"; {word} {curve:.1f} / {clear:.1f} ms = {curve / clear:.2f}", end="")
    # The best of each: what a busy machine adds to a run is more than what encryption does.
    assert best["steps"]["CURVE"] < 1.5 * best["steps"]["in clear"]
