"""A sweep's folder: `sweep.json`, and below `cells` each run's scenario and the folder of its record.

A run counts as done if it has a record, which is written whole or not at all. So however a sweep ended, the next one in
this folder keeps its finished runs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.base.bugs import reason_of
from parties.base.private_files import lock_folder, make_folder, replace_file
from parties.base.record_files import RESULT
from parties.base.version import VERSION
from parties.report.read import read_record
from parties.report.record import check_out, take_folder
from parties.scenario.file import differences
from parties.sweep.study import Cell, Study
from parties.sweep.summary import figures_of, rows_of

SCHEMA: Final = 1
"""Of `sweep.json`."""

TABLE: Final = "sweep.json"
PAGE: Final = "sweep.html"
CELLS: Final = "cells"

_OTHER: Final = "name another folder with --out, or call the sweep with what it was called with before"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a cell: the figures of its record, or the error that ended it; neither before it ran."""

    cell: Cell
    figures: Mapping[str, float] | None = None
    error: Mapping[str, str | None] | None = None


def scenario_path(folder: Path, cell: Cell) -> Path:
    """A cell's scenario file."""
    return folder / CELLS / f"{cell.name}.toml"


def record_folder(folder: Path, cell: Cell) -> Path:
    """The folder of a cell's record."""
    return folder / CELLS / cell.name


def sweep_folder(out: Path | None, study: Study) -> Path:
    """The folder of the sweep: a new one, or one in which the same study was begun.

    Raises:
        UsageError: the folder exists and holds something else, or another study; or it cannot be made.
    """
    if out is None or not (out / TABLE).exists():
        check_out(out)
        return take_folder(out, f"{study.name}-sweep")
    earlier = _read(out / TABLE)
    if earlier.get("schema") != SCHEMA:
        raise UsageError(f"{out / TABLE} follows another schema than {SCHEMA}", "name another folder with --out")
    if earlier.get("digest") != study.digest:
        changes = differences(_facts_of(study), {key: earlier.get(key) for key in _facts_of(study)})
        hint = f"{changes[0]} (in {out}); {_OTHER}" if changes else _OTHER
        raise UsageError(f"{out} holds another sweep than this one", hint)
    return out


def _facts_of(study: Study) -> dict[str, Any]:
    return {
        "settings": {one.key: list(one.values) for one in study.settings},
        "compare": study.compare,
        "scenario": study.scenario,
        "data": study.data,
    }


def lock_sweep(folder: Path) -> AbstractContextManager[None]:
    """Keep other sweeps out of the folder.

    Raises:
        UsageError: another sweep is under way in it.
    """
    return lock_folder(folder, UsageError(f"another sweep is under way in {folder}", "wait until it ends"))


def prepare(folder: Path, cell: Cell) -> Outcome:
    """Return the outcome of a cell from an earlier sweep; if it is not done, write its scenario and remove its folder.

    Raises:
        UsageError: something cannot be written or removed.
    """
    place = record_folder(folder, cell)
    outcome = outcome_of(folder, cell)
    if outcome.figures is not None:
        return outcome
    try:
        shutil.rmtree(place)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise UsageError(f"{place} cannot be removed: {reason_of(error)}") from None
    make_folder(place.parent)
    replace_file(scenario_path(folder, cell), cell.text.encode(), sync=False)
    return Outcome(cell)


def keep_program(folder: Path, study: Study) -> None:
    """Write a study's protocol beside its scenarios, so that each of them can be run by itself.

    Raises:
        UsageError: it cannot be written.
    """
    if study.program is not None:
        make_folder(folder / CELLS)
        replace_file(folder / CELLS / study.program.path.name, study.program.text.encode(), sync=False)


def outcome_of(folder: Path, cell: Cell) -> Outcome:
    """The outcome of a cell by its record, if there is one and its scenario is the same."""
    place = record_folder(folder, cell)
    if not (place / RESULT).exists():
        return Outcome(cell)
    try:
        record = read_record(place)
    except UsageError:
        return Outcome(cell)
    if record["scenario"].get("digest") != cell.digest:
        return Outcome(cell)
    if record["status"] != "ok":
        return Outcome(cell, error=record.get("error"))
    return Outcome(cell, figures_of(record))


def write_table(folder: Path, study: Study, outcomes: Sequence[Outcome], status: str, *, sync: bool = True) -> None:
    """Write `sweep.json`, whole or not at all.

    Args:
        status: `unfinished`, `ok`, or `failed` where some run has no record.

    Raises:
        UsageError: it cannot be written.
    """
    rows = rows_of([(one.cell.values, one.figures) for one in outcomes])
    fields = {
        "schema": SCHEMA,
        "status": status,
        "name": study.name,
        "version": VERSION,
        "digest": study.digest,
        **_facts_of(study),
        "table": [
            {
                "settings": row.values,
                "done": row.done,
                "runs": row.runs,
                "figures": {name: asdict(found) for name, found in row.figures.items()},
            }
            for row in rows
        ],
        "runs": [
            {
                "name": one.cell.name,
                "settings": one.cell.values,
                "seed": one.cell.seed,
                "digest": one.cell.digest,
                "figures": one.figures,
                "error": one.error,
            }
            for one in outcomes
        ],
    }
    replace_file(folder / TABLE, f"{json.dumps(fields, indent=2, default=str)}\n".encode(), sync=sync)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not the table of a sweep", "name another folder with --out")
    return found
