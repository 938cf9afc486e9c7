"""The record of federated learning: the model, its figures by round, who took part, and what it cost."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mpc.errors import InternalError
from mpc.ring.array import Array
from parties.base.record_files import SCHEMA
from parties.tasks.federated.leaks import intermediate_facts
from parties.tasks.federated.private import privacy_facts
from parties.tasks.federated.rounds import ServerState
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.clients import client_seconds
from protocols.rows.results import INTERCEPT


def server_result(
    scenario: FederatedScenario,
    state: ServerState,
    session: str,
    seconds: Mapping[str, float],
    computation: float,
    peak: int,
) -> dict[str, Any]:
    """The server's result, as it reports it to its launcher."""
    played = [one for one in state.history if "bytes" in one]

    def total(key: str) -> int:
        return sum(one["bytes"][key] for one in played)

    return {
        "party": {
            "role": "server",
            "pid": os.getpid(),
            "clients": scenario.count,
            "bytes_sent": total("sent"),
            "bytes_received": total("received"),
            "bytes_of_failed_attempts": total("failed_attempts"),
            "computation": computation,
            "peak_memory": peak,
            "seconds": dict(seconds),
        },
        "session": session,
        "plan": {
            "rounds": len(scenario.stages) * len(played),
            "bytes": {"server": total("planned_sent"), "clients": total("planned_received")},
            "correlations": {},
        },
        "federated": federated_part(scenario, state),
    }


def federated_part(scenario: FederatedScenario, state: ServerState) -> dict[str, Any]:
    """The study's own part of a record."""
    task = scenario.task
    found: dict[str, Any] = {
        "method": task.method,
        "model": task.model,
        "aggregation": task.aggregation,
        "server": task.server,
        "target": task.target,
        "features": list(task.features),
        "clients": scenario.count,
        "cohort": scenario.cohort,
        "rounds": [dict(one) for one in state.history],
        "best": {"round": state.best.t, "loss": state.best.loss} if state.best is not None else None,
        "stopped_early": task.early_stop is not None and len(state.history) < scenario.star_rounds,
        "weights": state.weights.tolist(),
        "standardised": (
            {"means": state.means.tolist(), "deviations": state.deviations.tolist()} if state.means.size else None
        ),
        "coefficients": own_units(scenario, state.weights, state.means, state.deviations),
        "seed": scenario.seed,
        "intermediate_models": intermediate_facts(scenario),
        "split": split_record(scenario),
        "learner": learner_record(scenario),
        "start": hashlib.sha256(scenario.start.read_bytes()).hexdigest() if scenario.start is not None else None,
    }
    if scenario.privacy is not None:
        found["privacy"] = privacy_facts(scenario, state.spent)
    if scenario.newton:
        from parties.tasks.federated.newton_rounds import fit_record

        found["fit"] = fit_record(scenario, state)
    return found


def split_record(scenario: FederatedScenario) -> dict[str, Any] | None:
    """The rule by which one file's rows were dealt to the hosted clients, with the seed above; None: by none."""
    spec = scenario.clients
    if spec is None or spec.split is None:
        return None
    column = scenario.split_labels if spec.split == "labels" else None
    return {"by": spec.split, "column": column, "alpha": spec.alpha, "clients": spec.count}


def learner_record(scenario: FederatedScenario) -> dict[str, str] | None:
    """The learner of the clients of this process's user, if it is not the built-in one."""
    return scenario.step.facts if scenario.step is not None else None


def own_units(scenario: FederatedScenario, w: Array, means: Array, deviations: Array) -> dict[str, float] | None:
    """A regression's coefficients per unit of each column, the intercept last; None of models that are none.

    Args:
        w: as it was trained, on features standardised by these (none, if they were not); Newton's, in its units.
    """
    task, w = scenario.task, w.copy()
    if task.model not in ("linear", "logistic", "poisson"):
        return None
    if scenario.newton:
        w = scenario.newton_units(means).change() @ w
    elif means.size:
        w[:-1] /= deviations
        w[-1] -= float(np.dot(w[:-1], means))
    if task.model == "linear":
        w *= scenario.target_unit
        w[-1] += float(scenario.target_units.centre[0])
    return dict(zip((*task.features, INTERCEPT), w.tolist(), strict=True))


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


Told = tuple[str, list[str], int, str]
"""What, to whom, how many numbers, and why."""


def revealed(scenario: FederatedScenario) -> list[dict[str, Any]]:
    """What the server, and the clients, learn of the clients' data, as a record lists it."""
    told = _with_noise(scenario) if scenario.privacy is not None else _exact(scenario)
    who = ("who took part, and who dropped out when", [scenario.server], scenario.count, "it relays their messages")
    return [{"what": what, "to": to, "shape": [shape], "why": why} for what, to, shape, why in (*told, who)]


def _models(scenario: FederatedScenario) -> Told:
    return "the model of each round", [scenario.server, "clients"], scenario.size, "it is what is trained"


def _over(scenario: FederatedScenario) -> str:
    return f"over {scenario.min_cohort} clients or more together"


def _with_noise(scenario: FederatedScenario) -> Iterator[Told]:
    """With [privacy]."""
    assert scenario.privacy is not None
    server, noisy = [scenario.server], f"with noise: {scenario.privacy.text}; {_over(scenario)}"
    yield "the noisy sum of the updates in each round", server, scenario.size, f"the model's next step; {noisy}"
    yield _models(scenario)
    if scenario.judges:
        numbers = scenario.mechanisms["evaluate"].size
        yield "noisy figures of the last model", server, numbers, f"to judge it; {noisy}"


def _exact(scenario: FederatedScenario) -> Iterator[Told]:
    """Without it."""
    task, server, over, p = scenario.task, [scenario.server], _over(scenario), len(scenario.task.features)
    if scenario.plain:
        why = 'aggregation = "plain": for comparison only; an update gives back rows'
        yield "EVERY CLIENT'S OWN UPDATE AND FIGURES, in every round", server, scenario.size, why
    if task.standardise:
        yield f"mean and deviation of {p} features", [*server, "clients"], 2 * p, f"to standardise by; {over}"
    if scenario.newton:
        what = "gradient, Fisher matrix, deviance and number of rows at each step's model"
        yield what, server, scenario.size * (scenario.size + 3) // 2 + 2, f"Newton's step; {over}"
    else:
        what = "the sum of the updates in each round, and of their weights"
        yield what, server, scenario.size + 1, f"the model's next step; {over}, and of no one of them"
    yield _models(scenario)
    if scenario.judges:
        scores = " and, in the last round, histograms of scores by class" if task.auc and scenario.classes > 1 else ""
        right = "numbers of right answers" if scenario.classes > 1 else "squared errors"
        on = "rows of the fit" if scenario.newton else "held-out rows"
        numbers = scenario.layout(scenario.phases[-1], np.zeros(scenario.size)).length
        yield f"sums of losses and {right}{scores}", server, numbers, f"to judge models by; on {on}, {over}"
    if task.personal:
        what = "how many clients gain how much by a model of their own, and which model is best for how many"
        why = f"counts of 1 to {task.min_cell - 1} are left out of the record; the server sees them"
        yield what, server, 1, why
