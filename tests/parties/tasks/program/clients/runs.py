"""Runs of one's own server and clients in one thread, as `mpc simulate --clients --lockstep` makes them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parties.base.logs import open_log
from parties.cli.run_star_locally import fault_log, star_record_of
from parties.cli.star_simulation import StarSimulation, star_scenario_of, star_scenario_text
from parties.processes.one_thread import star_in_one_thread
from parties.scenario.star import StarScenario

OWN = Path(__file__).parent


def scenario(named: str, clients: int | None, *inputs: str, **more: Any) -> StarScenario:
    """The scenario of a protocol of this folder."""
    asked = StarSimulation(program=f"{OWN / named}", inputs=inputs, clients=clients, **{"insecure_seed": 5, **more})
    return star_scenario_of(asked.program, star_scenario_text(asked))


def simulated(named: str, clients: int | None, *inputs: str, **more: Any) -> dict[str, Any]:
    """The record of a run of it."""
    one = scenario(named, clients, *inputs, **more)
    with TemporaryDirectory() as folder:
        found = star_in_one_thread(one, Path(folder), fault_log(one), open_log(Path(folder), "server"), trace=False)
    return star_record_of(one, found)


def values(record: dict[str, Any]) -> dict[str, Any]:
    """What each of the server's results holds, by name."""
    return {one["name"]: one["values"] for one in record["program"]["results"]}
