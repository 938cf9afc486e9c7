"""Clients of a star, or its helper, from their first connection to the server to their last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from mpc.links.zmq.curve import Identity
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost
from parties.scenario.star import StarScenario
from parties.session.traced import traced_clients
from parties.tasks.star.base import LINGER, silence


def host_clients(
    scenario: StarScenario,
    clients: Mapping[str, tuple[StarClient, Identity]],
    endpoint: str,
    server_key: bytes,
    listener: Callable[[int, int], None],
    trace: Path | None,
    *,
    patience: float,
    meet_within: float | None = None,
) -> ClientHost:
    """Take these clients, each over a connection of its own, through all rounds; returns their host, closed.

    Args:
        listener: called with how many of them are over, and how many there are.
        trace: the file of their trace, if they write one.
        patience: seconds for which a lost connection may come back; `meet_within` those for the first, if limited.
    """
    wait = silence(scenario, patience)
    host = ClientHost(endpoint, server_key, clients, wait, patience, listener, meet_within=meet_within)
    try:
        with traced_clients({name: one for name, (one, _) in clients.items()}, scenario.server, trace):
            host.run()
    finally:
        host.close(LINGER)
    return host
