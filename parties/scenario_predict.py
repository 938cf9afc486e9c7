"""What `kind = "predict"`, and a training whose model stays shared, ask of the settings together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.scenario_errors import Problem, shown
from parties.scenario_models import AnyTask, LogisticTask, PartySpec, PredictTask

_SLACK: Final = 1e-6


def prepared_predict(table: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The table as the file has it; split columns are refused here, in words."""
    if table.get("partition") != "vertical":
        return table
    message = (
        '[task] kind = "predict" scores rows that one owner has whole, so partition = "vertical" cannot go with it'
    )
    problems.append(Problem(message, "remove partition, and train a model on columns that all owners have"))
    return {key: value for key, value in table.items() if key != "partition"}


def settled_predict(task: PredictTask, parties: Mapping[str, PartySpec] | None, problems: list[Problem]) -> PredictTask:
    """The task, if its grid divides 1 and is asked for where there is one."""
    if task.output == "class" and "grid" in task.model_fields_set:
        problems.append(Problem('[task] grid is for output = "probability"', "remove grid: a class is 0 or 1"))
    elif abs(1 / task.grid - round(1 / task.grid)) > _SLACK * round(1 / task.grid):
        hint = f"use 1/{round(1 / task.grid)} or another such part, for example 0.01 or 0.05"
        problems.append(Problem(f"[task] grid = {shown(task.grid)} does not divide 1", hint))
    for name, party in (parties or {}).items():
        if party.features is not None:
            hint = "remove it: the model says which columns it needs"
            problems.append(Problem(f"[parties.{name}] has features, but nothing is trained", hint))
    return task


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
