"""The clients that one process hosts: their vectors, programs and journals; and what they report at the end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from logging import Logger
from statistics import median
from typing import Any

from mpc.errors import BeaverlodgeError, DataError
from mpc.faults.fault import Fault, Kind
from mpc.randomness.key_agreement import Signer
from mpc.randomness.streams import Stream, derive, os_entropy
from mpc.ring.array import Array
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost
from mpc.star.stage import ClientProgram
from parties.base.memory import peak_memory
from parties.scenario.problems import quote
from parties.tasks.secure_sum.data import ClientRows, Values, numbers_of
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star import NO_TRIALS, Membership, Trials
from parties.trust.rounds import AgreedRounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.graph import shuffled
from protocols.aggregation.messages import stages
from protocols.aggregation.settings import Journal, Occasion, Settings, Trust


def clients_of(
    scenario: SumScenario, members: Mapping[str, Membership], log: Logger, trials: Trials = NO_TRIALS
) -> dict[str, StarClient]:
    """The clients of this process, ready to join; a client with unfit data reports only that to the server."""
    numbers = {name: number for number, name in enumerate(scenario.client_names)}
    settings, rows = scenario.settings, ClientRows(scenario)
    clients = {}
    for name, member in members.items():
        part = _Part(scenario, settings, name, numbers[name], member, rows, log)
        try:
            part.prepare()
        except DataError as error:
            log.error("%s: %s", name, error)
            clients[name] = _unfit(error)
            continue
        fault, enters = trials.faults.get(name), partial(trials.enters, name)
        clients[name] = StarClient(part.program, scenario.meeting, fault, scenario.task.rounds, enters=enters)
    return clients


def client_faults(scenario: SumScenario) -> dict[str, Fault]:
    """The hosted clients that vanish or straggle, each with its fault: some in each stage where none is named.

    Those of one seed are always the same ones.
    """
    spec = scenario.faults.clients if scenario.faults is not None else None
    if scenario.faults is None or spec is None:
        return {}
    names = scenario.hosted_clients
    order = shuffled(len(names), Stream(derive(bytes(32), f"faults/{scenario.name}/{scenario.faults.seed}"))).tolist()
    kinds = stages(scenario.task.server == "malicious") if spec.stage is None else (spec.stage,)
    count = int(spec.vanish * len(names)), int(spec.straggle * len(names))
    found = {}
    for turn, place in enumerate(order[: sum(count)]):
        kind: Kind = "vanish" if turn < count[0] else "delay"
        found[names[place]] = Fault(kind, stage=kinds[turn % len(kinds)], seconds=spec.seconds)
    return found


def trust_of(signing: bytes, public: list[bytes]) -> Trust:
    """A client's keys against a lying server: its signing key, and everybody's public one in the clients' order."""
    return Trust(Signer(signing), public)


def hosts_result(host: ClientHost) -> dict[str, Any]:
    """The report of this process, which hosts clients."""
    clients = {name: one.client for name, one in host.hosted.items()}
    through = [one for one in host.hosted.values() if one.client.rounds]
    seconds = [one.seconds / one.client.rounds for one in through]
    return {
        "party": {
            "role": "client",
            "pid": os.getpid(),
            "clients": len(clients),
            "rounds": max((client.rounds for client in clients.values()), default=0),
            "bytes_sent": sum(client.sent for client in clients.values()),
            "bytes_received": sum(client.received for client in clients.values()),
            "peak_memory": peak_memory(),
        },
        "client_seconds": seconds,
        "median_client_seconds": median(seconds) if through else None,
        "failed": {name: client.failure.code for name, client in clients.items() if client.failure is not None},
        "vanished": [name for name, client in clients.items() if client.vanished],
    }


class _Part:
    """One client's part: its numbers, round by round, and the program that adds them up."""

    def __init__(
        self,
        scenario: SumScenario,
        settings: Settings,
        name: str,
        number: int,
        member: Membership,
        rows: ClientRows,
        log: Logger,
    ) -> None:
        self._scenario = scenario
        self._settings = settings
        self._name = name
        self._number = number
        self._member = member
        self._rows = rows
        self._log = log
        self._agreed = AgreedRounds(scenario.task.rounds, scenario.task.attempts)
        self._place = 0
        self._values: Values
        self._numbers: Array

    def prepare(self, place: int = 1) -> None:
        """Read the rows of a round, if they are not there yet.

        Raises:
            DataError: they cannot be read, or hold what the scenario refuses.
        """
        if place == self._place:
            return
        self._values = self._rows.of(self._name, place)
        numbers = numbers_of(self._scenario, self._name, self._values)
        self._numbers, self._place = numbers.vector, place
        if numbers.clipped:
            text = "%s: %d cells were outside the agreed range, and were clipped"
            self._log.warning(text, self._name, numbers.clipped)
        if numbers.withheld:
            text = "%s: fewer rows than %d in cells of %s: it adds nothing for them, or the commonest value"
            self._log.warning(text, self._name, self._scenario.task.min_cell, quote(numbers.withheld))

    def program(self, session: bytes, number: int, attempt: int) -> ClientProgram:
        """This client's program for an attempt at a round; its rows are read before anything is sent."""
        self.prepare(self._agreed.place(session, number, attempt))
        journal: Journal = self._member.journal
        noted: AbstractContextManager[object] = nullcontext()
        if self._member.noting is not None:
            noted, journal = self._member.noting(session, number, self._values, journal)
        occasion = Occasion(session, number, attempt)
        make = partial(aggregation_client, self._number, self._settings, occasion, self._numbers)
        return _within(noted, make(os_entropy, journal, self._member.trust))


async def _within(noted: AbstractContextManager[object], program: ClientProgram) -> None:
    with noted:
        await program


def _unfit(error: BeaverlodgeError) -> StarClient:
    client = StarClient(_never, b"")
    client.failure = error
    return client


def _never(session: bytes, round_: int, attempt: int) -> ClientProgram:
    raise AssertionError
