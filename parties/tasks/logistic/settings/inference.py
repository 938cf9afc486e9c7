"""Checks of the other settings with `reveal = ["inference"]`, the maximum-likelihood fit with standard errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from parties.scenario.problems import Problem, Reading, quote
from parties.tasks.logistic.settings.task import OF_TRAININGS, LogisticTask

_WHAT: Final = '[task] reveal = ["inference"]'


def settle_inference(task: LogisticTask) -> Reading[LogisticTask]:
    """Set every setting of a training to its default: a maximum-likelihood fit uses none of them."""
    given = [key for key in OF_TRAININGS if key in task.model_fields_set]
    if given:
        message = f"{_WHAT} fits by Newton's method, so {quote(given)} {'has' if len(given) == 1 else 'have'} no part"
        yield Problem(message, "remove what is named; `newton_steps` says how many steps there are")
    if task.l2:
        hint = 'remove l2, or take "inference" out of reveal'
        yield Problem(f"{_WHAT} is of the maximum-likelihood fit, and l2 would bias it", hint)
    if task.class_weights is not None:
        message = f"{_WHAT}: with class_weights the standard errors would mean nothing"
        yield Problem(message, 'remove class_weights, or take "inference" out of reveal')
    if task.standardise is not True:
        hint = "set standardise = true; coefficients and errors are in the features' own units all the same"
        yield Problem(f"{_WHAT} needs standardised features", hint)
    if task.partition == "vertical" and task.inference == "open-fisher":
        message = '[task] inference = "open-fisher" is for owners with rows of their own'
        yield Problem(message, 'set inference = "shared", which opens neither gradients nor matrices')
    return task.model_copy(update={"learning_rate": 1.0, "epochs": 1})


def check_no_inference(task: LogisticTask) -> Iterator[Problem]:
    """Problems of settings that go with inference, where none is asked for."""
    given = [key for key in ("inference", "newton_steps", "offset", "weights") if key in task.model_fields_set]
    if given:
        message = f"[task] {quote(given)} {'goes' if len(given) == 1 else 'go'} with {_WHAT[7:]}"
        yield Problem(message, 'add "inference" to reveal, or remove what is named')


def check_calibration(task: LogisticTask) -> Iterator[Problem]:
    """Problems of a calibration without metrics, inference, or tested cells."""
    if "calibration" in task.reveal:
        lacking = [what for what in ("metrics", "inference") if what not in task.reveal]
        if lacking:
            hint = "add " + " and ".join(f'"{what}"' for what in lacking) + " to reveal"
            yield Problem('[task] reveal = ["calibration"] goes with "metrics" and "inference"', hint)
        if task.min_cell == 1:
            message = "[task] min_cell = 1 tests no cell, and a calibration's are always tested"
            yield Problem(message, 'set min_cell to 3 or more, or take "calibration" out of reveal')
