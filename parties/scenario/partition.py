"""Checks of the other settings with `partition = "vertical"`: owners have other columns of the same rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeVar

from parties.scenario.models import ModelTask, PartySpec
from parties.scenario.problems import Problem, quote
from parties.scenario.terms import SIGN, columns_of, parts_of

Task = TypeVar("Task", bound=ModelTask)

VERTICAL = '[task] partition = "vertical"'
"""How the setting is written."""


def task_of(task: Task, spec: PartySpec) -> Task:
    """The task for one owner's table: where columns are split, its own features and their categories."""
    if task.partition == "horizontal":
        return task
    listed = spec.features
    columns = None if listed is None else columns_of(listed)
    categories = {name: levels for name, levels in task.categories.items() if columns is None or name in columns}
    return task.model_copy(update={"features": listed, "categories": categories})


def check_split(task: ModelTask, owners: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """Columns are listed in the right table; where columns are split, there is an id, and no row is dropped."""
    if task.partition == "horizontal":
        listed = [name for name, party in owners.items() if party.features is not None]
        if listed:
            message = f"[parties.{listed[0]}] has features, but all owners have the same columns"
            yield Problem(message, 'list them once, in [task], or set partition = "vertical"')
        return
    if task.id is None:
        yield Problem(f"{VERTICAL} needs `id`", "name the column that says whose row it is")
    if task.features is not None:
        hint = "list each owner's own columns in its [parties.NAME], or leave them out"
        yield Problem("[task] features is for owners with the same columns", hint)
    if task.missing == "drop":
        hint = 'take those patients out everywhere before the run, or set missing = "mean"'
        yield Problem(f'[task] missing = "drop" cannot go with {VERTICAL[7:]}: rows would not match', hint)
    yield from _check_owners(task, owners)


def _check_owners(task: ModelTask, owners: Mapping[str, PartySpec]) -> Iterator[Problem]:
    for name, party in owners.items():
        listed = columns_of(party.features or ())
        named = (("target", task.target), ("id", task.id), *task.extra_columns.items())
        for what, column in named:
            if column in listed:
                yield Problem(f"[parties.{name}] features lists the {what} '{column}'", "remove it from features")
        terms = (SIGN.join(sorted(parts_of(term))) for term in party.features or ())
        repeated = [column for column, times in Counter(terms).items() if times > 1]
        if repeated:
            message = f"[parties.{name}] features lists {quote(repeated)} more than once"
            yield Problem(message, "list each once")
    if all(party.features is not None for party in owners.values()):
        everything = {column for party in owners.values() for column in columns_of(party.features or ())}
        unknown = [column for column in task.categories if column not in everything]
        if unknown:
            message = f"[task.categories] names {quote(unknown)}, which no owner lists"
            yield Problem(message, "add it to an owner's features, or remove it there")
    yield from check_same_rows(owners)


def check_same_rows(owners: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """All owners have as many rows, as far as the file states them."""
    counts = {name: party.rows for name, party in owners.items() if party.rows is not None}
    if len(set(counts.values())) > 1:
        counts_text = " and ".join(f"{name} {count}" for name, count in counts.items())
        yield Problem(
            f"the owners have different rows ({counts_text})", f"with {VERTICAL[7:]} all have the same patients"
        )
