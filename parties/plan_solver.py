"""How the plan, the summary and the record say by which solver a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from parties.blocks import count_text, is_number, plural, significant

if TYPE_CHECKING:
    from protocols.training_settings import TrainingSettings

NAMES: Final[Mapping[str, str]] = {
    "sgd": "mini-batch gradient descent",
    "nesterov": "full-batch gradient descent with momentum (Nesterov)",
    "newton": "full-batch steps along the inverse of a fixed Hessian, which stays shared, with momentum",
}


def training_facts(settings: TrainingSettings) -> dict[str, Any]:
    """The solver and its public numbers, as `result.json` and `mpc plan --json` have them."""
    full = settings.solver != "sgd"
    return {
        "solver": settings.solver,
        "steps": settings.step_count,
        "batch_size": None if full else settings.batch_size,
        "learning_rate": settings.learning_rate,
        "momentum": settings.momentum if full else None,
        "l2": settings.l2,
    }


def steps_text(facts: Mapping[str, Any]) -> str:
    """How many steps there are, of how many rows."""
    steps, batch = facts.get("steps"), facts.get("batch_size")
    each = "all rows" if batch is None else f"at most {batch} rows"
    return f"{plural(steps, 'step') if steps == 1 else count_text(steps) + ' steps'} of {each}"


def solver_text(facts: Mapping[str, Any]) -> str:
    """The solver, its steps and its numbers in a sentence."""
    name = NAMES.get(str(facts.get("solver")), str(facts.get("solver")))
    numbers = [("learning rate", "learning_rate"), ("momentum", "momentum"), ("l2", "l2")]
    told = [f"{words} {significant(facts[key], 3)}" for words, key in numbers if is_number(facts.get(key))]
    return f"Trained by {name}: {steps_text(facts)}, {', '.join(told)}."
