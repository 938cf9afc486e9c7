"""The record of federated learning, from what its processes reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mpc.errors import InternalError
from parties.base.record_files import SCHEMA
from parties.tasks.federated.reveals import learner_record, revealed
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.clients import client_seconds


def federated_record(scenario: FederatedScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run that succeeded, from what the server and the hosts of clients reported."""
    server = results.get(scenario.server)
    if server is None:
        raise InternalError(f"{scenario.server} ended without a result")
    hosts = {name: result for name, result in results.items() if name != scenario.server}
    part = dict(server["federated"])
    part["client_work"] = merged_work([host["work"] for host in hosts.values()])
    part["client_seconds"] = client_seconds(hosts.values())
    parties = {scenario.server: server["party"], **{name: host["party"] for name, host in hosts.items()}}
    return _record(scenario, server["session"], server["plan"], parties, part)


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
    plan = {"rounds": 0, "bytes": {}, "correlations": {}}
    return _record(scenario, "", plan, {me: result["party"]}, part)


def merged_work(works: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the clients of all processes spent on a round: the most of one."""
    return {
        "rounds": sum(one["rounds"] for one in works),
        "seconds": max((one["seconds"] for one in works), default=0.0),
        "memory": max((one["memory"] for one in works), default=0),
        "clipped_updates": sum(one["clipped_updates"] for one in works),
    }


def _record(
    scenario: FederatedScenario, session: str, plan: Mapping[str, Any], parties: Mapping[str, Any], part: dict[str, Any]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": "federated",
        "status": "ok",
        "error": None,
        "scenario": {"name": scenario.name, "digest": scenario.digest},
        "session": session,
        "plan": dict(plan),
        "parties": dict(parties),
        "model": None,
        "metrics": None,
        "federated": part,
        "revealed": revealed(scenario),
    }
