"""Checks of a scenario that look at more than one setting at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from parties.scenario.models import ModelTask, PartySpec, SqlSource
from parties.scenario.problems import Problem, nearest, quote, show_value
from parties.scenario.terms import SIGN, columns_of, parts_of


class DataSettings(Protocol):
    """Settings of a party's data: where they are, and the form of a text file."""

    @property
    def data(self) -> str | SqlSource | None: ...
    @property
    def decimal(self) -> str: ...
    @property
    def thousands(self) -> str | None: ...
    @property
    def model_fields_set(self) -> set[str]: ...


_TEXT_SETTINGS = ("encoding", "decimal", "thousands")
TEXT_ENDINGS = (".csv", ".tsv")


def check_roles(parties: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """Two owners at least, and exactly one helper."""
    owners = [name for name, party in parties.items() if party.role == "owner"]
    helpers = [name for name, party in parties.items() if party.role == "helper"]
    if len(owners) < 2:
        count = "one owner" if owners else "no owner"
        yield Problem(f"there is {count}", 'at least two parties need role = "owner"')
    if not helpers:
        yield Problem("there is no helper", 'one party needs role = "helper"')
    elif len(helpers) > 1:
        yield Problem(f"there is more than one helper: {quote(helpers)}", "keep one of them")


def check_links(parties: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """No two parties share an address or a key."""
    for key in ("address", "public_key"):
        holder: dict[str, str] = {}
        for name, party in parties.items():
            value = party.address if key == "address" else party.public_key
            if value is None:
                continue
            if value in holder:
                yield Problem(f"{holder[value]} and {name} have the same {key}", "give each its own")
            holder.setdefault(value, name)


def check_text_settings(parties: Mapping[str, DataSettings]) -> Iterator[Problem]:
    """Settings of text files are given for text files only; decimal sign and thousands separator differ."""
    for name, party in parties.items():
        said = [key for key in _TEXT_SETTINGS if key in party.model_fields_set]
        is_text = party.data is None or (isinstance(party.data, str) and party.data.lower().endswith(TEXT_ENDINGS))
        if said and not is_text:
            message = f"[parties.{name}] has {quote(said)}, but its data are not a text file"
            yield Problem(message, "such a setting is for .csv and .tsv files; remove it")
        if party.thousands == party.decimal:
            message = f"[parties.{name}] decimal and thousands are both {show_value(party.decimal)}"
            hint = 'for 1.234,5 set decimal = "," and thousands = "."'
            yield Problem(message, hint)


def check_columns(task: ModelTask) -> Iterator[Problem]:
    """Target, id and features are different columns."""
    terms = task.features or ()
    features = columns_of(terms)
    if task.target in features:
        yield Problem(f"[task] features lists the target '{task.target}'", "remove it from features")
    if task.id is not None and task.id in features:
        yield Problem(f"[task] features lists the id '{task.id}'", "remove it from features")
    for column in task.categories:
        if column in (task.target, task.id):
            what = "target" if column == task.target else "id"
            yield Problem(f"[task.categories] names the {what} '{column}'", "name features only")
        elif task.features is not None and column not in features:
            message = f"[task.categories] names '{column}', which is not among the features"
            guess = nearest(column, features)
            hint = f"add '{column}' to features, or remove it there" + (
                f"; or did you mean '{guess}'?" if guess else ""
            )
            yield Problem(message, hint)
    yield from _check_offset_weights(task, features)
    if task.id == task.target:
        yield Problem(f"[task] id and target are both '{task.target}'", "name two columns")
    repeated = _repeats(SIGN.join(sorted(parts_of(term))) for term in terms)
    if repeated:
        yield Problem(f"[task] features lists {quote(repeated)} more than once", "list each once")


def _check_offset_weights(task: ModelTask, features: Iterable[str]) -> Iterator[Problem]:
    """Offset and weights are columns of their own."""
    taken: dict[str | None, str] = {task.target: "the target", task.id: "the id"}
    taken |= dict.fromkeys(features, "among the features")
    taken |= dict.fromkeys(task.categories, "among the categories")
    for key, column in task.extra_columns.items():
        if column in taken:
            yield Problem(f"[task] {key} = '{column}' is {taken[column]}, too", "name a column of its own")
        taken[column] = f"the {key}"


def owners_of(parties: Mapping[str, PartySpec]) -> tuple[str, ...]:
    """The owners' names, in the file's order."""
    return tuple(name for name, party in parties.items() if party.role == "owner")


def check_named_owners(named: Iterable[str], parties: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """`reveal_to` names owners only."""
    owners = owners_of(parties)
    for name in dict.fromkeys(named):
        if name not in parties:
            guess = nearest(name, owners)
            hint = f"did you mean '{guess}'?" if guess else f"the owners are {quote(owners)}" if owners else ""
            yield Problem(f"[task] reveal_to names {show_value(name)}, which is no party", hint)
        elif name not in owners:
            yield Problem(f"[task] reveal_to names the helper '{name}'", "only owners get the result")


def check_reveal(task: ModelTask, reveal: Sequence[str], parties: Mapping[str, PartySpec]) -> Iterator[Problem]:
    """All owners get what is revealed, and all of it can be revealed."""
    owners = owners_of(parties)
    named = task.reveal_to if task.reveal_to is not None else owners
    yield from check_named_owners(named, parties)
    left_out = [name for name in owners if name not in named]
    if left_out and all(name in parties for name in named):
        yield Problem(
            f"[task] reveal_to leaves out {quote(left_out)}: not available in this version",
            "name every owner, or remove reveal_to",
        )
    for key, names in (("reveal", reveal), ("reveal_to", named)):
        if _repeats(names):
            yield Problem(f"[task] {key} lists {quote(_repeats(names))} more than once")
    if "missing" in reveal and task.missing == "refuse":
        hint = 'set missing = "drop" or missing = "mean", or take "missing" out of reveal'
        yield Problem('[task] reveal lists "missing", but with missing = "refuse" there is none', hint)


def _repeats(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
