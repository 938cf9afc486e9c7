"""The output of `mpc plan`: what a run will cost and who will learn what, before anything is sent."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from mpc.faults.fault import Fault
from mpc.faults.planted import LABELS, STAGES
from mpc.links.meeting.backlog import kept
from mpc.runtime.plan import Plan
from mpc.runtime.round import HEADER_BYTES
from parties.report.summary import ALIGNMENT, correlations_grid, reveals_grid
from parties.scenario.faults import check_words
from parties.scenario.file import Scenario
from parties.scenario.network import LAN, NetworkSpec, preset_network
from parties.scenario.problems import Reading, read_or_refuse
from parties.scenario.star import StarScenario
from parties.show.blocks import (
    Block,
    Grid,
    Line,
    bytes_text,
    count_text,
    duration_text,
    plural,
    print_blocks,
    seconds_text,
    short_bytes,
)
from parties.tasks.base import PlanText, told_beside
from parties.tasks.registry import job_of, kind_of, star_of

if TYPE_CHECKING:
    from rich.console import Console

SCHEMA: Final = 1
WAN: Final = preset_network("wan")


def print_plan(
    plan: Plan,
    settings: Any,
    scenario: Scenario,
    *,
    as_json: bool = False,
    console: Console | None = None,
) -> None:
    """Prints a plan: as tables, or as one JSON object on standard output."""
    if as_json:
        text = json.dumps(plan_json(plan, settings, scenario), indent=2, allow_nan=False)
        (console.file if console else sys.stdout).write(text + "\n")
    else:
        print_blocks(plan_tables(plan, settings, scenario), console)


def print_star_plan(scenario: StarScenario, *, as_json: bool = False) -> None:
    """Prints the plan of a scenario for a server and clients: as tables, or as one JSON object on standard output."""
    star = star_of(scenario)
    of_processes = () if scenario.faults is None else scenario.faults.faults
    faults = [*map(str, of_processes), *scenario.hosted_faults.values()]
    said = {"faults": faults} if faults else {}
    if as_json:
        sys.stdout.write(json.dumps({**star.plan(scenario), **said}, indent=2, allow_nan=False) + "\n")
    else:
        print_blocks([*star.plan_blocks(scenario), *_faults_blocks(said)])


def plan_tables(plan: Plan, settings: Any, scenario: Scenario) -> list[Block]:
    """The plan as lines and tables, in order: common questions first, details at the end."""
    notice = job_of(scenario).notice.plan(settings, scenario)
    facts = _facts(plan, notice, scenario)
    return [
        Line(f"{scenario.name}: the plan. Nothing has been sent.", "bold"),
        Line(notice.work),
        Line(_cost_text(facts, plan, scenario.network)),
        *notice.how,
        _stages_grid(facts),
        _traffic_grid(plan),
        Line(f"All that {plan.helper} sends goes to {plan.owners[-1]}, the last owner; the others need seeds only."),
        _seconds_grid(facts, scenario.network),
        Line(_left_out_text(plan)),
        *_faults_blocks(facts),
        *_learns_blocks(facts, plan, scenario),
        _dealt_grid(facts, plan, notice),
        *notice.details,
        Line(""),
        Line("Every party makes this plan for itself, and starts only if all have the same digest:"),
        Line(plan.digest, wrap=False),
    ]


def plan_json(plan: Plan, settings: Any, scenario: Scenario) -> dict[str, Any]:
    """The plan as `mpc plan --json` prints it; its shape is stable under one `schema`, for each kind of task."""
    return _facts(plan, job_of(scenario).notice.plan(settings, scenario), scenario)


def _facts(plan: Plan, notice: PlanText, scenario: Scenario) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "scenario": {
            "name": scenario.name,
            "digest": scenario.digest,
            **notice.scenario,
        },
        "digest": plan.digest,
        "rounds": len(plan.rounds),
        "stages": _stages(plan),
        "bytes": dict(plan.bytes_sent),
        "messages": dict(plan.messages_sent),
        "correlations": plan.correlations,
        "masks": sum(count * len(kind.drawn) for kind, count in plan.counted_kinds),
        "kept": kept(plan),
        "reveals": [
            {"what": item.what, "to": list(item.to), "shape": list(item.shape), "why": item.why}
            for item in plan.reveals
        ],
        "helper": {"name": plan.helper, "learns": list(notice.helper_learns), "opened": []},
        "seconds": {
            "lan": _seconds(plan, LAN),
            "wan": _seconds(plan, WAN),
            "network": _seconds(plan, scenario.network) if scenario.network else None,
            **_slowest(plan, scenario.network),
            "handling": plan.handling,
        },
        **({} if scenario.faults is None else {"faults": [str(fault) for fault in scenario.faults.faults]}),
        **notice.facts,
    }


def _stages(plan: Plan) -> list[dict[str, Any]]:
    """Rounds of each stage and the bytes that each owner sends in them, in the order that the stages begin."""
    others = len(plan.owners) - 1
    stages: dict[str, dict[str, Any]] = {}
    for one in plan.rounds:
        stage = stages.setdefault(one.stage, {"stage": one.stage, "rounds": 0, "bytes": 0})
        stage["rounds"] += 1
        stage["bytes"] += (HEADER_BYTES + one.payload) * others
    return list(stages.values())


def _seconds(plan: Plan, network: NetworkSpec, *, slowest: bool = False) -> float:
    """Seconds on the wire of a network without its cuts; with `slowest`, with each packet as late as it may be."""
    return plan.seconds_over(lambda one, other: network.speed(one, other, slowest=slowest))


def _slowest(plan: Plan, network: NetworkSpec | None) -> dict[str, float]:
    """The longest time on a network whose latency varies, or whose links are cut.

    A cut holds a run up by no more than its length and, where the bandwidth is one, what it sends again.
    """
    if network is None or not (network.cuts or network.varies):
        return {}
    return {"network_at_most": _seconds(plan, network, slowest=True) + sum(cut.seconds for cut in network.cuts)}


def _cost_text(facts: dict[str, Any], plan: Plan, network: NetworkSpec | None) -> str:
    """The cost in one sentence."""
    most = max(plan.bytes_sent[owner] for owner in plan.owners)
    bound = "at most " if plan.forks else ""
    where, name = ("network", "the scenario's network") if network else ("wan", "a wide-area network")
    return (
        f"{bound}{_numbered(facts['rounds'], 'round')}; each owner sends {short_bytes(most)}, {plan.helper} "
        f"{short_bytes(plan.bytes_sent[plan.helper])}; about {duration_text(facts['seconds'][where])} on {name}."
    )


def _numbered(count: int, noun: str) -> str:
    return f"{count_text(count)} {noun}{'' if count == 1 else 's'}"


def check_faults_of(scenario: Scenario, plan: Plan) -> None:
    """The labels and stages of the scenario's faults are those of its plan.

    Raises:
        UsageError: some are not.
    """

    def reading(faults: Sequence[Fault]) -> Reading[bool]:
        labels = {*LABELS, *(one.label for one in plan.rounds)}
        yield from check_words(faults, labels, {*STAGES, *plan.stages})
        return True

    if scenario.faults is not None:
        read_or_refuse(str(scenario.path), reading(scenario.faults.faults))


def _faults_blocks(facts: dict[str, Any]) -> list[Block]:
    """What goes wrong on purpose."""
    if not facts.get("faults"):
        return []
    return [Grid("What goes wrong on purpose, with `mpc run`", ("fault",), tuple((one,) for one in facts["faults"]))]


def _left_out_text(plan: Plan) -> str:
    """The costs that the time on the wire leaves out."""
    handling = duration_text(plan.handling)
    return f"Handling the messages takes about {handling} besides; connecting and large products, more."


def _stages_grid(facts: dict[str, Any]) -> Grid:
    rows = [(s["stage"], count_text(s["rounds"]), bytes_text(s["bytes"])) for s in facts["stages"]]
    total = ("in all", count_text(facts["rounds"]), bytes_text(sum(s["bytes"] for s in facts["stages"])))
    title = "Rounds: in each, every owner sends something to all others and waits for theirs"
    return Grid(title, ("stage", "rounds", "bytes that each owner sends"), (*rows, total))


def _traffic_grid(plan: Plan) -> Grid:
    memory = kept(plan)
    rows = tuple(
        (
            name,
            "owner" if name in plan.owners else "helper",
            count_text(plan.messages_sent[name]),
            bytes_text(sent),
            f"at most {short_bytes(memory[name])}",
        )
        for name, sent in plan.bytes_sent.items()
    )
    title = f"What each party sends (headers of {HEADER_BYTES} bytes a message included)"
    return Grid(
        title, ("party", "role", "messages", "bytes sent", "memory for others' messages"), rows, frozenset({0, 1})
    )


def _dealt_grid(facts: dict[str, Any], plan: Plan, notice: PlanText) -> Grid:
    """The helper's correlations by kind, and the use of each kind."""
    dealt = correlations_grid(facts["correlations"], f"Random numbers that {plan.helper} deals")
    rows = tuple((*row, notice.uses.get(row[0], "")) for row in dealt.rows)
    return Grid(dealt.title, (*dealt.columns, "for"), rows, frozenset({0, 3}))


def _seconds_grid(facts: dict[str, Any], network: NetworkSpec | None) -> Grid:
    named = [("a local network", LAN, facts["seconds"]["lan"]), ("a wide-area network", WAN, facts["seconds"]["wan"])]
    if network is not None:
        named.append(("the scenario's network", network, facts["seconds"]["network"]))
    rows = [(name, _network_text(one), seconds_text(seconds)) for name, one, seconds in named]
    if "network_at_most" in facts["seconds"]:
        rows.append(
            ("the same at its slowest", _slowest_text(network), seconds_text(facts["seconds"]["network_at_most"]))
        )
    return Grid("Time on the wire", ("on", "round trip and bandwidth", "seconds"), tuple(rows), frozenset({0, 1}))


def _network_text(network: NetworkSpec) -> str:
    rate = "no limit" if network.bandwidth_mbit is None else f"{network.bandwidth_mbit:g} Mbit/s"
    others = f"; {plural(len(network.links), 'link')} of another kind" if network.links else ""
    return f"{2 * network.latency_ms:g} ms, {rate}{others}"


def _slowest_text(network: NetworkSpec | None) -> str:
    """Why a network may take longer."""
    if network is None:
        return ""
    jitter = ["with all of the jitter"] if network.varies else []
    return " and ".join([*jitter, *([plural(len(network.cuts), "cut")] if network.cuts else [])])


def _learns_blocks(facts: dict[str, Any], plan: Plan, scenario: Scenario) -> list[Block]:
    record = {"revealed": facts["reveals"], "parties": {owner: {"role": "owner"} for owner in plan.owners}}
    masks = _numbered(facts["masks"], "mask")
    split = any(item.what == ALIGNMENT for item in plan.reveals)
    return [
        reveals_grid(record, "What the owners will learn"),
        Line(""),
        Line(told_beside(kind_of(scenario).show(), split=split, private=scenario.privacy is not None)),
        Grid(
            f"What {plan.helper} will learn",
            ("no value, but",),
            tuple((notice,) for notice in facts["helper"]["learns"]),
        ),
        Line(""),
        Line(
            "Nobody is shown anything else: every other opening is under a uniform mask of its own. The plan's dry "
            f"run drew {masks}, and refuses a second opening under any of them."
        ),
    ]
