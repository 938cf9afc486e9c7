"""A party's process under the launcher, of any kind: `python -m parties.processes.party.member --as NAME SCENARIO`.

A copy of the launcher's process (`parties.processes.fork`) has all these imports already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpc.errors import InternalError
from parties.base.ending import end_process
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.processes.party.lifeline import Lifeline, die_with_parent, first_hand

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario

Part = Callable[[Mapping[str, Any], Lifeline, Reporter, Logger], dict[str, Any]]
"""A party's part: takes its order, returns its result."""


def main() -> int:
    """Follow the launcher's order; returns the exit code."""
    die_with_parent()
    reporter = Reporter.to_launcher()
    lifeline = Lifeline()
    order = lifeline.order()
    from parties.base.bugs import as_error  # after the order was read: imports take longer than the launcher's line
    from parties.base.logs import open_log
    from parties.tasks.registry import load_any

    log = open_log(Path(order["out"]), order["name"])
    if "faults" in order:
        from parties.processes.party.own_faults import OwnFaults

        OwnFaults(order, reporter).enters("start", 0)
    try:
        part = part_of(_apply_order(load_any(Path(order["scenario"])), order))
        result = part(order, lifeline, reporter, log)
    except Exception as problem:
        error = as_error(problem)
        reporter.failed(error, first_hand=first_hand(error))
        return error.exit_code
    reporter.done(result)
    logging.shutdown()
    return 0


def _apply_order(scenario: Scenario | StarScenario, order: Mapping[str, Any]) -> Scenario | StarScenario:
    """The scenario on the network that the launcher emulates, with what its command line named."""
    from parties.scenario.network import NetworkSpec
    from parties.scenario.step import read_order

    said = order.get("network")
    network = None if said is None else NetworkSpec.model_validate(said)
    return scenario.model_copy(update={"network": network, **read_order(order)})


def part_of(scenario: Scenario | StarScenario) -> Part:
    """The part for this class of scenario. It is imported here, so that the other class is never loaded."""
    from parties.scenario.file import Scenario
    from parties.tasks.own_code import admit_neighbours

    if scenario.program is not None:
        admit_neighbours(scenario.program)  # a thread of the part executes it
    if not isinstance(scenario, Scenario):
        from parties.processes.party.star_member import part_in_star

        return partial(part_in_star, scenario)
    from parties.processes.party.own_faults import OwnFaults
    from parties.session.secrets import seed_for_tests
    from parties.session.take_part import Prepared, take_part
    from parties.session.traced import tracer_to
    from parties.trust.share_file import Vault

    def part(order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger) -> dict[str, Any]:
        place = _place(order, scenario.parties, lifeline, reporter)
        place = replace(place, through=OwnFaults(order, reporter).through)
        name, out = order["name"], Path(order["out"])
        tracer = None
        if order.get("trace"):
            tracer = tracer_to(trace_path(out, name), name, values=seed_for_tests(scenario) is not None)
            lifeline.before_end(tracer.close)
        own = Prepared(vault=Vault(name, out), tracer=tracer)
        return take_part(scenario, name, place, reporter, log, own)

    return part


def load_libraries(scenario: Scenario | StarScenario) -> None:
    """Import what the parties of such a scenario need; their processes, copies of this one, then have it."""
    import duckdb  # noqa: F401
    import numpy.ma  # noqa: F401  # in which DuckDB gives columns

    from parties.scenario.file import Scenario
    from parties.tasks.registry import job_of

    part_of(scenario)
    if isinstance(scenario, Scenario) and (load := job_of(scenario).run.load_libraries) is not None:
        load(scenario)


def _place(order: Mapping[str, Any], parties: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter) -> Any:
    """The place of a party: it listens for those listed after it in the scenario, and dials those before it."""
    from parties.processes.party.order_keys import read_keys
    from parties.session.take_part import Place

    names = list(parties)
    place = names.index(order["name"])

    def find(endpoint: str | None) -> dict[str, str]:
        reporter.listening(endpoint)
        endpoints = lifeline.peers()
        dial = {}
        for peer in names[:place]:
            where = endpoints.get(peer)
            if where is None:
                raise InternalError(f"{peer} does not listen")
            dial[peer] = where
        return dial

    identity, peers = read_keys(order["keys"])
    listen = "tcp://127.0.0.1:*" if place < len(names) - 1 else None
    return Place(identity, peers, listen, find, local=True)


if __name__ == "__main__":
    end_process(main())
