"""Settings of single solvers: their defaults, and checks of which go together."""

from __future__ import annotations

from typing import Any, Final

from parties.scenario.problems import Problem, Reading
from parties.tasks.logistic.settings.task import LogisticTask

ITERATIONS: Final = {"nesterov": 300, "newton": 60}
"""The default steps of a full-batch solver: three digits of the optimum on most data (docs/solvers.md)."""

MOMENTUM: Final = {"nesterov": 0.9, "newton": 0.7}
MOST_UNEQUAL: Final = 64.0
"""The largest ratio of two class weights, as in `protocols.training.class_weights`."""

RATE: Final = 0.5
"""The default learning rate of mini-batches; the full-batch solvers' is "auto"."""

_MINI_BATCH: Final = ("epochs", "batch_size")
_FULL_BATCH: Final = ("iterations", "momentum", "tolerance")


def settle_solver(task: LogisticTask) -> Reading[LogisticTask]:
    """Give each setting of the solver a value, so that digests of equal trainings are equal."""
    if isinstance(task.class_weights, tuple) and max(task.class_weights) > MOST_UNEQUAL * min(task.class_weights):
        message = f"[task] class_weights differ by more than {MOST_UNEQUAL:g} times"
        yield Problem(message, "bring them closer to each other")
    if task.solver == "auto":
        return (yield from _leave_to_the_plan(task))
    sgd = task.solver == "sgd"
    wrong = [key for key in (_FULL_BATCH if sgd else _MINI_BATCH) if key in task.model_fields_set]
    if wrong:
        said = f"[task] {' and '.join(wrong)} {'belongs' if len(wrong) == 1 else 'belong'} to "
        if sgd:
            hint = "with solver = \"sgd\", say how long to train with 'epochs'"
            if "tolerance" in wrong:
                hint += ": its weights go on moving with each mini-batch and never come to rest"
            yield Problem(said + "the full-batch solvers", hint)
        else:
            hint = "each of its steps uses all rows: say how many with 'iterations'"
            yield Problem(f'{said}solver = "sgd", not to "{task.solver}"', hint)
    filled: dict[str, Any] = {} if sgd else {"epochs": 1}  # the default of epochs would look as if it were used
    if not sgd and task.iterations is None:
        filled["iterations"] = ITERATIONS[task.solver]
    if not sgd and task.momentum is None:
        filled["momentum"] = MOMENTUM[task.solver]
    if task.learning_rate is None:
        filled["learning_rate"] = RATE if sgd else "auto"
    settled = task.model_copy(update=filled)
    if not task.standardise and settled.learning_rate == "auto":
        hint = "set standardise = true, or give a number as learning_rate"
        yield Problem('[task] learning_rate = "auto" goes by standardised features', hint)
    elif not task.standardise and task.solver == "newton":
        yield Problem('[task] solver = "newton" needs standardised features', "set standardise = true")
    return settled


def _leave_to_the_plan(task: LogisticTask) -> Reading[LogisticTask]:
    """Settle a task of solver = "auto", which takes no numbers of any one solver: they come with the choice."""
    given: list[str] = [key for key in (*_MINI_BATCH, *_FULL_BATCH) if key in task.model_fields_set]
    if task.learning_rate not in (None, "auto"):
        given.append("learning_rate")
    if given:
        hint = 'remove it, or name the solver: "sgd", "nesterov" or "newton"'
        yield Problem(f'[task] solver = "auto" chooses {" and ".join(given)} itself', hint)
    if not task.standardise:
        hint = "set standardise = true, or name the solver and a learning_rate"
        yield Problem('[task] solver = "auto" goes by standardised features', hint)
    return task.model_copy(update={"learning_rate": "auto"})
