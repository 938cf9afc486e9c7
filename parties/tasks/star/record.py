"""The parts that records of all kinds over a server and many clients have, and these parts as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mpc.errors import InternalError
from mpc.star.server import named
from parties.base.record_files import SCHEMA
from parties.scenario.star import StarScenario
from parties.show.blocks import Grid, Line, bytes_text, entries, seconds_text, table
from protocols.aggregation.server import Aggregated

_MOST_NAMED: Final = 8

Results = Mapping[str, Mapping[str, Any]]
"""What each process reported, by name."""
Revealed = Sequence[Mapping[str, Any]]


def hosts_of(scenario: StarScenario, results: Results) -> tuple[Mapping[str, Any], Results]:
    """The server's result, and those of the processes of clients."""
    server = results.get(scenario.server)
    if server is None:
        raise InternalError(f"{scenario.server} ended without a result")
    return server, {name: result for name, result in results.items() if name != scenario.server}


def run_record(scenario: StarScenario, results: Results, own: Mapping[str, Any], revealed: Revealed) -> dict[str, Any]:
    """The record of a run that succeeded.

    Args:
        own: the kind's own entries.
    """
    server, hosts = hosts_of(scenario, results)
    parties = {scenario.server: server["party"], **{name: host["party"] for name, host in hosts.items()}}
    return _record(scenario, server["session"], server["plan"], parties, own, revealed)


def own_record(
    scenario: StarScenario, me: str, result: Mapping[str, Any], own: Mapping[str, Any], revealed: Revealed
) -> dict[str, Any]:
    """The record of a client, or the helper, on a machine of its own: it knows no cost of another."""
    plan = {"rounds": 0, "bytes": {}, "correlations": {}}
    return _record(scenario, "", plan, {me: result["party"]}, own, revealed)


def _record(
    scenario: StarScenario,
    session: str,
    plan: Mapping[str, Any],
    parties: Results,
    own: Mapping[str, Any],
    revealed: Revealed,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": scenario.task.kind,
        "status": "ok",
        "error": None,
        "scenario": {"name": scenario.name, "digest": scenario.digest},
        "session": session,
        "plan": dict(plan),
        "parties": dict(parties),
        "model": None,
        "metrics": None,
        **own,
        "revealed": list(revealed),
    }


def losses(names: Sequence[str], done: Aggregated) -> dict[str, Any]:
    """The clients that dropped out of a round, by stage, and the holders that gave wrong shares, with whose these were.

    Args:
        names: the round's clients, by number.
    """
    dropped, before = {}, set(range(len(names)))
    for stage, answered in done.answered.items():
        gone, before = sorted(before - set(answered)), set(answered)
        if gone:
            dropped[stage] = named(names, gone)
    wrong = {names[holder]: named(names, owners) for holder, owners in done.wrong.items()}
    return {"dropped": dropped, "wrong_shares": wrong}


def server_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The server's part of a record."""
    parties = map(table, table(record.get("parties")).values())
    return next((one for one in parties if one.get("role") == "server"), {})


def done_line(record: Mapping[str, Any], what: str) -> Line:
    """The end of a run that succeeded: what it gave, and the server's seconds."""
    seconds = table(server_of(record).get("seconds"))
    whole, online = seconds_text(seconds.get("total")), seconds_text(seconds.get("online"))
    return Line(f"{run_name(record)}: done. {what}, {whole} s in all, {online} s online.", "bold")


def run_name(record: Mapping[str, Any]) -> str:
    """The scenario's name."""
    return str(table(record.get("scenario")).get("name") or "the run")


def names_text(found: object) -> str:
    """Clients by name, or of many their number."""
    names = [str(name) for name in entries(found)]
    return ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names)} clients"


def as_planned(record: Mapping[str, Any]) -> bool:
    """Whether the server's traffic was that of the plan, given who answered."""
    server, planned = server_of(record), table(table(record.get("plan")).get("bytes"))
    both = (server.get("bytes_sent"), server.get("bytes_received"))
    return both == (planned.get("server"), planned.get("clients"))


def traffic_line(record: Mapping[str, Any]) -> Line:
    """The server's traffic beside the plan."""
    same = "as planned, to the byte" if as_planned(record) else "NOT as planned"
    return Line(f"Traffic of the server, given who answered: {same}.")


def processes_grid(record: Mapping[str, Any]) -> Grid:
    """The bytes of each process."""
    rows = []
    for name, party in table(record.get("parties")).items():
        one = table(party)
        role, count = one.get("role"), one.get("clients")
        who = str(role) if role in ("server", "helper") or count == 1 else f"{count} clients"
        rows.append((str(name), who, bytes_text(one.get("bytes_sent", 0)), bytes_text(one.get("bytes_received", 0))))
    return Grid("Bytes, before encryption", ("process", "is", "sent", "received"), tuple(rows), frozenset({0, 1}))
