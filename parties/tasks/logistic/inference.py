"""What `reveal = ["inference"]`, the maximum-likelihood fit with its standard errors, asks of the other settings."""

from __future__ import annotations

from typing import Final

from parties.scenario.problems import Problem, quoted
from parties.tasks.logistic.settings import LogisticTask

_OF_TRAININGS: Final = (
    "solver", "epochs", "batch_size", "iterations", "momentum",
    "tolerance", "tolerance", "learning_rate", "sigmoid_range"
)  # fmt: skip
_WHAT: Final = '[task] reveal = ["inference"]'


def settled_inference(task: LogisticTask, problems: list[Problem]) -> LogisticTask:
    """The task with every setting of a training at its default, as none of them has a part in such a fit."""
    given = [key for key in _OF_TRAININGS if key in task.model_fields_set]
    if given:
        message = f"{_WHAT} fits by Newton's method, so {quoted(given)} {'has' if len(given) == 1 else 'have'} no part"
        problems.append(Problem(message, "remove what is named; `newton_steps` says how many steps there are"))
    if task.l2:
        hint = 'remove l2, or take "inference" out of reveal'
        problems.append(Problem(f"{_WHAT} is of the maximum-likelihood fit, and l2 would bias it", hint))
    if task.class_weights is not None:
        message = f"{_WHAT}: with class_weights the standard errors would mean nothing"
        problems.append(Problem(message, 'remove class_weights, or take "inference" out of reveal'))
    if task.standardise is not True:
        hint = "set standardise = true; coefficients and errors are in the features' own units all the same"
        problems.append(Problem(f"{_WHAT} needs standardised features", hint))
    if task.partition == "vertical" and task.inference == "open-fisher":
        message = '[task] inference = "open-fisher" is for owners with rows of their own'
        problems.append(Problem(message, 'set inference = "shared", which opens neither gradients nor matrices'))
    return task.model_copy(update={"learning_rate": 1.0, "epochs": 1})


def check_no_inference(task: LogisticTask, problems: list[Problem]) -> None:
    """That no setting of inference stands where none is asked for."""
    given = [key for key in ("inference", "newton_steps", "offset", "weights") if key in task.model_fields_set]
    if given:
        message = f"[task] {quoted(given)} {'goes' if len(given) == 1 else 'go'} with {_WHAT[7:]}"
        problems.append(Problem(message, 'add "inference" to reveal, or remove what is named'))


def check_calibration(task: LogisticTask, problems: list[Problem]) -> None:
    """That calibration is asked for with what it is opened beside, and with cells that are tested."""
    if "calibration" in task.reveal:
        lacking = [what for what in ("metrics", "inference") if what not in task.reveal]
        if lacking:
            hint = "add " + " and ".join(f'"{what}"' for what in lacking) + " to reveal"
            problems.append(Problem('[task] reveal = ["calibration"] goes with "metrics" and "inference"', hint))
        if task.min_cell == 1:
            message = "[task] min_cell = 1 tests no cell, and a calibration's are always tested"
            problems.append(Problem(message, 'set min_cell to 3 or more, or take "calibration" out of reveal'))
