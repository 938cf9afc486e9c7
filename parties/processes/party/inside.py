"""Clients without sockets, in virtual time: in the server's process, or on a cluster. A simulation by the thousand.

They are the same state machines as in processes of their own, with keys and entropy of their own. Nothing keeps the
server's code from looking at them, so this protects nobody: it shows what a run gives and costs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any, Final

from mpc.links.network import Network
from mpc.star.client import StarClient
from mpc.star.memory import LocalClients, MemoryNetwork
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.processes.party.own_faults import hosted_trials
from parties.scenario.star import HOSTED, StarScenario
from parties.session.traced import traced_clients
from parties.tasks.registry import star_of
from parties.tasks.star.base import Membership
from parties.tasks.star.clients import trust_of
from parties.trust.round_journal import RoundJournal

INSIDE: Final = "inside"
"""The key in a server's result of what the clients in its process report, by what stands for their process."""


@dataclass(frozen=True)
class Links:
    """A server's links to all its clients.

    Args:
        network: to those that dial, and to those inside.
        report: what those inside report at the end, for the server's result.
        computed: the processor time of the server's own computation, in seconds.
    """

    network: Network
    report: Callable[[], dict[str, Any]] = dict
    computed: Callable[[], float] = time.thread_time


@contextmanager
def links_with_inside(
    scenario: StarScenario, order: Mapping[str, Any], dialled: Network | None, reporter: Reporter, log: Logger
) -> Iterator[Links]:
    """The links to clients in this process, beside those to others that dial; where none does, the clock is virtual."""
    if not scenario.inside:
        assert dialled is not None
        yield Links(dialled)
        return
    if scenario.clients is not None and scenario.clients.cluster is not None:
        from parties.processes.party.on_cluster import clients_on_cluster

        with clients_on_cluster(scenario, order, scenario.clients.cluster, reporter, log) as elsewhere:
            network = MemoryNetwork(elsewhere, scenario.star_names, dialled)

            def reports() -> dict[str, Any]:
                network.close()
                return {INSIDE: elsewhere.reports()}

            yield Links(network, reports)
        return
    star = star_of(scenario)
    clients = clients_of(scenario, order, scenario.inside, reporter.fault, log)
    home = LocalClients(clients, numbers_of(scenario))
    network = MemoryNetwork(home, scenario.star_names, dialled)

    def computed() -> float:
        return time.thread_time() - home.seconds

    def report() -> dict[str, Any]:
        network.close()
        return {INSIDE: {HOSTED: star.result(home)}}

    trace = trace_path(Path(order["out"]), HOSTED) if order.get("trace") else None
    try:
        with traced_clients(clients, scenario.server, trace):
            yield Links(network, report, computed)
    finally:
        tell_failures(clients, log, reporter)


def clients_of(
    scenario: StarScenario,
    order: Mapping[str, Any],
    names: tuple[str, ...],
    struck: Callable[[int, str | None], None],
    log: Logger,
) -> dict[str, StarClient]:
    """Simulated clients, ready to join. Their journals live as long as they do.

    Args:
        struck: told the number of each fault on purpose that strikes.
    """
    star = star_of(scenario)
    public = [bytes.fromhex(key) for key in order.get("verifying", ())]
    signing = {name: bytes.fromhex(key) for name, key in order.get("signing", {}).items()}
    members = {
        name: Membership(RoundJournal(None), trust_of(signing[name], public) if signing else None) for name in names
    }
    return star.clients(scenario, members, log, hosted_trials(scenario, order, struck, star.client_faults(scenario)))


def numbers_of(scenario: StarScenario) -> dict[str, int]:
    """Each client's number in the star."""
    return {name: i for i, name in enumerate(scenario.star_names)}


def tell_failures(clients: Mapping[str, StarClient], log: Logger, reporter: Reporter) -> None:
    """Log each client's error, and show the first that a client found itself: the server hears a code alone."""
    own = []
    for name, one in clients.items():
        if one.failure is not None:
            log.error("%s: %s", name, one.failure)
            if one.failure.told_by is None:
                own.append(f"{name}: {one.failure.message}")
    if own:
        others = f" (and {len(own) - 1} more: see the log)" if own[1:] else ""
        reporter.log("warning", f"{own[0]}{others}")
