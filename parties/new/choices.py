"""The choices of `mpc new` for the owners' files: target, id, features, and the treatment of missing values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from mpc.errors import UsageError
from parties.new.columns import FileLook, Look
from parties.scenario.problems import nearest, quote

_ID_WORDS = frozenset(
    ("id", "ids", "pid", "mrn", "patient", "patientid", "subject", "subjectid", "case", "caseid", "record", "recordid")
)
_MOST_NAMED = 12
WHICH_COUNTS = "if it has two other values, say with --positive VALUE which of them counts as 1"


@dataclass(frozen=True)
class Options:
    """The user's options on the columns; None: to be chosen."""

    target: str | None = None
    positive: str | None = None
    identifier: str | None = None


@dataclass(frozen=True)
class Choice:
    """The task's columns, and why each other column is left out.

    `numbers`: whether the target holds numbers, rather than two classes.
    `split`: each owner's features, where the owners have other columns of the same patients; None where they have the
    same columns.
    """

    target: str
    positive: str | None
    identifier: str | None
    features: tuple[str, ...]
    missing: Literal["refuse", "drop", "mean"]
    left_out: Mapping[str, str] = field(default_factory=dict)
    split: Mapping[str, tuple[str, ...]] | None = None
    numbers: bool = False

    def without(self, names: Sequence[str], why: str) -> Choice:
        """The choice without some of the features."""
        features = tuple(name for name in self.features if name not in names)
        return replace(self, features=features, left_out={**self.left_out, **dict.fromkeys(names, why)})

    def without_of(self, useless: Mapping[str, Sequence[str]], why: str) -> Choice:
        """The choice without some of the owners' features, where columns are split."""
        split = {
            owner: tuple(name for name in names if name not in useless.get(owner, ()))
            for owner, names in (self.split or {}).items()
        }
        left_out = {**self.left_out, **{name: why for names in useless.values() for name in names}}
        features = tuple(name for names in split.values() for name in names)
        return replace(self, features=features, left_out=left_out, split=split)


def choose(files: Sequence[FileLook], asked: Options) -> Choice:
    """The columns to use: those that all files have.

    Raises:
        UsageError: the files have no column in common or none to predict from, a column that was asked for is not
            there, or it is not clear which one is to be predicted.
    """
    shared = [name for name in files[0].columns if all(name in file.columns for file in files)]
    if not shared:
        columns = "; ".join(f"{file.path.name} has {some(list(file.columns))}" for file in files[:2])
        raise UsageError(
            f"the files have no column in common: {columns}", "give the same measurement the same name in every file"
        )
    target = _target(files, shared, asked)
    numbers = asked.positive is None and is_numeric([file.columns[target] for file in files])
    identifier = _identifier(files, shared, target, asked)
    left_out: dict[str, str] = {}
    features = []
    for name in shared:
        if name in (target, identifier):
            continue
        why = why_not([file.columns[name] for file in files], [file.path.name for file in files])
        if why:
            left_out[name] = why
        else:
            features.append(name)
    for file in files:
        for name in file.columns:
            if name not in shared:
                left_out[name] = "not in every file"
    if not features:
        reasons = ", ".join(f"'{name}' ({why})" for name, why in list(left_out.items())[:_MOST_NAMED])
        raise UsageError(
            f"no numeric column is left to predict '{target}' from" + (f": left out are {reasons}" if reasons else ""),
            "give the columns that predict the target as numbers, under the same name in every file",
        )
    missing = _missing(files, [target, *features])
    return Choice(target, asked.positive, identifier, tuple(features), missing, left_out, numbers=numbers)


def _target(files: Sequence[FileLook], shared: Sequence[str], asked: Options) -> str:
    candidates = [name for name in shared if _could_be_target([file.columns[name] for file in files])]
    name = asked.target
    if name is None:
        if asked.positive is not None:
            raise UsageError("--positive is a value of the target, but no target is named", "add --target COLUMN")
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise UsageError(
                f"which column is to be predicted? {some(candidates)} could be", "name it with --target COLUMN"
            )
        raise UsageError(
            "which column is to be predicted? none holds 0 and 1 (or yes and no, or true and false) in every file",
            "name it with --target COLUMN, and with --positive VALUE which of its two values counts as 1",
        )
    _check_shared(name, files, "target")
    if asked.positive is None and name not in candidates and not is_numeric([file.columns[name] for file in files]):
        wrong = next((file for file in files if not file.columns[name].binary), None)
        but = f"in {wrong.path.name} '{name}' does not" if wrong else f"'{name}' is the same in all rows of all files"
        also = f"; columns that could be predicted: {some(candidates)}" if candidates else ""
        raise UsageError(
            f"the target must hold 0 and 1 (or yes and no, or true and false), but {but}",
            f"{WHICH_COUNTS}{also}",
        )
    return name


def is_numeric(looks: Sequence[Look]) -> bool:
    """Whether a target is numeric, for a linear regression: at all owners that have it, and not only 0 and 1."""
    return all(look.kind == "number" and not look.why for look in looks) and any(look.measured for look in looks)


def _could_be_target(looks: Sequence[Look]) -> bool:
    return all(look.binary for look in looks) and any(look.zero for look in looks) and any(look.one for look in looks)


def _identifier(files: Sequence[FileLook], shared: Sequence[str], target: str, asked: Options) -> str | None:
    """The column in the options, or the first that is named like an id and has no value twice."""
    if asked.identifier is not None:
        _check_shared(asked.identifier, files, "id")
        if asked.identifier == target:
            raise UsageError(f"--id and --target are both '{target}'", "name two columns, or leave out --id")
        return asked.identifier
    return next((name for name in identifiers(files, asked) if name != target), None)


def identifiers(files: Sequence[FileLook], asked: Options) -> Iterator[str]:
    """The columns of all files that may identify a row: the one in the options, or those that look like ids."""
    shared = [name for name in files[0].columns if all(name in file.columns for file in files)]
    for name in shared:
        if asked.identifier is not None:
            if name == asked.identifier:
                yield name
        elif is_named_like_id(name) and all(_identifies(file.columns[name]) for file in files):
            yield name


def is_named_like_id(name: str) -> bool:
    """Whether a column's name says that it names patients or rows."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    return not _ID_WORDS.isdisjoint(words)


def _identifies(look: Look) -> bool:
    return look.unique and (look.integers or look.kind == "text")


def _check_shared(name: str, files: Sequence[FileLook], option: str) -> None:
    lacking = next((file for file in files if name not in file.columns), None)
    if lacking is not None:
        guess = nearest(name, lacking.columns)
        raise UsageError(
            f"--{option}: {lacking.path.name} has no column '{name}'",
            f"did you mean '{guess}'?" if guess else f"its columns are {some(list(lacking.columns))}",
        )


def why_not(looks: Sequence[Look], names: Sequence[str]) -> str:
    """Why a column that all these files have is no feature; '' if it is one."""
    called = is_named_like_id(looks[0].name)
    if called and all(2 * look.different > len(look.missing) for look in looks):
        repeats = [name for look, name in zip(looks, names, strict=True) if not look.unique]
        if repeats:
            return f"it seems to name the rows, but not each by another value, in {some(repeats)}"
    for look, name in zip(looks, names, strict=True):
        if look.why:
            return f"{look.why}, in {name}" if any(not other.why for other in looks) else look.why
        if look.missing.all():
            return f"empty, in {name}"
        if 2 * np.count_nonzero(look.missing) > len(look.missing):
            return f"mostly empty, in {name}"
    if all(look.consecutive or (called and _identifies(look)) for look in looks):
        return "it seems to number the rows"
    if len({(look.low, look.high) for look in looks}) == 1 and looks[0].low == looks[0].high:
        return "always the same"
    return ""


def _missing(files: Sequence[FileLook], used: Sequence[str]) -> Literal["refuse", "drop", "mean"]:
    """Complete rows only, unless that would be fewer than half of a file."""
    parts = []
    for file in files:
        gaps = np.any([file.columns[name].missing for name in used], axis=0)
        parts.append(np.count_nonzero(gaps) / file.rows)
    if not any(parts):
        return "refuse"
    target_missing = any(file.columns[used[0]].missing.any() for file in files)
    return "mean" if max(parts) > 0.5 and not target_missing else "drop"


def some(names: Sequence[str]) -> str:
    """Names in quotes, the first ones if there are many."""
    return quote(names) if len(names) <= _MOST_NAMED else f"{quote(names[:_MOST_NAMED])} and more"
