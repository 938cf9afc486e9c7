"""A server and all its clients in this thread, without sockets, in virtual time: what their processes would report.

They are the state machines of processes. Under a test seed every bit is the same as there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

from mpc.star.client import HostedClient
from mpc.star.memory import LocalClients, MemoryNetwork
from parties.base.events import Event
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.processes.fault_agenda import FaultLog
from parties.processes.party.inside import clients_of, numbers_of
from parties.scenario.star import StarScenario
from parties.session.traced import traced_clients, traced_server
from parties.tasks.registry import star_of
from parties.tasks.star.base import ClientMistake, Seat


@dataclass(frozen=True)
class _Host:
    """Some of the clients, as one process would host them."""

    hosted: Mapping[str, HostedClient]


def star_in_one_thread(
    scenario: StarScenario, folder: Path, faults: FaultLog, log: Logger, *, trace: bool
) -> dict[str, dict[str, Any]]:
    """Run a scenario without a helper, in which the server does not lie.

    Args:
        folder: the run's.
        faults: where it is noted what goes wrong on purpose.
        trace: whether all record their stages.

    Raises:
        BeaverlodgeError: the server's error, or that of somebody's own program.
    """
    star, order = star_of(scenario), {"name": scenario.server}

    def on_event(event: Event) -> None:
        if event["event"] == "fault":
            faults.struck.setdefault(event["number"], []).append(network.now())

    reporter = Reporter(on_event)
    clients = clients_of(scenario, order, scenario.client_names, reporter.fault, log)
    home = LocalClients(clients, numbers_of(scenario))
    network = MemoryNetwork(home, scenario.star_names)

    def computed() -> float:
        return time.thread_time() - home.seconds

    with ExitStack() as stack:
        for process, members in scenario.processes.items():
            path = trace_path(folder, process) if trace else None
            stack.enter_context(traced_clients({name: clients[name] for name in members}, scenario.server, path))
        path = trace_path(folder, scenario.server) if trace else None
        tracer = stack.enter_context(traced_server(scenario.server, path))
        seat = Seat(network, 1, lambda number: None, folder, 0.0, tuple, {}, tracer, computed=computed)
        try:
            server = star.serve(scenario, seat, reporter, log, lambda: None)
        except ClientMistake as mistake:
            raise mistake.error from None
        network.close()
    hosts = {
        process: _Host({name: home.hosted[name] for name in names}) for process, names in scenario.processes.items()
    }
    return {scenario.server: server, **{process: star.result(host) for process, host in hosts.items()}}
