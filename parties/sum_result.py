"""What a secure sum's record says: the sums, whose they are, who dropped when, and what it cost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from mpc.errors import InternalError
from mpc.star_server import StarCounts, named
from parties.sum_scenario import SumScenario
from protocols.aggregation.cost import replayed
from protocols.aggregation.messages import stages
from protocols.aggregation.quantise import decode
from protocols.aggregation.server import Aggregated
from protocols.aggregation.settings import Occasion


def server_result(
    scenario: SumScenario,
    done: Aggregated,
    counts: StarCounts,
    occasion: Occasion,
    seconds: Mapping[str, float],
    computation: float,
    peak: int,
) -> dict[str, Any]:
    """The server's result, as it reports it to its launcher."""
    planned = replayed(scenario.settings, done)
    return {
        "party": {
            "role": "server",
            "pid": os.getpid(),
            "clients": len(done.survivors),
            "bytes_sent": sum(counts.sent.values()),
            "bytes_received": sum(counts.received.values()),
            "computation": computation,
            "peak_memory": peak,
            "seconds": dict(seconds),
        },
        "session": occasion.session.hex(),
        "plan": {
            "rounds": len(stages(scenario.settings.malicious)),
            "bytes": {
                "server": sum(one.down for one in planned.values()),
                "clients": sum(one.up for one in planned.values()),
            },
            "correlations": {},
        },
        "sums": _sums(scenario, done),
    }


def sum_record(scenario: SumScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run that succeeded, from what the server and the hosts of clients reported."""
    server = results.get(scenario.server)
    if server is None:
        raise InternalError(f"{scenario.server} ended without a result")
    hosts = {name: result for name, result in results.items() if name != scenario.server}
    clients = sorted(seconds for host in hosts.values() for seconds in host["client_seconds"])
    sums = dict(server["sums"])
    sums["client_seconds"] = {
        "median": clients[len(clients) // 2] if clients else None,
        "most": clients[-1] if clients else None,
    }
    columns = len(scenario.task.columns)
    kinds = " and ".join(f"{kind}s" for kind in ("count", "sum") if any(k == kind for _, k in scenario.entries))
    return {
        "schema": 1,
        "status": "ok",
        "error": None,
        "scenario": {"name": scenario.name, "digest": scenario.digest},
        "session": server["session"],
        "plan": server["plan"],
        "parties": {scenario.server: server["party"], **{name: host["party"] for name, host in hosts.items()}},
        "model": None,
        "metrics": None,
        "sums": sums,
        "revealed": [
            {
                "what": f"{kinds} of {columns} columns",
                "to": [scenario.server],
                "shape": [len(scenario.entries)],
                "why": f"the agreed result: over {sums['clients']} clients together, and of no one of them",
            },
            {
                "what": "who took part, and who dropped out when",
                "to": [scenario.server],
                "shape": [len(scenario.client_names)],
                "why": "it relays their messages",
            },
        ],
    }


def _sums(scenario: SumScenario, done: Aggregated) -> dict[str, Any]:
    names, how = scenario.client_names, scenario.coding
    totals = decode(done.total, how, len(done.survivors)).tolist()
    columns: dict[str, dict[str, Any]] = {column: {} for column in scenario.task.columns}
    for (column, kind), total in zip(scenario.entries, totals, strict=True):
        columns[column][kind] = total if kind == "count" else total / how.scale
    for found in columns.values():
        if "mean" in scenario.task.statistics:
            found["mean"] = found["sum"] / found["count"] if found["count"] else None
        for kind in ("count", "sum"):
            if kind not in scenario.task.statistics:
                found.pop(kind, None)
    dropped = {}
    before = set(range(len(names)))
    for stage, answered in done.answered.items():
        gone = sorted(before - set(answered))
        before = set(answered)
        if gone:
            dropped[stage] = named(names, gone)
    settings = scenario.settings
    return {
        "columns": columns,
        "clients": len(done.survivors),
        "of": len(names),
        "left_out": named(names, sorted(set(range(len(names))) - set(done.survivors))),
        "dropped": dropped,
        "wrong_shares": {names[holder]: named(names, owners) for holder, owners in done.wrong.items()},
        "neighbours": settings.neighbours,
        "threshold": settings.threshold,
        "bits": settings.bits,
        "server": scenario.task.server,
    }
