"""The record of a secure sum, from what its processes reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpc.errors import InternalError
from parties.base.record_files import SCHEMA
from parties.tasks.secure_sum.reveals import revealed
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.clients import client_seconds


def sum_record(scenario: SumScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run that succeeded, from what the server and the hosts of clients reported."""
    server = results.get(scenario.server)
    if server is None:
        raise InternalError(f"{scenario.server} ended without a result")
    hosts = {name: result for name, result in results.items() if name != scenario.server}
    sums = {**server["sums"], "client_seconds": client_seconds(hosts.values())}
    return {
        "schema": SCHEMA,
        "kind": "secure_sum",
        "status": "ok",
        "error": None,
        "scenario": {"name": scenario.name, "digest": scenario.digest},
        "session": server["session"],
        "plan": server["plan"],
        "parties": {scenario.server: server["party"], **{name: host["party"] for name, host in hosts.items()}},
        "model": None,
        "metrics": None,
        **({} if scenario.privacy is None else {"privacy": server["privacy"]}),
        "sums": sums,
        "revealed": revealed(scenario),
    }


def client_record(scenario: SumScenario, me: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a client, or the helper, on its own machine: its rounds are done, and what the server was told."""
    return {
        "schema": SCHEMA,
        "kind": "secure_sum",
        "status": "ok",
        "error": None,
        "scenario": {"name": scenario.name, "digest": scenario.digest},
        "session": "",
        "plan": {"rounds": 0, "bytes": {}, "correlations": {}},
        "parties": {me: result["party"]},
        "model": None,
        "metrics": None,
        "sums": {"rounds_done": result["party"]["rounds"], "rounds_due": scenario.task.rounds},
        "revealed": revealed(scenario),
    }
