"""A scenario file of federated learning: read, and its settings checked together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.scenario.privacy import ClientPrivacySpec
from parties.scenario.problems import Problem, quote
from parties.scenario.star import ROUND
from parties.scenario.star_file import check_star, read_star
from parties.show.blocks import count_text
from parties.tasks.federated.costs import check_limits
from parties.tasks.federated.models import MOST_WEIGHTS, FederatedTask
from parties.tasks.federated.private import check_private
from parties.tasks.federated.settings import FederatedScenario
from protocols.aggregation.bounds import FEWEST

PRIVATE_DEFAULTS: Final[Mapping[str, Any]] = {"weights": "equal", "clip": 0.5}
"""Of [task] with [privacy]: noise is in proportion to `clip`, so that it is nearer to what an update is long."""
_HEAD: Final = ("schema", "name", "seed")


def read_federated(path: Path, raw: Mapping[str, Any]) -> FederatedScenario:
    """Check what a scenario file of federated learning holds.

    Raises:
        UsageError: it is not a valid scenario.
    """
    if "privacy" in raw and isinstance(raw.get("task"), Mapping):
        raw = {**raw, "task": {**PRIVATE_DEFAULTS, **raw["task"]}}
    scenario = read_star(path, raw, FederatedScenario, FederatedTask, _check, _HEAD, private=ClientPrivacySpec)
    try:
        if scenario.size > MOST_WEIGHTS:
            message = f"a model of {count_text(scenario.size)} weights, and {count_text(MOST_WEIGHTS)} are the most"
            raise UsageError(message, "choose fewer or narrower `hidden` layers")
        problems = list(check_limits(scenario))  # which plans each round, and so refuses a choice that cannot be
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from None
    for problem in problems[:1]:
        raise UsageError(f"{path}: [task] {problem.message}", problem.hint)
    return scenario


def _check(scenario: FederatedScenario) -> Iterator[Problem]:
    if scenario.privacy is not None:
        yield from check_private(scenario)
    yield from check_star(scenario, scenario.stages, survives=True)
    yield from _check_columns(scenario)
    yield from _check_model(scenario)
    yield from _check_ranges(scenario)
    yield from _check_rounds(scenario)


def _check_columns(scenario: FederatedScenario) -> Iterator[Problem]:
    """Problems of the parties' data."""
    task, clients = scenario.task, scenario.clients
    if scenario.helper is not None:
        yield Problem(f"[parties.{scenario.helper}] is a helper, which federated learning has none of", "leave it out")
    if len(set(task.features)) < len(task.features):
        yield Problem("[task] features lists a column more than once", "list each once")
    if task.target in task.features:
        yield Problem("[task] target is one of the features", "predict another column")
    sources = [str(party.data) for party in scenario.parties.values() if party.role == "client"]
    sources += [str(clients.data)] if clients is not None else []
    if any(ROUND in source for source in sources):
        yield Problem("a `data` has {round} in it, and all rounds are of the same rows", "name one file")
    if task.least_rows > task.most_rows:
        yield Problem("[task] least_rows is more than most_rows", "lower it")


def _check_model(scenario: FederatedScenario) -> Iterator[Problem]:
    """Problems of the model with the method."""
    task = scenario.task
    if (task.model == "mlp") != bool(task.hidden):
        yield Problem('[task] hidden is for model = "mlp" alone, which needs it', "such as hidden = [16]")
    if task.model == "poisson" and not scenario.newton:
        yield Problem('[task] model = "poisson" is for method = "newton" alone', "choose that method")
    if scenario.own != (task.size is not None):
        yield Problem('[task] size is for model = "own" alone, which needs it', "the number of all weights")
    if scenario.own and (task.personal or task.method == "fedprox"):
        yield Problem(
            '[task] model = "own" is trained by the clients\' own learners alone', "leave out personal, and FedProx"
        )
    if scenario.newton and task.model in ("multinomial", "mlp", "own"):
        yield Problem(f'[task] method = "newton" is not for model = "{task.model}"', "choose fedavg")
    if scenario.newton and task.cohort not in (None, scenario.count):
        yield Problem('[task] method = "newton" asks all clients in every round', "leave out cohort")


def _check_ranges(scenario: FederatedScenario) -> Iterator[Problem]:
    """Problems of the ranges of features and target."""
    task = scenario.task
    if (task.standardise or scenario.newton) and task.range is None:
        what = 'method = "newton"' if scenario.newton else "standardise"
        yield Problem(f"[task] {what} needs the features' range", "add range = [0, 100], or a table of them")
    numeric = task.model in ("linear", "poisson") or task.classes == 1
    if numeric and task.target_range is None:
        yield Problem("[task] a target that is a number needs its range", "add target_range = [0, 100]")
    if task.target_range is not None and not task.target_range[0] < task.target_range[1]:
        yield Problem("[task] target_range is empty", "give the smallest value first, then the largest")
    if task.target_range is not None and not numeric:
        yield Problem("[task] target_range is for a target that is a number", "remove it")
    if isinstance(task.range, Mapping):
        if set(task.range) != set(task.features):
            other = sorted(set(task.range) ^ set(task.features))
            yield Problem(f"[task] range and features differ in {quote(other)}", "give each feature its range")
        pairs = list(task.range.values())
    else:
        pairs = [task.range] if task.range is not None else []
    if any(not low < high for low, high in pairs):
        yield Problem("[task] range is empty", "give the smallest value first, then the largest")


def _check_rounds(scenario: FederatedScenario) -> Iterator[Problem]:
    """Problems of the held-out rows, and of the numbers of clients."""
    task = scenario.task
    if task.early_stop is not None and not task.validation_fraction:
        yield Problem("[task] early_stop goes by held-out rows, and there are none", "add validation_fraction")
    if task.personal and (scenario.newton or not task.validation_fraction):
        yield Problem(
            "[task] personal models are judged by held-out rows, and are not made by Newton's method",
            "add validation_fraction, or choose another method",
        )
    if task.cohort is not None and task.cohort > scenario.count:
        yield Problem(f"[task] cohort is {task.cohort}, and there are {scenario.count} clients", "lower it")
    if scenario.min_cohort > scenario.cohort >= FEWEST:  # of fewer no sum is made, whatever min_cohort is
        yield Problem(
            f"[task] min_cohort is {scenario.min_cohort}, and {scenario.cohort} clients are asked", "lower it"
        )
