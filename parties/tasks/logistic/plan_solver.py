"""The solver of a training in the plan, the summary and the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import count_text, is_number, plural, table, to_digits
from parties.tasks.logistic.settings.task import LogisticTask
from protocols.training.stop_test import EVERY, steps_taken

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from protocols.rows.settings import TrainingSettings

NAMES: Final[Mapping[str, str]] = {
    "sgd": "mini-batch gradient descent",
    "nesterov": "full-batch gradient descent with momentum (Nesterov)",
    "irls": "Newton's method to the maximum likelihood (iteratively reweighted least squares)",
    "newton": "full-batch steps along the inverse of a fixed Hessian, which stays shared, with momentum",
}


def training_facts(
    settings: TrainingSettings,
    scenario: Scenario,
    ways: Sequence[bool] | None = None,
    converged: bool | None = None,
) -> dict[str, Any]:
    """The solver and its public numbers, as `result.json` and `mpc plan --json` have them.

    `choice` says, where the solver was left to the plan, how many seconds each would take on the wire, and where.
    `steps` is how many were taken, or for a plan of a training that may end early, how many there are at most.

    Args:
        ways: of a run that is over: what its stop tests said.
        converged: of such a run: what its convergence check said; None where the solver has none.
    """
    if settings.inference is not None:
        task = scenario.task_as(LogisticTask)
        return {
            "solver": "irls",
            "steps": settings.step_count,
            "converged": converged,
            "batch_size": None,
            "inference": settings.inference,
            "offset": task.offset,
            "weights": task.weights,
        }
    full = settings.solver != "sgd"
    choice = None
    if scenario.task_as(LogisticTask).solver == "auto":
        choice = {"network": "scenario" if scenario.network else "local", "seconds": dict(settings.choice)}
    return {
        "solver": settings.solver,
        "steps": steps_taken(settings.step_count, ways or ()),
        "most_steps": settings.step_count,
        "tolerance": settings.tolerance,
        "stopped": None if settings.tolerance is None or ways is None else True in ways,
        "converged": converged,
        "batch_size": None if full else settings.batch_size,
        "learning_rate": settings.learning_rate,
        "momentum": settings.momentum if full else None,
        "l2": settings.l2,
        "class_weights": settings.class_weights,
        "choice": choice,
    }


_ASIDES: Final = {"offset": "offset", "weights": "weights"}


def steps_text(facts: Mapping[str, Any]) -> str:
    """The number of steps, and the rows of each."""
    steps, batch = facts.get("steps"), facts.get("batch_size")
    each = "all rows" if batch is None else f"at most {batch} rows"
    most = "at most " if is_number(facts.get("tolerance")) and facts.get("stopped") is None else ""
    return f"{most}{plural(steps, 'step') if steps == 1 else count_text(steps) + ' steps'} of {each}"


def _stop_text(facts: Mapping[str, Any]) -> str:
    """The condition that ends a training before its last step; empty without one."""
    if not is_number(facts.get("tolerance")):
        return ""
    rest = f"no weight moved by more than {to_digits(facts['tolerance'], 3)} in {EVERY} steps"
    if facts.get("stopped") is None:
        return f" It ends as soon as {rest}; one bit tells after every {EVERY} steps."
    if facts.get("stopped"):
        return f" It ended before its {count_text(facts.get('most_steps'))} steps were over, as {rest}."
    return f" It took all its steps: at no test had {rest}."


def optimum_text(facts: Mapping[str, Any]) -> str:
    """A note on weights that are not, or may not be, at the optimum; empty if they are, and in a plan."""
    fit = 'with reveal = ["inference"] the run gives the maximum-likelihood fit and its standard errors'
    if facts.get("solver") == "sgd":
        return (
            "Mini-batches end near the optimum, not at it, and how near is not tested, so a single weight says little: "
            f"{fit}."
        )
    if facts.get("converged") is not False:
        return ""
    return (
        "NOT CONVERGED: in the last quarter of the steps a weight still moved by more than a tenth of the least "
        "standard error that it can have. A single weight says little, and so do probabilities. Raise `iterations` or "
        f'`l2`, or try solver = "newton"; {fit}.'
    )


def solver_text(facts: Mapping[str, Any]) -> str:
    """The solver, its steps and its numbers in a sentence."""
    if "inference" in facts:
        kept = "the gradients and Fisher matrices are opened"
        if facts["inference"] == "shared":
            kept = "gradients and Fisher matrices stay shared"
        columns = [f"{facts[key]} as {words}" for key, words in _ASIDES.items() if isinstance(facts.get(key), str)]
        given = f", with {' and '.join(columns)}" if columns else ""
        return f"Fitted by {NAMES['irls']}: {steps_text(facts)}{given}; {kept}."
    name = NAMES.get(str(facts.get("solver")), str(facts.get("solver")))
    numbers = [("learning rate", "learning_rate"), ("momentum", "momentum"), ("l2", "l2")]
    parts = [f"{words} {to_digits(facts[key], 3)}" for words, key in numbers if is_number(facts.get(key))]
    weights = facts.get("class_weights")
    if weights is not None:
        pair = weights if isinstance(weights, str) else " and ".join(to_digits(one, 3) for one in weights)
        parts.append(f"class weights {pair}")
    return f"Trained by {name}: {steps_text(facts)}, {', '.join(parts)}.{_stop_text(facts)}{_choice_text(facts)}"


def _choice_text(facts: Mapping[str, Any]) -> str:
    """The reason for the solver, if the scenario left the choice to the plan; else empty."""
    choice = table(facts.get("choice"))
    seconds = {solver: value for solver, value in table(choice.get("seconds")).items() if is_number(value)}
    if not seconds:
        return ""
    where = "on the scenario's network" if choice.get("network") == "scenario" else "on a local network"
    named = sorted(seconds, key=lambda solver: seconds[solver])
    each = ", ".join(f"{solver} {to_digits(seconds[solver], 2)}" for solver in named)
    return f' Chosen by solver = "auto": seconds on the wire {where}, to about the same loss, are {each}.'
