"""The record of federated learning, from what its processes reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parties.tasks.federated.reveals import learner_record, revealed
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.clients import client_seconds
from parties.tasks.star.record import hosts_of, own_record, run_record


def federated_record(scenario: FederatedScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run that succeeded, from what the server and the hosts of clients reported."""
    server, hosts = hosts_of(scenario, results)
    part = {
        **server["federated"],
        "client_work": merged_work([host["work"] for host in hosts.values()]),
        "client_seconds": client_seconds(hosts.values()),
    }
    return run_record(scenario, results, {"federated": part}, revealed(scenario))


def client_record(scenario: FederatedScenario, me: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a client on its own machine: its part, and its own models' figures."""
    part = {
        "rounds_done": result["party"]["rounds"],
        "method": scenario.task.method,
        "model": scenario.task.model,
        "aggregation": scenario.task.aggregation,
        "client_work": result["work"],
        "learner": learner_record(scenario),
        "own": result.get("own"),
        "kept": result.get("kept"),
        "rounds_due": scenario.star_rounds,
    }
    return own_record(scenario, me, result, {"federated": part}, revealed(scenario))


def merged_work(works: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the clients of all processes spent on a round: the most of one."""
    return {
        "rounds": sum(one["rounds"] for one in works),
        "seconds": max((one["seconds"] for one in works), default=0.0),
        "memory": max((one["memory"] for one in works), default=0),
        "clipped_updates": sum(one["clipped_updates"] for one in works),
    }
