"""The clients that one process hosts, of any kind over a server: what goes wrong on purpose, and what is reported."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from logging import Logger
from statistics import median
from typing import Any

from mpc.errors import DataError
from mpc.faults.fault import Fault, Kind
from mpc.randomness.key_agreement import Signer
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.star.client import Host, StarClient
from mpc.star.stage import ClientProgram
from parties.base.memory import peak_memory
from parties.scenario.star import StarScenario
from parties.tasks.star.base import Membership
from parties.tasks.star.noise import Charging
from parties.trust.releases import Release, now
from protocols.aggregation.parts.graph import shuffled
from protocols.aggregation.settings import Trust


def client_faults(scenario: StarScenario, stages: Sequence[str]) -> dict[str, Fault]:
    """The hosted clients that vanish or straggle, each with its fault: some in each stage where none is named.

    Those of one seed are always the same ones.

    Args:
        stages: those of a round.
    """
    spec = scenario.faults.clients if scenario.faults is not None else None
    if scenario.faults is None or spec is None:
        return {}
    names = scenario.hosted_clients
    order = shuffled(len(names), Stream(derive(bytes(32), f"faults/{scenario.name}/{scenario.faults.seed}"))).tolist()
    kinds = stages if spec.stage is None else (spec.stage,)
    count = int(spec.vanish * len(names)), int(spec.straggle * len(names))
    found = {}
    for turn, place in enumerate(order[: sum(count)]):
        kind: Kind = "vanish" if turn < count[0] else "delay"
        found[names[place]] = Fault(kind, stage=kinds[turn % len(kinds)], seconds=spec.seconds)
    return found


def trust_of(signing: bytes, public: list[bytes]) -> Trust:
    """A client's keys against a lying server: its signing key, and everybody's public one in the clients' order."""
    return Trust(Signer(signing), public)


def client_seconds(hosts: Iterable[Mapping[str, Any]]) -> dict[str, float | None]:
    """The median and the most of the clients' own computation in a round, from the reports of all their processes."""
    seconds = sorted(one for host in hosts for one in host["client_seconds"])
    return {"median": seconds[len(seconds) // 2] if seconds else None, "most": seconds[-1] if seconds else None}


def hosts_result(host: Host) -> dict[str, Any]:
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
            "bytes_sent": sum(client.counts.sent for client in clients.values()),
            "bytes_received": sum(client.counts.received for client in clients.values()),
            "peak_memory": peak_memory(),
        },
        "client_seconds": seconds,
        "median_client_seconds": median(seconds) if through else None,
        "failed": {name: client.failure.code for name, client in clients.items() if client.failure is not None},
        "vanished": [name for name, client in clients.items() if client.vanished],
    }


async def run_noted(noted: AbstractContextManager[object], program: ClientProgram) -> None:
    """A client's program, with what notes its releases around it."""
    with noted:
        await program


def make_clients(
    scenario: StarScenario,
    members: Mapping[str, Membership],
    log: Logger,
    make: Callable[[str, int, Membership], StarClient],
) -> dict[str, StarClient]:
    """The clients of this process, ready to join; one with unfit data reports only that to the server.

    Args:
        make: makes a client, of its name and number; raises DataError where its data are unfit.
    """
    numbers = {name: number for number, name in enumerate(scenario.client_names)}
    clients = {}
    for name, member in members.items():
        try:
            clients[name] = make(name, numbers[name], member)
        except DataError as error:
            log.error("%s: %s", name, error)
            clients[name] = _unfit(error)
    return clients


def _unfit(error: DataError) -> StarClient:
    client = StarClient(_never, b"")
    client.failure = error
    return client


def _never(session: bytes, round_: int, attempt: int) -> ClientProgram:
    raise AssertionError


class NoisyVectors:
    """A client's noisy vectors: the vector of a round is the same in all attempts at it.

    The mean of two with other noise has less of it. So noise is drawn once for a round, whatever a server asks for, and
    before anything is sent the journal notes the draw and the client's ledger is charged: the ledger counts no more and
    no fewer releases than there were. A client that was started again no longer has the noise, and leaves the round.
    """

    def __init__(self) -> None:
        self._latest: tuple[Hashable, Array] | None = None

    def has(self, round_: Hashable) -> bool:
        """Whether the vector of a round was made."""
        return self._latest is not None and self._latest[0] == round_

    def of(
        self,
        member: Membership,
        round_: Hashable,
        draw: str,
        charge: Callable[[Charging], None],
        make: Callable[[], Array],
    ) -> Array:
        """The vector of a round.

        Args:
            draw: the name of its draw, of which there is one only, in the client's journal.
            charge: charges its ledger, where it has one.
            make: the vector with noise.

        Raises:
            ProtocolError: the noise was drawn before.
            BudgetError: it is too much.
        """
        if self._latest is None or self._latest[0] != round_:
            member.journal.draw(draw)
            if member.charge is not None:
                charge(member.charge)
            self._latest = round_, make()
        return self._latest[1]


def release_entry(
    scenario: StarScenario,
    me: str,
    session: str,
    digest: str,
    rows: int,
    columns: tuple[str, ...],
    what: tuple[str, ...],
    epsilon: float = 0.0,
) -> Release:
    """An entry of a client's list of releases, which are to the server.

    Args:
        digest: of the client's data.
        what: is released.
    """
    to = (scenario.server,)
    return Release(now(), scenario.name, scenario.digest, session, me, to, digest, rows, columns, what, epsilon=epsilon)
