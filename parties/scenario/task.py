"""Reading [task] by the kind that it names, one of those that the caller hands in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parties.scenario.models import PartySpec, Task
from parties.scenario.privacy import MECHANISMS, PrivacySpec
from parties.scenario.problems import Problem, Reading, nearest, read_table, show_value

Parties = Mapping[str, PartySpec]


def _keep_table(table: dict[str, Any]) -> Reading[dict[str, Any]]:
    yield from ()
    return table


def _no_shares(task: Any) -> bool:
    return False


@dataclass(frozen=True)
class TaskReader:
    """How [task] of one kind is read.

    Args:
        model: its settings, each checked by itself.
        settle: checks settings against each other; returns the task with its lists in one order whatever the
            file's, so that digests are equal. The parties are None if they are not valid.
        prepare: reads what needs more than a type from the table as the file has it.
        shares: whether each owner keeps, or has, a share of a model that nobody sees.
        noisy: checks settings against [privacy], and returns the task with those that follow; None: this kind has
            no differential privacy.
        mechanisms: those of [privacy]'s `MECHANISMS` that this kind has.
    """

    model: type[Task]
    settle: Callable[[Any, Parties | None], Reading[Task]]
    prepare: Callable[[dict[str, Any]], Reading[dict[str, Any]]] = _keep_table
    shares: Callable[[Any], bool] = _no_shares
    noisy: Callable[[Any, PrivacySpec], Reading[Task]] | None = None
    mechanisms: tuple[str, ...] = ()


Readers = Mapping[str, TaskReader]
"""By kind, of those that are for owners and a helper; the first is what a task without a kind is read as."""


def read_task(
    raw: object, elsewhere: Mapping[str, Sequence[str]], readers: Readers, kinds: Sequence[str]
) -> Reading[Task | None]:
    """Read [task], of whichever kind it names.

    Args:
        elsewhere: the keys of the other tables, by how each is named.
        kinds: all that a file may name, those for a server and clients too.
    """
    if raw is None:
        yield Problem("the file has no [task]", "add [task] with kind and target")
        return None
    table = dict(raw) if isinstance(raw, Mapping) else {}
    if isinstance(raw, Mapping) and "kind" not in table:
        kinds = " or ".join(f'"{name}"' for name in kinds)
        yield Problem("[task] needs a value for 'kind'", f"it must be {kinds}")
        return None
    usual = next(iter(readers))
    name = table.get("kind", usual)
    kind = readers.get(name) if isinstance(name, str) else readers[usual]
    if kind is None:
        guess = nearest(name, kinds) or usual
        message = f"[task] kind = {show_value(name)} is not available in this version"
        yield Problem(message, f'use kind = "{guess}"')
        return None  # problems of another kind's settings would mislead
    others = {
        f'[task] of kind = "{other}"': tuple(one.model.model_fields) for other, one in readers.items() if one != kind
    }
    rest = {where: keys for where, keys in elsewhere.items() if where != "[task]"}
    if isinstance(raw, Mapping):
        raw = yield from kind.prepare(table)
    return (yield from read_table(kind.model, raw, "[task]", {**others, **rest}))


def make_private(
    reader: TaskReader, task: Task, privacy: PrivacySpec, parties: Parties | None, readers: Readers
) -> Reading[Task]:
    """The task under [privacy], with the settings that follow from it."""
    if reader.noisy is None:
        kinds = " or ".join(f'"{name}"' for name, one in readers.items() if one.noisy is not None)
        yield Problem(f'[privacy] is for kind = {kinds}, and this is "{task.kind}"', "remove [privacy]")
        return task
    for name, party in (parties or {}).items():
        if party.rows is not None:
            message = f"[parties.{name}] rows tells an exact number of patients, which [privacy] keeps back"
            yield Problem(message, f"remove 'rows' there: {name} then shows only that it has min_rows of them")
    for key in MECHANISMS:
        if key in privacy.model_fields_set and key not in reader.mechanisms:
            kinds = " or ".join(f'"{name}"' for name, one in readers.items() if key in one.mechanisms)
            yield Problem(f'[privacy] {key} is for kind = {kinds}, and this is "{task.kind}"', f"remove {key}")
    return (yield from reader.noisy(task, privacy))


def check_shares(parties: Parties) -> Iterator[Problem]:
    """No party has `model`, in a task in which no owner keeps a share of a model or has one."""
    for name, party in parties.items():
        if party.model is not None:
            message = f"[parties.{name}] has model, but no model stays shared in this task"
            hint = 'remove it; or, in a training, take "model" out of `reveal`'
            yield Problem(message, hint)
