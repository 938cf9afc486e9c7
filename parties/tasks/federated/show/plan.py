"""The plan of federated learning: rounds, what they withstand, who learns what, and what a client spends in each."""

from __future__ import annotations

from typing import Any

from parties.show.blocks import Block, Grid, Line, bytes_text, count_text, join_words, plural, short_bytes
from parties.tasks.federated.costs import ClientCost, client_cost
from parties.tasks.federated.leaks import intermediate_blocks, intermediate_facts
from parties.tasks.federated.private import privacy_facts
from parties.tasks.federated.reveals import revealed, split_record
from parties.tasks.federated.settings import FederatedScenario, Round
from parties.tasks.star.noise import LEDGER_TEXT, guarantee_line
from parties.tasks.star.plan import read_rows, server_line, time_text, withstands
from protocols.aggregation.cost import server_seconds
from protocols.federated.coding import Layout
from protocols.federated.messages import Phase

SCHEMA = 1


def federated_plan(scenario: FederatedScenario) -> dict[str, Any]:
    """The plan as `mpc plan --json` prints it; its shape is stable under one `schema`."""
    task = scenario.task
    rounds = {phase: scenario.round_without_model(phase, 1) for phase in scenario.phases}
    costs = {phase: client_cost(scenario, one) for phase, one in rounds.items()}
    main = _main(scenario)
    training, cost = rounds[main], costs[main]
    s, b = training.settings, scenario.bounds(len(training.members))
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
        "withstands": withstands(b, s),
        "bits": s.bits,
        "stages": list(scenario.stages),
        "rounds": {phase: _round_facts(scenario, one, costs[phase]) for phase, one in rounds.items()},
        "update": None if scenario.newton or scenario.privacy is not None else _update_facts(scenario, training),
        "bytes": {
            "client_sends": cost.up,
            "client_receives": cost.down,
            "server_sends": cost.down * len(training.members),
            "server_receives": cost.up * len(training.members),
            "exact": not s.malicious,
        },
        "whole_study": {
            "client_sends": _on_average(scenario, {phase: one.up for phase, one in costs.items()}),
            "client_receives": _on_average(scenario, {phase: one.down for phase, one in costs.items()}),
            "server_sends": sum(_times(scenario, p) * costs[p].down * len(rounds[p].members) for p in rounds),
            "server_receives": sum(_times(scenario, p) * costs[p].up * len(rounds[p].members) for p in rounds),
        },
        "seconds": {"client": cost.seconds, "server": _server_seconds(scenario, training, b.dropped)},
        "memory": {"client": max(one.memory for one in costs.values())},
        "limits": {"memory_mb": task.most_memory_mb, "bytes": task.most_bytes, "seconds": task.most_seconds},
        "intermediate_models": intermediate_facts(scenario),
        **({} if scenario.privacy is None else {"privacy": privacy_facts(scenario)}),
        "reveals": [{"what": one["what"], "to": one["to"]} for one in revealed(scenario)],
    }


def _main(scenario: FederatedScenario) -> Phase:
    """The phase that most rounds are of."""
    return "newton" if scenario.newton else "train"


def _times(scenario: FederatedScenario, phase: Phase) -> int:
    """How many rounds of a phase there are, at the most."""
    return scenario.training_rounds if phase in ("train", "newton") else 1


def _on_average(scenario: FederatedScenario, bytes_of: dict[Phase, int]) -> int:
    """A client's bytes in the whole study, if it is asked as often as the average client."""
    share = scenario.cohort / scenario.count
    return round(sum(_times(scenario, p) * one * (share if p == "train" else 1) for p, one in bytes_of.items()))


def _server_seconds(scenario: FederatedScenario, one: Round, dropped: int) -> float:
    return 0.0 if scenario.plain else server_seconds(one.settings, dropped)


def _round_facts(scenario: FederatedScenario, one: Round, cost: ClientCost) -> dict[str, Any]:
    return {
        "times": _times(scenario, one.phase),
        "clients": len(one.members),
        "min_cohort": one.settings.min_cohort,
        "numbers": one.layout.length,
        "bits": one.layout.bits,
        "message_bytes": one.longest,
        "client_sends": cost.up,
        "client_receives": cost.down,
        "client_most_bytes": cost.most,
        "client_seconds": cost.seconds,
        "client_memory": cost.memory,
        "server_seconds": _server_seconds(scenario, one, scenario.bounds(len(one.members)).dropped),
    }


def _update_facts(scenario: FederatedScenario, training: Round) -> dict[str, Any]:
    """How updates are rounded, and what that can change: a weight's mean update is off by `error` at the most, if the
    clients' mean weight is at least `least_mean_weight`."""
    task, clients = scenario.task, len(training.members)
    assert isinstance(training.layout, Layout)
    error = 0.0 if scenario.plain else training.layout.bound("update", clients) / (clients * scenario.least_weight)
    return {
        "clip": task.clip,
        "scale": scenario.update_scale,
        "error": error,
        "allowed": task.precision * task.clip,
        "least_mean_weight": scenario.least_weight,
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
            time_text(one["client_seconds"]),
            short_bytes(one["client_memory"]),
        )
        for phase, one in facts["rounds"].items()
    )
    columns = ("round", "times", "clients", "numbers", "bits", "a client sends", "it receives", "computes", "holds")
    whole, about = facts["whole_study"], "" if facts["bytes"]["exact"] else " as many neighbours as are to be expected,"
    return [
        Line(f"{scenario.name}: the plan. Nothing has been sent.", "bold"),
        *protection_blocks(scenario),
        Grid("A client's part in a round in which nobody drops out", columns, rows),
        Line(
            f"With{about} headers, without encryption's; what a run took is compared with the plan of who answered, to "
            "the byte. Computation is on one core; memory is that of a client's arrays, with the most rows."
        ),
        Line(
            f"In all rounds together an average client sends {short_bytes(whole['client_sends'])} and receives "
            f"{short_bytes(whole['client_receives'])}, and {scenario.server} sends "
            f"{short_bytes(whole['server_sends'])} and receives {short_bytes(whole['server_receives'])}. In a round of "
            f"training the server computes {time_text(facts['seconds']['server'])}."
        ),
        *_limits(scenario),
        *knowledge_blocks(scenario),
        Line(""),
        Line("Server and clients start only with the same digest:"),
        Line(scenario.digest, wrap=False),
    ]


def _limits(scenario: FederatedScenario) -> list[Block]:
    task = scenario.task
    limits = [
        *([f"{task.most_memory_mb:g} MB of memory"] if task.most_memory_mb is not None else []),
        *([f"{count_text(task.most_bytes)} bytes"] if task.most_bytes is not None else []),
        *([f"{task.most_seconds:g} s of computation"] if task.most_seconds is not None else []),
    ]
    if not limits:
        return []
    text = f"A client takes no part in a round that takes more of it than {join_words(limits)}; the plan takes less."
    return [Line(text)]


def protection_blocks(scenario: FederatedScenario) -> list[Block]:
    """The rounds, and the parties that their sums are protected against."""
    facts, task = federated_plan(scenario), scenario.task
    holds, update = facts["withstands"], facts["update"]
    asked = f"{count_text(scenario.cohort)} of {count_text(scenario.count)} clients, drawn anew for each round,"
    asked = asked if scenario.cohort < scenario.count else f"{count_text(scenario.count)} clients"
    most = scenario.training_rounds
    upto = "up to " if most > 1 and (scenario.newton or task.early_stop is not None) else ""
    blocks: list[Block] = [
        Line(
            f"{asked} train a {task.model} model of {count_text(scenario.size)} weights by {task.method}, in "
            f"{upto}{plural(most, 'round')}. A round has {len(facts['stages'])} stages: {', '.join(facts['stages'])}."
        )
    ]
    if scenario.split_text is not None:
        blocks.append(Line(f"A simulation: {scenario.split_text}, by the public seed {scenario.seed}."))
    if scenario.plain:
        return [*blocks, Line(f"PLAIN: nothing is hidden from {scenario.server}. For comparison only.", "bold red")]
    blocks += [
        server_line(scenario, scenario.bounds(scenario.cohort)),
        Line(
            f"A round withstands {count_text(holds['corrupt'])} clients that work with the server, and "
            f"{count_text(holds['dropped'])} that drop out. The largest coalition tolerated: "
            f"{count_text(holds['largest_coalition'])} clients."
        ),
        Line(
            f"No sum of fewer than {max(1, holds['smallest_group'])} honest clients is ever open to the server"
            + (", whoever it says dropped out." if task.server == "malicious" else ".")
        ),
    ]
    if update is not None:
        blocks.append(
            Line(
                f"Updates are clipped to a norm of {update['clip']:g} and rounded to multiples of "
                f"{1 / update['scale']:.3g}: a weight's mean update is off by {update['error']:.2g} at the most "
                f"(precision allows {update['allowed']:.2g})."
            )
        )
    return [*blocks, *_privacy_blocks(scenario)]


def _privacy_blocks(scenario: FederatedScenario) -> list[Block]:
    """The guarantee, and each release with its share of it and the noise of its mean."""
    facts, privacy, task = privacy_facts(scenario), scenario.privacy, scenario.task
    if facts is None or privacy is None:
        return []
    rows = tuple(
        (
            one["what"],
            count_text(one["times"]),
            f"{100 * one['share']:.1f} %",
            f"{one['norm']:.4g}",
            count_text(one["honest_clients"]),
            f"{one['deviation_of_the_mean']:.3g}",
        )
        for one in facts["releases"]
    )
    columns = ("what is released", "times a client", "share of rho", "norm", "noise of", "noise in the mean")
    lines = [
        f"Each client adds its part of the noise. {plural(facts['work_together'], 'client')} may take off what they "
        "added and still the others' noise carries the claim: that of the fewest clients in a sum, less these "
        "(`noise of`). If more take part, there is more noise than the claim needs. `noise in the mean` is its "
        f"standard deviation in each number, if all take part; an update is clipped to a norm of {task.clip:g}.",
        "The clients of a round are drawn in public, so that the draw makes nothing more private; a client pays for "
        "the rounds for which it is drawn (`times a client`: of the one that is drawn most often).",
        f"All clients weigh the same{', and features are standardised by their agreed range' * task.standardise}.",
        f"Told exactly, whatever epsilon is: {'; '.join(facts['outside'])}.",
        LEDGER_TEXT,
    ]
    return [
        Line(""),
        guarantee_line(privacy),
        Grid("Releases with noise", columns, rows),
        *map(Line, lines),
    ]


def knowledge_blocks(scenario: FederatedScenario) -> list[Block]:
    """What the server and the clients learn, and what the models of the rounds tell."""
    rows = tuple((one["what"], ", ".join(one["to"])) for one in revealed(scenario))
    return [
        Grid("Who learns what", ("what", "who"), rows, frozenset({0, 1})),
        *intermediate_blocks(scenario),
    ]


def data_notice(scenario: FederatedScenario, me: str) -> list[Block]:
    """What is asked of a party's data."""
    if me == scenario.server:
        return [Line(""), Line(f"{me} has no data: it relays the clients' messages, and learns sums and the model.")]
    task, spec = scenario.task, scenario.clients if me not in scenario.parties else None
    whose = "all of that file"
    if spec is not None and "{client}" not in str(spec.data):
        whose = "those that the split deals it" if spec.by is None else f"those with {me} in column '{spec.by}'"
    what = [
        *read_rows(scenario, me),
        ("target", task.target),
        ("features", ", ".join(task.features)),
        ("rows", f"{whose}, {count_text(task.most_rows)} at most"),
    ]
    if task.validation_fraction and not scenario.newton:
        what.append(("held out", f"{task.validation_fraction:g} of them, to judge models by"))
    return [Grid(f"What is asked of the data of {me}", ("what", "which"), tuple(what), frozenset({0, 1}))]
