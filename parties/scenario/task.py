"""How [task] is read: by the kind that it names, one of those that are handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parties.scenario.models import PartySpec, Task
from parties.scenario.problems import Problem, nearest, read_table, shown

Parties = Mapping[str, PartySpec]
Problems = list[Problem]


def _no_shares(task: Any) -> bool:
    return False


@dataclass(frozen=True)
class TaskReader:
    """[task] of one kind, as a scenario file has it.

    Args:
        model: its settings, each checked by itself.
        prepared: the table as the file has it, with what needs more than a type already read; may add problems.
        settled: the task after checks of several settings, in one order whatever the file's, so that digests are
            equal; may add problems. The parties are None if they are not valid.
        shares: whether each owner keeps, or has, a share of a model that nobody sees.
    """

    model: type[Task]
    prepared: Callable[[dict[str, Any], Problems], dict[str, Any]]
    settled: Callable[[Any, Parties | None, Problems], Task]
    shares: Callable[[Any], bool] = _no_shares


Readers = Mapping[str, TaskReader]
"""By kind, of those that are for owners and a helper; the first is what a task without a kind is read as."""


def read_task(
    raw: object, problems: Problems, elsewhere: Mapping[str, Sequence[str]], readers: Readers, kinds: Sequence[str]
) -> Task | None:
    """The [task] of whichever kind it names; what is wrong with it is added to `problems`.

    Args:
        elsewhere: the keys of the other tables, by how each is named.
        kinds: all that a file may name, those for a server and clients too.
    """
    if raw is None:
        problems.append(Problem("the file has no [task]", "add [task] with kind and target"))
        return None
    table = dict(raw) if isinstance(raw, Mapping) else {}
    if isinstance(raw, Mapping) and "kind" not in table:
        kinds = " or ".join(f'"{name}"' for name in kinds)
        problems.append(Problem("[task] needs a value for 'kind'", f"it must be {kinds}"))
        return None
    usual = next(iter(readers))
    name = table.get("kind", usual)
    kind = readers.get(name) if isinstance(name, str) else readers[usual]
    if kind is None:
        guess = nearest(name, kinds) or usual
        message = f"[task] kind = {shown(name)} is not available in this version"
        problems.append(Problem(message, f'use kind = "{guess}"'))
        return None  # the other settings of another kind of task would only make noise
    others = {
        f'[task] of kind = "{other}"': tuple(one.model.model_fields) for other, one in readers.items() if one != kind
    }
    rest = {where: keys for where, keys in elsewhere.items() if where != "[task]"}
    if isinstance(raw, Mapping):
        raw = kind.prepared(table, problems)
    return read_table(kind.model, raw, "[task]", problems, {**others, **rest})


def check_shares(parties: Parties, problems: Problems) -> None:
    """That `model` stands nowhere, in a task in which no owner keeps a share of a model or has one."""
    for name, party in parties.items():
        if party.model is not None:
            message = f"[parties.{name}] has model, but no model stays shared in this task"
            hint = 'remove it; or, in a training, take "model" out of `reveal`'
            problems.append(Problem(message, hint))
