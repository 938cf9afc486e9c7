"""How [task] is read: one entry a kind, with its settings and what is checked of them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parties.scenario.categories import read_categories
from parties.scenario.checks import check_columns, settled_reveal
from parties.scenario.models import AnyTask, LinearTask, LogisticTask, PartySpec, PredictTask, StatisticsTask
from parties.scenario.partition import check_partition
from parties.scenario.problems import Problem, nearest, read_table, shown
from parties.scenario.unbuilt import without_unbuilt
from parties.tasks.linear.settings import prepared_linear, settled_linear
from parties.tasks.logistic.inference import check_calibration, check_no_inference, settled_inference
from parties.tasks.logistic.solver import settled_solver
from parties.tasks.predict.settings import settled_predict
from parties.tasks.statistics.settings import prepared_statistics, settled_statistics

Parties = Mapping[str, PartySpec]
Problems = list[Problem]


@dataclass(frozen=True)
class TaskKind:
    """One kind of task, as a scenario file has it.

    Args:
        model: its settings, each checked by itself.
        prepared: the table as the file has it, with what needs more than a type already read; may add problems.
        settled: the task after checks of several settings, in one order whatever the file's, so that digests are
            equal; may add problems. The parties are None if they are not valid.
    """

    model: type[LogisticTask] | type[LinearTask] | type[StatisticsTask] | type[PredictTask]
    prepared: Callable[[dict[str, Any], Problems], dict[str, Any]]
    settled: Callable[[Any, Parties | None, Problems], AnyTask]


def read_task(raw: object, problems: Problems, elsewhere: Mapping[str, Sequence[str]]) -> AnyTask | None:
    """The [task] of whichever kind it names; what is wrong with it is added to `problems`."""
    if raw is None:
        problems.append(Problem("the file has no [task]", "add [task] with kind and target"))
        return None
    table = dict(raw) if isinstance(raw, Mapping) else {}
    if isinstance(raw, Mapping) and "kind" not in table:
        kinds = " or ".join(f'"{name}"' for name in (*KINDS, "secure_sum"))
        problems.append(Problem("[task] needs a value for 'kind'", f"it must be {kinds}"))
        return None
    name = table.get("kind", _USUAL)
    kind = KINDS.get(name) if isinstance(name, str) else KINDS[_USUAL]
    if kind is None:
        guess = nearest(name, KINDS) or _USUAL
        message = f"[task] kind = {shown(name)} is not available in this version"
        problems.append(Problem(message, f'use kind = "{guess}"'))
        return None  # the other settings of another kind of task would only make noise
    others = {
        f'[task] of kind = "{other}"': tuple(one.model.model_fields) for other, one in KINDS.items() if one != kind
    }
    rest = {where: keys for where, keys in elsewhere.items() if where != "[task]"}
    if isinstance(raw, Mapping):
        raw = kind.prepared(table, problems)
    return read_table(kind.model, raw, "[task]", problems, {**others, **rest})


def settled_task(task: AnyTask, parties: Parties | None, problems: Problems) -> AnyTask:
    """The task after the checks of several settings that its kind has."""
    return KINDS[task.kind].settled(task, parties, problems)


def _prepared_training(table: dict[str, Any], problems: Problems) -> dict[str, Any]:
    table = without_unbuilt(table, problems)
    if "categories" in table:
        table["categories"] = read_categories(table["categories"], problems)
    return table


def _settled_training(task: LogisticTask, parties: Parties | None, problems: Problems) -> LogisticTask:
    check_columns(task, problems)
    if "inference" in task.reveal:
        task = settled_inference(task, problems)
    else:
        check_no_inference(task, problems)
        task = settled_solver(task, problems)
    check_calibration(task, problems)
    if parties is not None:
        task = settled_reveal(task, parties, problems)
        check_partition(task, parties, problems)
    return task


def _as_it_is(table: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Of a kind whose settings need no more than their types."""
    return table


_USUAL: Final = "logistic_regression"
KINDS: Final[Mapping[str, TaskKind]] = {
    "logistic_regression": TaskKind(LogisticTask, _prepared_training, _settled_training),
    "linear_regression": TaskKind(LinearTask, prepared_linear, settled_linear),
    "statistics": TaskKind(StatisticsTask, prepared_statistics, settled_statistics),
    "predict": TaskKind(PredictTask, _as_it_is, settled_predict),
}
"""The kinds of tasks for owners and a helper; kind = "secure_sum" has a scenario of its own (tasks/secure_sum)."""
