"""`mpc new` for files that have other columns of the same patients: it detects that, and assigns the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mpc.errors import UsageError
from parties.data.checks import find_columns
from parties.data.read import open_source
from parties.data.table import load_owner_table
from parties.data.vertical import sort_rows
from parties.new.choices import WHICH_COUNTS, Choice, Options, identifiers, some, why_not
from parties.new.columns import FileLook
from parties.new.fit import fit_to_rows
from parties.scenario.file import Scenario
from parties.tasks.registry import plan_for
from parties.tasks.rows.regression import row_counts, split_of

_ALMOST = 0.5  # the share of ids in every file from which the files are probably of the same patients


def choose_split(files: Sequence[FileLook], asked: Options) -> Choice | None:
    """The columns to use if every file has the same ids and one of them has the target; else None.

    Raises:
        UsageError: most ids are in every file, but not all, and the target is in one file only; it is not clear which
            column is to be predicted; or no file has a column to predict it from.
    """
    identifier = next(iter(identifiers(files, asked)), None)
    if identifier is None or not _has_one_target(files, asked, identifier):
        return None
    ids = [_ids(file, identifier) for file in files]
    if any(own != ids[0] for own in ids):
        _refuse_almost(ids)
        return None
    target, holder = _target(files, asked, identifier)
    features: dict[str, tuple[str, ...]] = {}
    left_out: dict[str, str] = {}
    for file in files:
        kept = []
        for name, look in file.columns.items():
            if name == identifier or (file is holder and name == target):
                continue
            why = why_not([look], [file.path.name])
            if why:
                left_out[name] = why
            else:
                kept.append(name)
        features[file.owner] = tuple(kept)
    _check_features(files, holder, features, target)
    gaps = any(file.columns[name].missing.any() for file in files for name in features[file.owner])
    every = tuple(name for names in features.values() for name in names)
    numbers = asked.positive is None and holder.columns[target].measured
    missing: Literal["mean", "refuse"] = "mean" if gaps else "refuse"
    return Choice(target, asked.positive, identifier, every, missing, left_out, features, numbers)


def useful(choice: Choice, scenario: Scenario) -> Choice:
    """The choice without features beyond what the rows allow; unchanged if the run could be planned."""
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    rows = {owner: row_counts(scenario, table.rows) for owner, table in tables.items()}
    kept = fit_to_rows(choice, scenario, rows)
    if kept == choice:
        plan_for(scenario, rows, split_of(tables).count)
    return kept


def _has_one_target(files: Sequence[FileLook], asked: Options, identifier: str) -> bool:
    """Whether the target is in one file only: the one in the options; without one, no common column could be one."""
    if asked.target is not None:
        return sum(asked.target in file.columns for file in files) == 1
    shared = [name for name in files[0].columns if all(name in file.columns for file in files)]
    return not any(name != identifier and all(file.columns[name].binary for file in files) for name in shared)


def _target(files: Sequence[FileLook], asked: Options, identifier: str) -> tuple[str, FileLook]:
    found = [
        (name, file)
        for file in files
        for name, look in file.columns.items()
        if name != identifier and (name == asked.target if asked.target else look.zero and look.one)
    ]
    if asked.target is None and (len(found) != 1 or asked.positive is not None):
        names = [name for name, _ in found]
        could = f"{some(names)} could be" if names else "none holds 0 and 1 (or yes and no, or true and false)"
        hint = "name it with --target COLUMN, and with --positive VALUE which of its two values counts as 1"
        raise UsageError(f"which column is to be predicted? {could}", hint)
    name, file = found[0]
    look = file.columns[name]
    if asked.positive is None and not (look.zero and look.one) and not look.measured:
        raise UsageError(
            "the target must hold 0 and 1 (or yes and no, or true and false), "
            f"but in {file.path.name} '{name}' does not",
            WHICH_COUNTS,
        )
    return name, file


def _check_features(
    files: Sequence[FileLook], holder: FileLook, features: dict[str, tuple[str, ...]], target: str
) -> None:
    for file in files:
        if not features[file.owner] and file is not holder:
            raise UsageError(
                f"{file.path.name} has no numeric column to predict '{target}' from",
                "leave that file out, or give its columns as numbers",
            )


def _ids(file: FileLook, name: str) -> tuple[str, ...]:
    """A file's ids as a run compares them."""
    with open_source(str(file.path.absolute()), file.owner, file.path.parent, file.form) as raw:
        return sort_rows(raw, find_columns(raw, [name], "the id")[0])[1]


def _refuse_almost(ids: Sequence[tuple[str, ...]]) -> None:
    everywhere = set(ids[0]).intersection(*ids)
    if len(everywhere) > _ALMOST * max(map(len, ids)):
        counts = ", ".join(f"{len(own):,}" for own in ids)
        raise UsageError(
            f"{len(everywhere):,} ids are in every file, but the files have {counts}",
            "for other columns of the same patients, every file needs the same ids, each once; for other patients, "
            "every file needs the same columns, the target too",
        )
