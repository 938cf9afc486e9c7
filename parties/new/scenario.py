"""`mpc new`: a commented scenario for the owners' files, checked to run before it is kept."""

from __future__ import annotations

import json
import os
import re
import shlex
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mpc.errors import UsageError
from parties.base.bugs import reason_of
from parties.data.cells import TextForm
from parties.data.table import load_owner_table
from parties.new.choices import Choice, Options, choose
from parties.new.columns import FileLook, look_into
from parties.new.example import IDENTIFIER, TARGET, write_example
from parties.new.fit import drop_small_cells, fit_to_rows
from parties.new.split import choose_split, useful
from parties.scenario.file import Scenario
from parties.scenario.models import MIN_CELL, ModelTask
from parties.tasks.base import Commented, Kind, Shape
from parties.tasks.registry import KINDS, load_scenario, plan_for
from parties.tasks.rows.regression import own_rows, row_counts

FILE: Final = "scenario.toml"
HELPER: Final = "helper"
_COMMENT_AT: Final = 36
_WIDTH: Final = 110
_MOST_NAMED: Final = 20


@dataclass(frozen=True)
class NewScenario:
    """A written scenario, and messages for the user."""

    path: Path
    lines: tuple[str, ...]


def new_scenario(folder: Path, data: Sequence[Path], asked: Options) -> NewScenario:
    """Write FOLDER/scenario.toml for these files, one an owner; without any, for two made-up ones.

    Raises:
        UsageError: there is one already, too few files or columns, or it is not clear what is to be predicted.
        DataError: a file cannot be read, or is not fit to be trained on.
    """
    path = folder / FILE
    _check_call(path, data, asked)
    created = _make_folder(folder)
    made_up: list[Path] = []
    try:
        if not data:
            made_up = write_example(folder)
            asked = Options(target=TARGET, identifier=IDENTIFIER)
        files = [look_into(file, owner) for owner, file in owner_names(data or made_up).items()]
        choice = _write_checked(path, files, choose_split(files, asked) or choose(files, asked), bool(made_up))
    except BaseException:
        # What is left behind would be taken for a scenario that runs.
        for left in made_up:
            left.unlink(missing_ok=True)
        if created:
            with suppress(OSError):
                folder.rmdir()
        raise
    return NewScenario(path, tuple(_messages(path, files, choice, bool(made_up))))


def owner_names(files: Sequence[Path]) -> dict[str, Path]:
    """A name for each file's owner: the file's, after its folder's where two files have one name."""
    plain = [_name(file.stem) for file in files]
    if len(set(plain)) < len(plain):
        plain = [_name(f"{file.absolute().parent.name}_{file.stem}") for file in files]
    names: dict[str, Path] = {}
    for name, file in zip(plain, files, strict=True):
        number, free = 1, name
        while free in names or free == HELPER:
            number += 1
            free = f"{name}_{number}"
        names[free] = file
    return names


def _name(text: str) -> str:
    """A party's name from a text: small letters, digits and _, a letter first."""
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode("ascii")  # u for an umlaut
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    return (name if name[:1].isalpha() else f"owner_{name}".rstrip("_"))[:50]


def _check_call(path: Path, data: Sequence[Path], asked: Options) -> None:
    if path.exists():
        raise UsageError(f"{path} is there already", "name another folder, or remove that file first")
    if len(data) == 1:
        raise UsageError("only one file is named", "give --data once for each owner, twice at least")
    if not data and (asked.target or asked.positive or asked.identifier):
        raise UsageError(
            "--target, --positive and --id name columns of files, but no file is named", "name the files with --data"
        )
    seen: dict[Path, Path] = {}
    for file in data:
        if not file.exists():
            raise UsageError(f"there is no file {file}", "check what follows --data")
        if file.resolve() in seen:
            raise UsageError(f"{file} is named twice", "give each owner a file of its own")
        seen[file.resolve()] = file
        try:
            str(file.resolve()).encode("utf-8")
        except UnicodeEncodeError:
            raise UsageError("a file's path is not UTF-8, and so cannot stand in a scenario", "rename it") from None


def _make_folder(folder: Path) -> bool:
    """Make the folder; returns whether it is new."""
    there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is, or is in, a file" if there else reason_of(error)
        raise UsageError(f"the folder {folder} cannot be used: {reason}", "name another") from None
    return not there


def _write_checked(path: Path, files: Sequence[FileLook], choice: Choice, made_up: bool) -> Choice:
    """Write the scenario, check that it runs, and leave out what would stop it; returns the final choice."""
    try:
        _write(path, scenario_text(path, files, choice, made_up), "x")
    except FileExistsError:
        raise UsageError(f"{path} is there already", "name another folder, or remove that file first") from None
    try:
        while True:
            scenario = load_scenario(path)
            kept = _useful(choice, scenario) if choice.split is None else useful(choice, scenario)
            if kept == choice:
                return choice
            choice = kept
            if not choice.features:
                reasons = "; ".join(sorted(set(choice.left_out.values())))
                raise UsageError(f"no numeric column is left: {reasons}", "give more rows")
            _write(path, scenario_text(path, files, choice, made_up), "w")
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {reason_of(error)}", "name another") from None


def _useful(choice: Choice, scenario: Scenario) -> Choice:
    """The choice without what would stop a run; unchanged if the run could be planned.

    Reads everything as a run would, and so finds what would stop one.
    """
    features = scenario.model_task.feature_names or ()
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    owned = {owner: own_rows(table, scenario, features) for owner, table in tables.items()}
    rows = {owner: row_counts(scenario, table.rows) for owner, table in tables.items()}
    kept = fit_to_rows(choice, scenario, rows)
    if kept == choice:
        kept = drop_small_cells(choice, scenario, owned)
    if kept == choice:
        plan_for(scenario, rows, len(features))
    return kept


def scenario_text(path: Path, files: Sequence[FileLook], choice: Choice, made_up: bool) -> str:
    """The scenario file, each setting with its meaning."""
    lines = _head_lines(path, made_up)
    for place, file in enumerate(files):
        lines += ["", *_owner_lines(path, file, choice, first=place == 0)]
    lines += [
        "",
        f"[parties.{HELPER}]",
        _line('role = "helper"', "deals random numbers that speed the others up; sees no data,"),
        _line("", "and must not side with any owner"),
        "",
        *_task_lines(files, choice),
    ]
    return "\n".join(lines) + "\n"


def _head_lines(path: Path, made_up: bool) -> list[str]:
    said = (
        "# Written by `mpc new`. Change what you like: docs/scenario.md says what there is, and `mpc plan` checks it."
    )
    return [
        said,
        *(["# The patients in made_up_a.csv and made_up_b.csv are made up, and so is what predicts what."] * made_up),
        "#",
        f"#   mpc plan {FILE}      what it costs and who learns what, before anything is sent",
        f"#   mpc run  {FILE}      every party a process of its own, on this machine",
        "",
        _line("schema = 1", "the version of this file's format"),
        _line(f"name = {_toml(_study(path))}", "names the folder of each run's record"),
        _line("seed = 1", "public: which rows are held out, and their order; no secret"),
        _line("", "comes from it"),
    ]


def _owner_lines(path: Path, file: FileLook, choice: Choice, *, first: bool) -> list[str]:
    usual = TextForm()
    at = file.path.parent.resolve() / file.path.name  # a link stays a link
    near = os.path.relpath(at, path.parent.resolve())
    lines = [
        f"[parties.{file.owner}]",
        _line('role = "owner"', "has data and takes part in the computation" if first else ""),
        _line(f"data = {_toml(near)}", "relative to this file" if first else ""),
    ]
    if file.form.encoding != usual.encoding:
        lines.append(_line(f"encoding = {_toml(file.form.encoding)}", "a guess, as the file is not UTF-8"))
    if file.form.decimal != usual.decimal:
        lines.append(_line(f"decimal = {_toml(file.form.decimal)}", "numbers are written like 3,14"))
    if file.form.thousands is not None:
        lines.append(_line(f"thousands = {_toml(file.form.thousands)}", "what stands between thousands"))
    if choice.split is not None and choice.split[file.owner]:
        lines.append(_line("features = [", "its own columns; take out what should not be used" if first else ""))
        lines += [*_wrap([_toml(name) for name in choice.split[file.owner]]), "]"]
    return lines


def _task_lines(files: Sequence[FileLook], choice: Choice) -> list[str]:
    missing: Mapping[str, str] = {
        "drop": "leaves out rows in which a value is missing",
        "mean": "puts a column's mean where a value is missing",
        "refuse": "a missing value is an error; or " + '"drop", or ' * (choice.split is None) + '"mean"',
    }
    kind, propose = _proposal(choice)
    partition, whose = "horizontal", "the owners have the same columns of different patients"
    if choice.split is not None:
        partition, whose = "vertical", "the owners have other columns of the same patients"
    lines = [
        "[task]",
        f'kind = "{kind.name}"',
        _line(f'partition = "{partition}"', whose),
        _line(f"target = {_toml(choice.target)}", "the column to predict"),
    ]
    if choice.positive is not None:
        lines.append(_line(f"positive = {_toml(choice.positive)}", "the value of it that counts as 1"))
    if choice.identifier is not None:
        why = "names a row, and no two the same; never a feature"
        if choice.split is not None:
            why = "whose row it is; the owners learn only whether all have the same ones"
        lines.append(_line(f"id = {_toml(choice.identifier)}", why))
    else:
        lines.append(_line('# id = "patient"', "a column that names a row, if there is one"))
    lines.append(_line(f"missing = {_toml(choice.missing)}", missing[choice.missing]))
    if choice.split is None:
        lines.append(_line("features = [", "what it is predicted from; take out what should not be used"))
        lines += [*_wrap([_toml(name) for name in choice.features]), "]"]
    shape = Shape(tuple(file.rows for file in files), len(choice.features), choice.split is not None)
    lines += [_line(*setting) for setting in propose(shape)]
    lines.append(
        _line(f"min_cell = {MIN_CELL}", f"ends the run if only 1 to {MIN_CELL - 1} of the others' rows have a value")
    )
    return lines


def _proposal(choice: Choice) -> tuple[Kind, Callable[[Shape], list[Commented]]]:
    """The first kind of model for such a target, of two classes or of numbers, and what it proposes."""
    return next(
        (kind, kind.propose)
        for kind in KINDS.values()
        if kind.propose is not None and issubclass(kind.task, ModelTask) and kind.task.classes is not choice.numbers
    )


def _messages(path: Path, files: Sequence[FileLook], choice: Choice, made_up: bool) -> list[str]:
    """Messages for the user."""
    where = shlex.quote(str(path))
    owners = ", ".join(f"{file.owner} ({file.rows:,} rows)" for file in files)
    lines = [f"wrote {path}", ""]
    if made_up:
        lines += ["The patients in made_up_a.csv and made_up_b.csv, next to it, are made up.", ""]
    used = _some(list(choice.features))
    lines += [
        f"  owners      {owners}",
        f"  target      {choice.target}{_target_lines(choice)}",
        f"  id          {choice.identifier or 'none'}",
        f"  features    {len(choice.features)}: {used}",
    ]
    if choice.split is not None:
        lines.append('  patients    the same in all files, so partition = "vertical"')
    left = [f"{name} ({why})" for name, why in choice.left_out.items()]
    if left:
        lines.append(f"  left out    {_some(left)}")
    if "text" in choice.left_out.values():
        lines.append("  text        goes into features, with its levels in [task.categories] (docs/scenario.md)")
    if choice.missing != "refuse":
        what = "rows with one are dropped" if choice.missing == "drop" else "the column's mean takes their place"
        lines.append(f"  missing     values are: {what}")
    return [
        *lines,
        "",
        "Next, see what it will cost and who will learn what; then run it, with every party on this machine:",
        f"  mpc plan {where}",
        f"  mpc run {where}",
    ]


def _target_lines(choice: Choice) -> str:
    if choice.numbers:
        return f" (numbers, so a {_proposal(choice)[0].words})"
    return f" (1 where it is {choice.positive})" if choice.positive else ""


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""
    return ", ".join(items[:_MOST_NAMED]) + more


def _study(path: Path) -> str:
    """The scenario's name: its folder's, with the characters that a name may have."""
    name = re.sub(r"[^\w .-]+", "-", path.parent.resolve().name).strip("-. ")
    return name[:100] if re.match(r"\w", name) else "my-study"


def _line(setting: str, comment: str) -> str:
    return f"{setting:<{_COMMENT_AT - 1}} # {comment}" if comment else setting


def _wrap(items: Sequence[str]) -> list[str]:
    """A list's items, wrapped into lines."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) + 2 > _WIDTH:
            lines.append("")
        lines[-1] += f" {item},"
    return [f"   {line}" for line in lines]


def _toml(text: str) -> str:
    """A text in TOML: the same as in JSON, except for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
