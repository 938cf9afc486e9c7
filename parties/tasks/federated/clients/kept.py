"""What a client keeps of a study: its own models, in its own folder, and what it gains by them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from mpc.star.client import StarClient
from parties.base.private_files import replace_file
from parties.tasks.federated.clients.hosted import FederatedClient
from parties.tasks.federated.clients.work import Done
from parties.tasks.federated.figures import own_units
from parties.tasks.federated.settings import FederatedScenario

FILE: Final = "models.json"


def own_figures_of(done: Done) -> dict[str, Any] | None:
    """A client's own figures of each model on its held-out rows, and what it gains by each of its own."""
    if not done.own:
        return None
    return {
        "rows": next(iter(done.own.values())).rows,
        "models": {kind: {"loss": one.loss, "accuracy": one.accuracy} for kind, one in done.own.items()},
        "gains": dict(done.gains),
        "best": done.best,
    }


def keep(scenario: FederatedScenario, client: StarClient, folder: Path) -> dict[str, Any]:
    """Write the models that a client ends with into its folder; returns what its record says of them.

    Raises:
        UsageError: the file cannot be written.
    """
    if not isinstance(client, FederatedClient) or client.part.last is None:
        return {}
    part, last = client.part, client.part.last
    models = {kind: weights.tolist() for kind, weights in last.personal.items()}
    if not models:
        return {}
    task = scenario.task
    content = {
        "scenario": {"name": scenario.name, "digest": scenario.digest},
        "client": part.name,
        "model": task.model,
        "hidden": list(task.hidden),
        "classes": scenario.classes,
        "features": list(task.features),
        "target": task.target,
        "means": last.means.tolist(),
        "deviations": last.deviations.tolist(),
        "weights": models,
        "coefficients": {
            kind: coefficients
            for kind, weights in last.personal.items()
            if (coefficients := own_units(scenario, weights, last.means, last.deviations)) is not None
        },
    }
    replace_file(folder / FILE, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())
    return {"own": own_figures_of(last), "kept": FILE}
