"""Runs of one's own protocols in one thread, as `mpc simulate --lockstep` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from parties.cli.simulation import Simulation, scenario_of, scenario_text
from parties.report.record import add_comparison, record_of
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread

OWN = Path(__file__).parent / "own"


def scenario(named: str, owners: int | None, *inputs: str, **more: Any) -> Scenario:
    """The scenario of a protocol in `own`."""
    asked = Simulation(program=f"{OWN / named}", inputs=inputs, owners=owners, **{"insecure_seed": 5, **more})
    return scenario_of(asked.program, scenario_text(asked))


def simulated(named: str, owners: int | None, *inputs: str, **more: Any) -> dict[str, Any]:
    """The record of a run of it."""
    one = scenario(named, owners, *inputs, **more)
    return add_comparison(one, record_of(one, run_in_one_thread(one)))


def values(record: dict[str, Any]) -> dict[str, Any]:
    """What each result holds, by name."""
    return {one["name"]: one.get("values", one.get("by_owner")) for one in record["program"]["results"]}


def line_with(text: str, file: Path = OWN / "mistakes.py") -> int:
    """The number of the first line of a file that has this text."""
    return next(k for k, line in enumerate(file.read_text().splitlines(), 1) if text in line)
