"""What `kind = "predict"`, and a training whose model stays shared, ask of the settings together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from parties.scenario.checks import check_named_owners
from parties.scenario.models import AnyTask, LogisticTask, PartySpec, PredictTask
from parties.scenario.partition import VERTICAL, check_same_rows
from parties.scenario.problems import Problem, quoted, shown

_SLACK: Final = 1e-6


def settled_predict(task: PredictTask, parties: Mapping[str, PartySpec] | None, problems: list[Problem]) -> PredictTask:
    """The task, if its grid divides 1 and is asked for where there is one, and one owner gets what is of all."""
    if task.output == "class" and "grid" in task.model_fields_set:
        problems.append(Problem('[task] grid is for output = "probability"', "remove grid: a class is 0 or 1"))
    elif abs(1 / task.grid - round(1 / task.grid)) > _SLACK * round(1 / task.grid):
        hint = f"use 1/{round(1 / task.grid)} or another such part, for example 0.01 or 0.05"
        problems.append(Problem(f"[task] grid = {shown(task.grid)} does not divide 1", hint))
    for name, party in (parties or {}).items():
        if party.features is not None:
            hint = "remove it: the model says which columns it needs"
            problems.append(Problem(f"[parties.{name}] has features, but nothing is trained", hint))
    _check_split(task, parties or {}, problems)
    return task


def _check_split(task: PredictTask, parties: Mapping[str, PartySpec], problems: list[Problem]) -> None:
    """What brings split rows together, and who gets their scores; of rows that an owner has whole, it does."""
    if task.partition == "horizontal":
        if task.reveal_to is not None:
            message = f"[task] reveal_to goes with {VERTICAL[7:]}: of its own rows each owner alone gets the scores"
            problems.append(Problem(message, "remove it"))
        return
    owners = {name: party for name, party in parties.items() if party.role == "owner"}
    if task.id is None:
        problems.append(Problem(f"{VERTICAL} needs `id`", "name the column that says whose row it is"))
    if task.reveal_to is None:
        hint = f'write reveal_to = ["NAME"], one of {quoted(owners)}' if owners else 'write reveal_to = ["NAME"]'
        problems.append(Problem(f"{VERTICAL} needs `reveal_to`: the one owner that gets the scores", hint))
    elif len(task.reveal_to) > 1:
        message = f"[task] reveal_to names {quoted(task.reveal_to)}, but scores go to one owner"
        problems.append(Problem(message, "name one; another run, with its own count of rows, can tell another"))
    elif parties:
        check_named_owners(task.reveal_to, parties, problems)
    check_same_rows(owners, problems)


def check_shares(task: AnyTask, parties: Mapping[str, PartySpec], problems: list[Problem]) -> None:
    """That `model` stands where an owner keeps a share of a model, or has one, and nowhere else."""
    if isinstance(task, PredictTask) or (
        isinstance(task, LogisticTask) and not {"model", "inference"} & set(task.reveal)
    ):
        return
    for name, party in parties.items():
        if party.model is not None:
            message = f"[parties.{name}] has model, but no model stays shared in this task"
            hint = 'remove it; or, in a training, take "model" out of `reveal`'
            problems.append(Problem(message, hint))
