"""The clients of one process: each runs the author's function on what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from logging import Logger
from typing import Any

from mpc.faults.fault import Fault
from mpc.star.client import Host, StarClient, always
from mpc.star.members import Client
from mpc.star.stage import ClientProgram
from parties.tasks.program.results import describe
from parties.tasks.program.star.data import ClientInputs
from parties.tasks.program.star.play import client_program, entropy_of, pair_of, planned_run
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.base import NO_TRIALS, Membership, Trials
from parties.tasks.star.clients import client_faults, hosts_result, make_clients, run_noted
from parties.trust.rounds import AgreedRounds

_RELEASED = b"program"
"""What a client's journal has of a round in which it took part."""


class ProgramClient(StarClient):
    """A client, and what its function returned.

    Attributes:
        gave: that; None before.
    """

    gave: Any = None


def clients_of(
    scenario: StarProgramScenario, members: Mapping[str, Membership], log: Logger, trials: Trials = NO_TRIALS
) -> dict[str, StarClient]:
    """The clients of this process, ready to join."""
    pair, inputs = pair_of(scenario), ClientInputs(scenario)

    def make(name: str, number: int, member: Membership) -> StarClient:
        table, given = inputs.table(name), inputs.of(name)
        agreed = AgreedRounds(1, 1)

        def program(session: bytes, round_: int, attempt: int) -> ClientProgram:
            agreed.place(session, round_, attempt)
            noted, journal = member.note(session, str(round_), table)
            me = Client(number, scenario.count, session, entropy_of(scenario)(name))

            async def run() -> None:
                if member.noting is not None:  # from here on messages may be on their way that hold its rows
                    journal(round_, _RELEASED)
                one.gave = await client_program(pair, me, given, name)

            return run_noted(noted, run())

        fault, enters = always(trials.faults.get(name)), partial(trials.enters, name)
        one = ProgramClient(program, scenario.meeting, fault, enters=enters)
        return one

    return make_clients(scenario, members, log, make)


def faults_of(scenario: StarProgramScenario) -> dict[str, Fault]:
    """The hosted clients that vanish or straggle: some in each stage, of which only a plan knows the names."""
    spec = scenario.faults.clients if scenario.faults is not None else None
    if spec is None:
        return {}
    if spec.stage is not None:
        return client_faults(scenario, ())
    stages = planned_run(scenario, pair_of(scenario)).played.stages
    return client_faults(scenario, [one.label for one in stages])


def clients_result(host: Host) -> dict[str, Any]:
    """The report of a process that hosts clients, with what their functions returned."""
    clients = {name: one.client for name, one in host.hosted.items()}
    gave = {
        name: describe(one.gave)
        for name, one in clients.items()
        if isinstance(one, ProgramClient) and one.gave is not None
    }
    return {**hosts_result(host), "gave": gave}
