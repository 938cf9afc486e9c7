"""The record of a secure sum, from what its processes reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parties.tasks.secure_sum.reveals import revealed
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.clients import client_seconds
from parties.tasks.star.record import hosts_of, own_record, run_record


def sum_record(scenario: SumScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run that succeeded, from what the server and the hosts of clients reported."""
    server, hosts = hosts_of(scenario, results)
    noisy = {} if scenario.privacy is None else {"privacy": server["privacy"]}
    sums = {**server["sums"], "client_seconds": client_seconds(hosts.values())}
    return run_record(scenario, results, {**noisy, "sums": sums}, revealed(scenario))


def client_record(scenario: SumScenario, me: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a client, or the helper, on its own machine: its rounds are done, and what the server was told."""
    sums = {"rounds_done": result["party"]["rounds"], "rounds_due": scenario.task.rounds}
    return own_record(scenario, me, result, {"sums": sums}, revealed(scenario))
