"""The server's result: the sums, the clients in them, who dropped out when, and what that cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mpc.star.admission import StarCounts
from mpc.star.server import named
from parties.tasks.secure_sum.private import noisy_columns, privacy_facts
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.secure_sum.small_cells import small_cells_facts
from parties.tasks.star.record import losses
from parties.tasks.star.server import Costs
from protocols.aggregation.cost import replay_traffic
from protocols.aggregation.parts.quantise import decode
from protocols.aggregation.server import Aggregated
from protocols.aggregation.settings import stages_of


@dataclass(frozen=True)
class RoundDone:
    """A round whose sum was opened.

    Args:
        number, attempt: which attempt at which round did.
        counts: what went over the links in it.
        failed: why each earlier attempt failed.
        wasted: bytes of those attempts, at the server.
    """

    number: int
    attempt: int
    done: Aggregated
    counts: StarCounts
    failed: tuple[str, ...] = ()
    wasted: int = 0


def server_result(scenario: SumScenario, rounds: Sequence[RoundDone], session: str, costs: Costs) -> dict[str, Any]:
    """The server's result, as it reports it to its launcher. The sums of the last round come first of all."""
    planned = [one for found in rounds for one in replay_traffic(scenario.settings, found.done).values()]
    sums = [round_sums(scenario, found) for found in rounds]
    return {
        "party": costs.party(
            len(rounds[-1].done.survivors),
            sum(sum(found.counts.sent.values()) for found in rounds),
            sum(sum(found.counts.received.values()) for found in rounds),
            bytes_of_failed_attempts=sum(found.wasted for found in rounds),
        ),
        "session": session,
        "plan": {
            "rounds": len(stages_of(scenario.settings)) * len(rounds),
            "bytes": {"server": sum(one.down for one in planned), "clients": sum(one.up for one in planned)},
            "correlations": {},
        },
        "sums": sums[-1] | ({"rounds": sums} if len(sums) > 1 else {}),
        "privacy": privacy_facts(scenario, [len(found.done.survivors) for found in rounds]),
    }


def round_sums(scenario: SumScenario, found: RoundDone) -> dict[str, Any]:
    """The result of a round: the sums, the clients in them, who dropped out when."""
    done = found.done
    names = scenario.client_names
    if scenario.privacy is not None:
        columns, small = noisy_columns(scenario, done.total, len(done.survivors), found.number), None
    else:
        columns, small = _exact_columns(scenario, done)
    settings = scenario.settings
    return {
        "round": found.number,
        "attempt": found.attempt,
        "failed_attempts": list(found.failed),
        "columns": columns,
        "clients": len(done.survivors),
        "of": len(names),
        "left_out": named(names, sorted(set(range(len(names))) - set(done.survivors))),
        **losses(names, done),
        "neighbours": settings.neighbours,
        "threshold": settings.threshold,
        "bits": settings.bits,
        "small_cells": small,
        "server": scenario.task.server,
    }


def _exact_columns(scenario: SumScenario, done: Aggregated) -> tuple[dict[str, dict[str, Any]], dict[str, Any] | None]:
    """The sums by column, and what the record says of small cells."""
    how = scenario.coding
    totals = decode(done.total, how, len(done.survivors)).tolist()
    disclosed = [True] * len(totals) if done.disclosed is None else done.disclosed.tolist()
    columns: dict[str, dict[str, Any]] = {column: {} for column in scenario.task.columns}
    for (column, kind), total, known in zip(scenario.entries, totals, disclosed, strict=False):
        columns[column][kind] = None if not known else total / how.scale if kind == "sum" else total
    withheld = {column: [kind for kind, value in one.items() if value is None] for column, one in columns.items()}
    for column, one in columns.items():
        if "mean" in scenario.task.statistics:
            by = one["weight" if scenario.task.weight is not None else "count"]
            one["mean"] = one["sum"] / by if by and one["sum"] is not None else None
            withheld[column] += ["mean"] if one["sum"] is None else []
        for kind in ("count", "sum"):
            if kind not in scenario.task.statistics:
                one.pop(kind, None)
    small = small_cells_facts(scenario, len(done.survivors))
    if small is not None and done.disclosed is not None:
        small["withheld"] = {
            column: kinds
            for column, found in withheld.items()
            if (kinds := [kind for kind in found if kind in columns[column]])
        }
    return columns, small
