"""The helper of a secure sum: its end of the star, and what it reports. It has no data, and writes no cell down."""

from __future__ import annotations

from logging import Logger
from typing import Any

from mpc.randomness.streams import os_entropy
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost
from mpc.star.stage import ClientProgram
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.clients import hosts_result
from parties.trust.rounds import AgreedRounds
from protocols.aggregation.helper import aggregation_helper
from protocols.aggregation.settings import Occasion


def helper_client(scenario: SumScenario) -> StarClient:
    """The helper, ready to join: for the server it is one more party that dials."""
    settings = scenario.settings
    agreed = AgreedRounds(scenario.task.rounds, scenario.task.attempts)

    def program(session: bytes, number: int, attempt: int) -> ClientProgram:
        agreed.place(session, number, attempt)
        return aggregation_helper(settings, Occasion(session, number, attempt), os_entropy)

    return StarClient(program, scenario.meeting, due=scenario.task.rounds)


def helper_result(scenario: SumScenario, host: ClientHost, log: Logger) -> dict[str, Any]:
    """The report of the helper's process at its end.

    Raises:
        BeaverlodgeError: what it failed with.
    """
    assert scenario.helper is not None
    one = host.hosted[scenario.helper]
    if one.client.failure is not None:
        raise one.client.failure
    if one.client.fell_short is not None:
        log.warning("one attempt or more had too few: %s", one.client.fell_short.message)
    result = hosts_result(host)
    party = result["party"] | {"role": "helper", "clients": 0, "computation": one.seconds}
    return result | {"party": party, "client_seconds": [], "median_client_seconds": None}
