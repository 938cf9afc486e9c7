"""The clients that one process hosts: their vectors, programs and journals; and what they report at the end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from logging import Logger
from pathlib import Path
from statistics import median
from typing import Any

from mpc.agree import Signer
from mpc.errors import BeaverlodgeError, DataError
from mpc.ghost import Array
from mpc.prg import Stream, derive, os_entropy
from mpc.star import ClientProgram
from mpc.star_client import StarClient
from mpc.star_sockets import ClientHost
from parties.journal import RoundJournal
from parties.sum_data import client_numbers, hosted_numbers
from parties.sum_scenario import SumScenario
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.graph import shuffled
from protocols.aggregation.messages import stages
from protocols.aggregation.settings import Occasion, Trust


def clients_of(scenario: SumScenario, order: Mapping[str, Any], log: Logger) -> dict[str, StarClient]:
    """The clients of this process, ready to join; one whose data are not fit says so to the server, and no more.

    Raises:
        DataError: this is the process of a single client, and its data are not fit.
    """
    names = list(order["clients"])
    alone = order["name"] in names
    numbers = {name: place for place, name in enumerate(scenario.client_names)}
    found = [(names[0], client_numbers(scenario, names[0]))] if alone else hosted_numbers(scenario, names)
    drops = {} if alone else dropping(scenario)
    clients = {}
    for name, vector in found:
        if isinstance(vector, DataError):
            log.error("%s: %s", name, vector)
            clients[name] = _unfit(vector)
            continue
        values, clipped = vector
        if clipped:
            log.warning("%s: %d cells were outside the agreed range, and were clipped", name, clipped)
        journal = RoundJournal(Path(order["out"]) / f"{name}.rounds", sync=alone)
        program = partial(_program, scenario, numbers[name], values, journal, _trust(order, name))
        clients[name] = StarClient(program, bytes.fromhex(scenario.digest), drops.get(name))
    return clients


def dropping(scenario: SumScenario) -> dict[str, str]:
    """Which hosted clients vanish in which stage: as many as `dropping` says, some in each, always the same ones."""
    names = scenario.hosted
    share = scenario.clients.dropping if scenario.clients is not None else 0.0
    places = shuffled(len(names), Stream(derive(bytes(32), f"dropping/{scenario.name}")))[: int(share * len(names))]
    kinds = stages(scenario.task.server == "malicious")
    return {names[place]: kinds[turn % len(kinds)] for turn, place in enumerate(places.tolist())}


def hosts_result(host: ClientHost, pid: int, peak: int) -> dict[str, Any]:
    """What a process that hosts clients reports."""
    clients = {name: one.client for name, one in host.hosted.items()}
    through = [one for one in host.hosted.values() if one.client.rounds]
    return {
        "party": {
            "role": "client",
            "pid": pid,
            "clients": len(clients),
            "bytes_sent": sum(client.sent for client in clients.values()),
            "bytes_received": sum(client.received for client in clients.values()),
            "peak_memory": peak,
        },
        "client_seconds": [one.seconds for one in through],
        "median_client_seconds": median(one.seconds for one in through) if through else None,
        "failed": {name: client.failure.code for name, client in clients.items() if client.failure is not None},
        "vanished": [name for name, client in clients.items() if client.vanished],
    }


def _program(
    scenario: SumScenario,
    number: int,
    values: Array,
    journal: RoundJournal,
    trust: Trust | None,
    session: bytes,
    round_: int,
    attempt: int,
) -> ClientProgram:
    occasion = Occasion(session, round_, attempt)
    return aggregation_client(number, scenario.settings, occasion, values, os_entropy, journal, trust)


def _trust(order: Mapping[str, Any], name: str) -> Trust | None:
    if "signing" not in order:
        return None
    public = [bytes.fromhex(key) for key in order["verifying"]]
    return Trust(Signer(bytes.fromhex(order["signing"][name])), public)


def _unfit(error: BeaverlodgeError) -> StarClient:
    client = StarClient(_never, b"")
    client.failure = error
    return client


def _never(session: bytes, round_: int, attempt: int) -> ClientProgram:
    raise AssertionError
