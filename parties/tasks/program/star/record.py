"""The record of a run: what the server learnt, what it saw in each stage, who dropped out when, and the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mpc.errors import BeaverlodgeError
from mpc.star.members import Learnt
from mpc.star.play import Played
from mpc.star.server import named
from parties.tasks.program.function import Pair
from parties.tasks.program.results import describe
from parties.tasks.program.star.data import shapes_of
from parties.tasks.program.star.play import gone_in, pair_of, replay
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.clients import client_seconds
from parties.tasks.star.record import hosts_of, own_record, run_record

MOST_CLIENTS_TOLD: Final = 100
"""A record has what the functions of so many clients returned, where they differ."""


def server_part(
    scenario: StarProgramScenario, pair: Pair, played: Played, session: bytes, party: Mapping[str, Any]
) -> dict[str, Any]:
    """The server's result, as it reports it.

    Args:
        party: its costs, as measured.
    """
    names, before = scenario.client_names, set(range(scenario.count))
    stages = []
    for one in played.stages:
        stages.append(
            {
                "label": one.label,
                "sees": one.sees,
                "messages": len(one.answered),
                "bytes_received": one.received,
                "bytes_sent": one.sent,
                "dropped": named(names, sorted(before - set(one.answered))),
            }
        )
        before &= set(one.answered)
    inputs = zip(scenario.task.inputs, shapes_of(scenario), strict=True)
    return {
        "party": dict(party),
        "session": session.hex(),
        "plan": {"rounds": len(played.stages), "correlations": {}, **_planned(scenario, pair, played)},
        "program": {
            "file": pair.file.path.name,
            **pair.file.facts,
            "inputs": [{"input": text, "shapes": [list(shape)]} for text, shape in inputs],
            "of": scenario.count,
            "stages": stages,
            "results": describe(played.result),
            "over": [named(names, one.clients) for one in played.learnt],
        },
        "revealed": revealed(scenario, played.learnt),
    }


def _planned(scenario: StarProgramScenario, pair: Pair, played: Played) -> dict[str, Any]:
    """The bytes that were planned, given who answered. The run is done by now: a plan that fails does not undo it."""
    try:
        planned = replay(scenario, pair, gone_in(played.stages, scenario.count))
    except BeaverlodgeError as error:
        return {"bytes": {}, "failed": error.message}
    return {"bytes": {"server": planned.sent, "clients": planned.received}}


def revealed(scenario: StarProgramScenario, declared: Sequence[Learnt]) -> list[dict[str, Any]]:
    """What the server learns of the clients' data, as its author declared it, and what it sees of who takes part."""
    learnt = [{"what": one.what, "to": [scenario.server], "shape": list(one.shape), "why": one.why} for one in declared]
    present = {
        "what": "who took part, and who dropped out when",
        "to": [scenario.server],
        "shape": [scenario.count],
        "why": "the clients' messages go to it",
    }
    return [*learnt, present]


def star_record(scenario: StarProgramScenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a run that succeeded, from what the server and the processes of clients reported."""
    server, hosts = hosts_of(scenario, results)
    gave = {name: given for host in hosts.values() for name, given in host["gave"].items()}
    seconds = client_seconds(hosts.values())
    program = {**server["program"], "given_to_clients": _given(gave), "client_seconds": seconds}
    return run_record(scenario, results, {"program": program}, server["revealed"]) | _testing(scenario)


def client_record(scenario: StarProgramScenario, me: str, result: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a client on its own machine: what its own function returned, and no cost of another."""
    pair = pair_of(scenario)
    declared = Learnt("what the program reveals", "as its author declared: the server's record lists it", (), ())
    told = {"file": pair.file.path.name, **pair.file.facts, "given_to_clients": _given(result["gave"])}
    program = {**told, "rounds_done": result["party"]["rounds"], "rounds_due": 1}
    return own_record(scenario, me, result, {"program": program}, revealed(scenario, [declared])) | _testing(scenario)


def _testing(scenario: StarProgramScenario) -> dict[str, Any]:
    """A run with a test seed protects nothing, and its record says so."""
    seed = scenario.test_seed
    return {} if seed is None else {"testing": {"all parties": {"insecure_seed": seed}}}


def _given(gave: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    """What the clients' functions returned: once where it is the same at all, else by client."""
    if not gave:
        return None
    first = next(iter(gave.values()))
    if all(repr(one) == repr(first) for one in gave.values()):
        return {"all": list(first)}
    return {name: list(one) for name, one in sorted(gave.items())[:MOST_CLIENTS_TOLD]}
