"""The server's result: the model, its figures by round, who took part, and what that cost."""

from __future__ import annotations

import hashlib
from typing import Any

from parties.tasks.federated.figures import own_units
from parties.tasks.federated.leaks import intermediate_facts
from parties.tasks.federated.private import privacy_facts
from parties.tasks.federated.reveals import learner_record, split_record
from parties.tasks.federated.server.rounds import ServerState
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star.server import Costs


def server_result(scenario: FederatedScenario, state: ServerState, session: str, costs: Costs) -> dict[str, Any]:
    """The server's result, as it reports it to its launcher."""
    played = [one for one in state.history if "bytes" in one]

    def total(key: str) -> int:
        return sum(one["bytes"][key] for one in played)

    return {
        "party": costs.party(
            scenario.count, total("sent"), total("received"), bytes_of_failed_attempts=total("failed_attempts")
        ),
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
        from parties.tasks.federated.server.newton import fit_record

        found["fit"] = fit_record(scenario, state)
    return found
