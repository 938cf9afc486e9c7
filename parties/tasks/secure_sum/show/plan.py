"""The plan of a secure sum: neighbours and threshold, what they withstand, who learns what, bytes and time."""

from __future__ import annotations

from typing import Any

from parties.show.blocks import Block, Grid, Line, bytes_text, count_text, join_words, short_bytes
from parties.tasks.secure_sum.private import privacy_blocks, privacy_facts
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.secure_sum.small_cells import helper_view, small_cells_blocks, small_cells_facts
from parties.tasks.star.plan import read_rows, server_line, time_text, withstands
from protocols.aggregation.cost import (
    Traffic,
    client_seconds,
    expected_helper_traffic,
    expected_traffic,
    helper_seconds,
    largest_traffic,
    server_seconds,
)
from protocols.aggregation.settings import stages_of

SCHEMA = 1


def sum_plan(scenario: SumScenario) -> dict[str, Any]:
    """The plan as `mpc plan --json` prints it; its shape is stable under one `schema`."""
    b, s, task = scenario.bounds, scenario.settings, scenario.task
    traffic = expected_traffic(s)
    helps = s.test is not None
    helper = expected_helper_traffic(s) if helps else Traffic(0, 0)
    return {
        "schema": SCHEMA,
        "scenario": {"name": scenario.name, "digest": scenario.digest, "clients": b.clients, "numbers": s.length},
        "server": task.server,
        "neighbours": b.neighbours,
        "threshold": b.threshold,
        "min_cohort": s.min_cohort,
        "withstands": withstands(b, s),
        "bits": s.bits,
        "stages": list(stages_of(s)),
        "bytes": {
            "vector": s.vector_bytes,
            "client_sends": traffic.up,
            "client_receives": traffic.down,
            **({"helper_sends": helper.up, "helper_receives": helper.down} if helps else {}),
            "server_sends": traffic.down * b.clients + helper.down,
            "server_receives": traffic.up * b.clients + helper.up,
            "exact": not s.malicious,
        },
        "seconds": {
            "client": client_seconds(s),
            "server": server_seconds(s, b.dropped),
            **({"helper": helper_seconds(s, b.dropped)} if helps else {}),
        },
        "memory": _memory(scenario),
        "small_cells": small_cells_facts(scenario, b.clients),
        **({} if scenario.privacy is None else {"privacy": privacy_facts(scenario)}),
        "reveals": [
            *({"what": text, "to": [scenario.server]} for text in _reveals(scenario)),
            *({"what": text, "to": [scenario.helper]} for text in helper_learns(scenario)),
        ],
    }


def plan_blocks(scenario: SumScenario) -> list[Block]:
    """The whole plan, in order."""
    facts = sum_plan(scenario)
    sizes, seconds = facts["bytes"], facts["seconds"]
    traffic = (
        ("a client", bytes_text(sizes["client_sends"]), bytes_text(sizes["client_receives"])),
        (scenario.server, bytes_text(sizes["server_sends"]), bytes_text(sizes["server_receives"])),
        *(
            [(scenario.helper, bytes_text(sizes["helper_sends"]), bytes_text(sizes["helper_receives"]))]
            if scenario.helper is not None
            else []
        ),
    )
    helper = f", the helper {time_text(seconds['helper'])}" if scenario.helper is not None else ""
    nothing = " and nothing is withheld" if scenario.helper is not None else ""
    about = "" if sizes["exact"] else " as many neighbours as are to be expected, and"
    return [
        Line(f"{scenario.name}: the plan. Nothing has been sent.", "bold"),
        *protection_blocks(scenario),
        Grid(f"Bytes in a round in which nobody drops out{nothing}", ("party", "sends", "receives"), traffic),
        Line(
            f"With{about} headers, without encryption's. The vector alone is {short_bytes(sizes['vector'])}; what a "
            "run took is compared with the plan of who answered, to the byte."
        ),
        Line(
            f"Computation: a client {time_text(seconds['client'])}, the server {time_text(seconds['server'])}{helper}, "
            "on one core."
        ),
        Line(
            "Whatever a client sends, or does not fetch, the server keeps at most "
            f"{short_bytes(facts['memory']['server_for_a_client'])} of it besides the sum; a client keeps at most "
            f"{short_bytes(facts['memory']['client'])} of the server's messages."
        ),
        *knowledge_blocks(scenario),
        Line(""),
        Line("Server and clients start only with the same digest:"),
        Line(scenario.digest, wrap=False),
    ]


def _memory(scenario: SumScenario) -> dict[str, int]:
    """The most memory for one client's messages, both ways, at the server; and for the server's, at a client.

    That is what ZeroMQ may hold of a connection, and the messages of a round: each answer waits twice at the most in
    every attempt for a client that reads nothing, and a client's message four times for a server that reads nothing.
    """
    from mpc.links.zmq.curve import HELD_BYTES

    most = largest_traffic(scenario.settings)
    attempts = scenario.task.rounds * scenario.task.attempts
    return {
        "server_for_a_client": HELD_BYTES + most.up + 2 * attempts * most.down,
        "client": HELD_BYTES + most.down + 4 * most.up,
    }


def protection_blocks(scenario: SumScenario) -> list[Block]:
    """The sums, and the parties that they are protected against."""
    facts = sum_plan(scenario)
    holds = facts["withstands"]
    rounds = f", in each of {scenario.task.rounds} rounds" if scenario.task.rounds > 1 else ""
    return [
        Line(
            f"{count_text(scenario.settings.clients)} clients add up {count_text(scenario.settings.length)} numbers of "
            f"{facts['bits']} bits{rounds}, in {len(facts['stages'])} stages: {', '.join(facts['stages'])}."
        ),
        server_line(scenario, scenario.bounds),
        Line(
            f"That withstands {count_text(holds['corrupt'])} clients that work with the server"
            f"{_odds(holds, 'security')}, and {count_text(holds['dropped'])} that drop out{_odds(holds, 'failure')}. "
            f"The largest coalition tolerated: {count_text(holds['largest_coalition'])} clients."
        ),
        Line(_group_text(scenario, holds["smallest_group"])),
        *privacy_blocks(scenario),
    ]


def knowledge_blocks(scenario: SumScenario) -> list[Block]:
    """What the server and the clients learn, and which cells are suppressed."""
    return [
        Grid("What the server learns", ("what",), tuple((text,) for text in _reveals(scenario))),
        *(
            [Grid(f"What {scenario.helper} learns", ("what",), tuple((text,) for text in helper_learns(scenario)))]
            if scenario.helper is not None
            else []
        ),
        Line("The clients learn that a round is done."),
        *small_cells_blocks(scenario),
    ]


def helper_learns(scenario: SumScenario) -> list[str]:
    """The facts that a helper learns; nothing without a helper."""
    m = scenario.task.min_cell
    if scenario.helper is None or m is None:
        return []
    return [f"of each cell, {helper_view(scenario, m)}", "who takes part, and who drops out when"]


def _reveals(scenario: SumScenario) -> list[str]:
    kinds = scenario.kinds
    noisy = "" if scenario.privacy is None else "noisy "
    what = noisy + join_words([f"{kind}s" for kind in kinds])
    if scenario.helper is not None:
        what = f"which numbers are withheld, and of the others the {what}"
    lines = [
        f"{what} of {', '.join(scenario.task.columns)}, over all clients that stay: {scenario.min_cohort} at least"
    ]
    if "weight" in kinds:
        lines.append(f"so the total weight ('{scenario.task.weight}') of each sum and mean")
    elif "mean" in scenario.task.statistics:
        lines.append("so the total weight of each mean, which is its count")
    return [*lines, "who takes part, and who drops out when"]


def _group_text(scenario: SumScenario, group: int) -> str:
    if scenario.task.server == "malicious":
        return (
            f"By lying about who dropped out, the server may get the sum of fewer: of {group} honest clients or more. "
            "It cannot get that of a smaller group."
        )
    return f"No sum of fewer than {group} honest clients is ever open to the server."


def _odds(holds: dict[str, Any], key: str) -> str:
    bits = holds[f"{key}_bits"]
    return "" if bits is None else f" (but for a chance of 2^-{bits:.0f})"


def data_notice(scenario: SumScenario, me: str) -> list[Block]:
    """What is asked of a party's data."""
    if me == scenario.server:
        return [Line(""), Line(f"{me} has no data: it relays the clients' messages, and learns the sums.")]
    if me == scenario.helper:
        text = (
            f"{me} has no data: it takes the masks off, number by number, without seeing what they hide, and compares "
            f"with {scenario.server} which cells are small. It must not work together with {scenario.server}."
        )
        return [Line(""), Line(text)]
    what = [
        *read_rows(scenario, me),
        ("columns", ", ".join(scenario.task.columns)),
        *([("weight of each row", scenario.task.weight)] if scenario.task.weight is not None else []),
        ("rows", f"all of that file, {count_text(scenario.task.most_rows)} at most"),
    ]
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(what), frozenset({0, 1}))]
