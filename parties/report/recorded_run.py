"""A run and the record in its folder, from the start to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpc.errors import RecordError, UsageError
from parties.base.bugs import as_error
from parties.report.about import Approved, about
from parties.report.record import failed_record, start_record, take_folder, write_record


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, its folder, and the error that left the folder incomplete, if there was one."""

    record: Mapping[str, Any]
    folder: Path
    unwritten: RecordError | None = None


def run_and_record(
    scenario: Approved,
    out: Path | None,
    part: Callable[[Path], dict[str, Any]],
    *,
    name: str = "",
    more: Callable[[], Mapping[str, Any]] = dict,
) -> FinishedRun:
    """Do a run in its folder, and write the record that it returns, or its failure.

    Args:
        out: the folder, or None for a new one that is called after `name`, or else after the scenario.
        more: returns what the record says besides, of a run that failed, too.

    Raises:
        BeaverlodgeError: what went wrong; the record then says `failed` and why.
    """
    folder = take_folder(out, name or scenario.name)
    known = about(scenario)
    start_record(folder, scenario.name, scenario.digest, known["kind"])
    try:
        record = {**part(folder), "about": known, **more()}
    except (Exception, KeyboardInterrupt) as problem:
        error = as_error(problem)
        failed = failed_record(
            error, scenario_name=scenario.name, scenario_digest=scenario.digest, kind=known["kind"], about=known
        )
        with suppress(UsageError):  # a full disk, for example: the first cause is raised
            _write(folder, {**failed, **more()})
        raise error from None
    return FinishedRun(record, folder, _write_problem(folder, record))


def _write_problem(folder: Path, record: Mapping[str, Any]) -> RecordError | None:
    """Write a run's results; returns the error if that fails. Peers have ended by then: nothing undoes the run."""
    try:
        write_record(folder, record)
    except UsageError as error:
        return RecordError(
            f"the run is done, but its record could not be written: {error.message}",
            "what it revealed was revealed: keep what is printed of it (with --quiet, nothing is), and run nothing "
            "again for the record's sake",
        )
    try:
        _write_report(folder, record)
    except UsageError as error:
        return RecordError(
            f"the run is done and its record is in {folder}, but its report could not be written: {error.message}",
            f"once there is room, `mpc report {folder}` writes it",
        )
    return None


def _write(folder: Path, record: Mapping[str, Any]) -> None:
    write_record(folder, record)
    _write_report(folder, record)


def _write_report(folder: Path, record: Mapping[str, Any]) -> None:
    from parties.report.page import write_report  # slow to import, so after the run

    write_report(record, folder)
