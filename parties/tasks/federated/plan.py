"""The plan of federated learning: rounds, who learns what, bytes, time and memory of a client and a round."""

from __future__ import annotations

from math import isinf
from typing import Any

from parties.show.blocks import Block, Grid, Line, bytes_text, count_text
from parties.tasks.federated.record import revealed, split_record
from parties.tasks.federated.settings import FederatedScenario, Round
from protocols.aggregation.cost import client_seconds, server_seconds
from protocols.federated.programs import expected_traffic

SCHEMA = 1


def federated_plan(scenario: FederatedScenario) -> dict[str, Any]:
    """The plan as `mpc plan --json` prints it; its shape is stable under one `schema`."""
    task = scenario.task
    rounds = {phase: scenario.round_without_model(phase, _first(scenario, phase)) for phase in scenario.phases}
    training = rounds["newton" if scenario.newton else "train"]
    s, b = training.settings, scenario.bounds(len(training.members))
    traffic = expected_traffic(s, training.longest, plain=scenario.plain)
    return {
        "schema": SCHEMA,
        "scenario": {
            "name": scenario.name,
            "digest": scenario.digest,
            "clients": scenario.count,
            "cohort": scenario.cohort,
            "weights": scenario.size,
        },
        "server": task.server,
        "aggregation": task.aggregation,
        "split": split_record(scenario),
        "neighbours": b.neighbours,
        "threshold": b.threshold,
        "min_cohort": s.min_cohort,
        "withstands": {
            "corrupt": b.corrupt,
            "dropped": b.dropped,
            "largest_coalition": b.largest_coalition,
            "security_bits": None if isinf(b.security) else b.security,
            "failure_bits": None if isinf(b.failure) else b.failure,
            "smallest_group": b.smallest_group if b.malicious else s.min_cohort - b.corrupt,
        },
        "bits": s.bits,
        "stages": list(scenario.stages),
        "rounds": {phase: _round_facts(scenario, one) for phase, one in rounds.items()},
        "bytes": {
            "client_sends": traffic.up,
            "client_receives": traffic.down,
            "server_sends": traffic.down * len(training.members),
            "server_receives": traffic.up * len(training.members),
            "exact": not s.malicious,
        },
        "seconds": {"client": client_seconds(s), "server": server_seconds(s, b.dropped)},
        "reveals": [{"what": one["what"], "to": one["to"]} for one in revealed(scenario)],
    }


def _first(scenario: FederatedScenario, phase: str) -> int:
    """A round of a phase, as an example."""
    return 1 + [str(one) for one in scenario.phases].index(phase)


def _round_facts(scenario: FederatedScenario, one: Round) -> dict[str, Any]:
    traffic = expected_traffic(one.settings, one.longest, plain=scenario.plain)
    return {
        "times": scenario.task.rounds if one.phase in ("train", "newton") else 1,
        "clients": len(one.members),
        "numbers": one.layout.length,
        "bits": one.layout.bits,
        "message_bytes": one.longest,
        "client_sends": traffic.up,
        "client_receives": traffic.down,
    }


def plan_blocks(scenario: FederatedScenario) -> list[Block]:
    """The whole plan, in order."""
    facts = federated_plan(scenario)
    rows = tuple(
        (
            phase,
            count_text(one["times"]),
            count_text(one["clients"]),
            count_text(one["numbers"]),
            count_text(one["bits"]),
            bytes_text(one["client_sends"]),
            bytes_text(one["client_receives"]),
        )
        for phase, one in facts["rounds"].items()
    )
    columns = ("round", "times", "clients", "numbers", "bits", "a client sends", "it receives")
    return [
        Line(f"{scenario.name}: the plan. Nothing has been sent.", "bold"),
        *protection_blocks(scenario),
        Grid("Rounds, and bytes of a client in one of them in which nobody drops out", columns, rows),
        *knowledge_blocks(scenario),
        Line("Server and clients start only with the same digest:"),
        Line(scenario.digest, wrap=False),
    ]


def protection_blocks(scenario: FederatedScenario) -> list[Block]:
    """The rounds, and the parties that their sums are protected against."""
    found: list[Block] = [
        Line(f"{count_text(scenario.count)} clients train a model of {count_text(scenario.size)} weights.")
    ]
    if scenario.split_text is not None:
        found.append(Line(f"A simulation: {scenario.split_text}, by the public seed {scenario.seed}."))
    return found


def knowledge_blocks(scenario: FederatedScenario) -> list[Block]:
    """What the server and the clients learn."""
    rows = tuple((one["what"], ", ".join(one["to"])) for one in revealed(scenario))
    return [Grid("Who learns what", ("what", "who"), rows, frozenset({0, 1}))]
