"""A server and its clients over a network in virtual time, of any kind over a server."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mpc.randomness.key_agreement import Signer
from mpc.randomness.streams import derive
from mpc.star.client import StarClient
from mpc.star.wire import UP
from parties.base.reporter import Reporter
from parties.scenario.star import StarScenario
from parties.tasks.registry import star_of
from parties.tasks.star.base import NO_TRIALS, Membership, Seat
from parties.tasks.star.clients import trust_of
from parties.trust.round_journal import RoundJournal
from protocols.aggregation.settings import Trust
from tests.links.star.fake import FakeNetwork, Fault, no_fault

LOG = logging.getLogger("test_star")
Faults = Callable[[list[StarClient]], Fault]


@dataclass
class Study:
    """A run that is about to begin.

    Attributes:
        served: runs the server; returns its result.
        clients: by number; the helper last.
        used: the round numbers that the server noted.
    """

    served: Callable[[], dict[str, Any]]
    clients: list[Any]
    network: FakeNetwork
    used: list[int] = field(default_factory=list)


def study(scenario: StarScenario, folder: Path, faults: Faults = lambda clients: no_fault, first: int = 1) -> Study:
    """The server, the clients and the helper of a scenario."""
    star, names = star_of(scenario), scenario.client_names
    trusts: dict[str, Trust | None] = dict.fromkeys(names)
    if scenario.task.server == "malicious":
        keys = [derive(bytes(32), name) for name in names]
        public = [Signer(key).public for key in keys]
        trusts = {name: trust_of(key, public) for name, key in zip(names, keys, strict=True)}
    members = {name: Membership(RoundJournal(folder / f"{name}.rounds", sync=False), trusts[name]) for name in names}
    clients = list(star.clients(scenario, members, LOG, NO_TRIALS).values())
    clients += [star.helper(scenario)] if scenario.helper is not None else []
    network = FakeNetwork(scenario.star_names, clients, faults(clients))
    used: list[int] = []
    seat = Seat(network, first, used.append, folder, 1.0, tuple, {})

    def served() -> dict[str, Any]:
        try:
            return star.serve(scenario, seat, Reporter(lambda event: None), LOG, network.begin)
        finally:
            while network.poll(1.0) is not None:
                pass

    return Study(served, clients, network, used)


def late(numbers: set[int], stage: str, rounds: Collection[int] = range(1, 99), attempts: int = 9) -> Faults:
    """The messages of these clients in a stage come after the deadline, in these rounds and so many attempts."""

    def over(clients: list[StarClient]) -> Fault:
        def fault(client: int, up: bool, kind: int, at: str) -> tuple[float, ...]:
            hit = client in numbers and (up, kind, at) == (True, UP, stage)
            round_, attempt = clients[client]._at
            return (200.0,) if hit and round_ in rounds and attempt <= attempts else (0.001,)

        return fault

    return over
