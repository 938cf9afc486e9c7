"""The faults of one party's own process, which strikes itself at the very message or stage.

It tells the launcher first, which does what a process cannot do to itself: let it go on after a stop, and have a
connection broken by the relay.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from mpc.faults.fault import Fault, Kind, read_fault, write_fault
from mpc.faults.network import FaultyNetwork
from mpc.faults.planted import Planted
from mpc.links.network import Network
from parties.base.reporter import Reporter
from parties.scenario.faults import FaultsSpec
from parties.scenario.star import StarScenario
from parties.tasks.star.base import Trials


def faults_order(spec: FaultsSpec | None) -> dict[str, Any]:
    """The faults of a run as fields of a party's order."""
    if spec is None or not spec.faults:
        return {}
    return {"faults": [write_fault(fault) for fault in spec.faults], "fault_seed": spec.seed}


def trials_of(
    scenario: StarScenario, order: Mapping[str, Any], reporter: Reporter, faults: Mapping[str, Fault]
) -> Trials:
    """The faults of the clients that have one process of their own.

    Args:
        faults: of hosted clients.
    """
    own, hosted = OwnFaults(order, reporter), hosted_trials(scenario, order, reporter.fault, faults)

    def enters(client: str, stage: str) -> None:
        hosted.enters(client, stage)
        own.enters(stage, 0)

    return Trials(faults, enters, hosted.strikes)


def hosted_trials(
    scenario: StarScenario,
    order: Mapping[str, Any],
    struck: Callable[[int, str | None], None],
    faults: Mapping[str, Fault],
) -> Trials:
    """The faults of hosted clients, wherever they are.

    Args:
        struck: told the number of each fault that strikes.
    """
    first = len(order.get("faults", ()))
    places = {kind: first + place for place, kind in enumerate(scenario.hosted_faults)}

    def enters(client: str, stage: str) -> None:
        fault = faults.get(client)
        if fault is not None and fault.stage == stage:
            struck(places[fault.kind], None)

    def strikes(kind: Kind) -> None:
        struck(places[kind], None)

    return Trials(faults, enters, strikes)


class OwnFaults:
    """The faults of the run that strike this party's process.

    Args:
        order: the launcher's.
        reporter: whose stages strike; what strikes is told by it.
    """

    def __init__(self, order: Mapping[str, Any], reporter: Reporter) -> None:
        self._me: str = order["name"]
        self._reporter = reporter
        faults = [read_fault(fields) for fields in order.get("faults", ())]
        self._planted = Planted(faults, order.get("fault_seed", 0), reporter.fault, order.get("struck", ()))
        if any(fault.stage is not None and self._me in (fault.party, fault.of) for fault in faults):
            reporter.watch(self.enters)
        self._any = any(fault.of_messages and fault.party in (None, self._me) for fault in faults)

    def through(self, network: Network) -> Network:
        """The party's network, with the faults of its messages."""
        return FaultyNetwork(network, self._me, self._planted, self) if self._any else network

    def enters(self, stage: str, step: int) -> None:
        """The party comes to a step of a stage."""
        self._planted.enters(self._me, stage, step, self)

    # What strikes

    def stop(self, name: str, seconds: float) -> None:
        """Stand still, until the launcher lets this process go on."""
        os.kill(os.getpid(), signal.SIGSTOP)

    def die(self, name: str) -> None:
        """End at once."""
        os.kill(os.getpid(), signal.SIGKILL)

    def cut(self, one: str, other: str, seconds: float) -> None:
        """The launcher has the connection broken: it was told."""
