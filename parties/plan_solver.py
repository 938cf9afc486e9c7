"""How the plan, the summary and the record say by which solver a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parties.blocks import count_text, is_number, plural, significant, table

if TYPE_CHECKING:
    from parties.scenario import Scenario
    from protocols.training_settings import TrainingSettings

NAMES: Final[Mapping[str, str]] = {
    "sgd": "mini-batch gradient descent",
    "nesterov": "full-batch gradient descent with momentum (Nesterov)",
    "irls": "Newton's method to the maximum likelihood (iteratively reweighted least squares)",
    "newton": "full-batch steps along the inverse of a fixed Hessian, which stays shared, with momentum",
}


def training_facts(settings: TrainingSettings, scenario: Scenario) -> dict[str, Any]:
    """The solver and its public numbers, as `result.json` and `mpc plan --json` have them.

    `choice` says, where the solver was left to the plan, how many seconds each would take on the wire, and where.
    """
    from parties.solver_choice import prices

    if settings.inference is not None:
        return {"solver": "irls", "steps": settings.step_count, "batch_size": None, "inference": settings.inference}
    full = settings.solver != "sgd"
    choice = None
    if scenario.training.solver == "auto":
        seconds = prices(settings, scenario.network)
        choice = {"network": "scenario" if scenario.network else "local", "seconds": dict(seconds)}
    return {
        "solver": settings.solver,
        "steps": settings.step_count,
        "batch_size": None if full else settings.batch_size,
        "learning_rate": settings.learning_rate,
        "momentum": settings.momentum if full else None,
        "l2": settings.l2,
        "class_weights": settings.class_weights,
        "choice": choice,
    }


def steps_text(facts: Mapping[str, Any]) -> str:
    """How many steps there are, of how many rows."""
    steps, batch = facts.get("steps"), facts.get("batch_size")
    each = "all rows" if batch is None else f"at most {batch} rows"
    return f"{plural(steps, 'step') if steps == 1 else count_text(steps) + ' steps'} of {each}"


def solver_text(facts: Mapping[str, Any]) -> str:
    """The solver, its steps and its numbers in a sentence."""
    if "inference" in facts:
        kept = "the gradients and Fisher matrices are opened"
        if facts["inference"] == "shared":
            kept = "gradients and Fisher matrices stay shared"
        return f"Fitted by {NAMES['irls']}: {steps_text(facts)}; {kept}."
    name = NAMES.get(str(facts.get("solver")), str(facts.get("solver")))
    numbers = [("learning rate", "learning_rate"), ("momentum", "momentum"), ("l2", "l2")]
    told = [f"{words} {significant(facts[key], 3)}" for words, key in numbers if is_number(facts.get(key))]
    weights = facts.get("class_weights")
    if weights is not None:
        pair = weights if isinstance(weights, str) else " and ".join(significant(one, 3) for one in weights)
        told.append(f"class weights {pair}")
    return f"Trained by {name}: {steps_text(facts)}, {', '.join(told)}.{_choice_text(facts)}"


def _choice_text(facts: Mapping[str, Any]) -> str:
    """Why this solver, where the scenario left it open; empty where it did not."""
    choice = table(facts.get("choice"))
    seconds = {solver: value for solver, value in table(choice.get("seconds")).items() if is_number(value)}
    if not seconds:
        return ""
    where = "on the scenario's network" if choice.get("network") == "scenario" else "on a local network"
    named = sorted(seconds, key=lambda solver: seconds[solver])
    each = ", ".join(f"{solver} {significant(seconds[solver], 2)}" for solver in named)
    return f' Chosen by solver = "auto": seconds on the wire {where}, to about the same loss, are {each}.'
