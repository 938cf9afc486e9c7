"""From what the command line names to what is attacked: a study's file, or the folder of a run and its scenario."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpc.errors import BeaverlodgeError, UsageError
from parties.report.read import read_record
from parties.show.blocks import table
from parties.tasks.registry import KINDS, load_any

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario
    from parties.tasks.audited.audit import Audit

_PLACES = (".", "scenarios")
"""The folders in which the scenario of a run is looked for, beside the run's own."""


def target_of(named: Path, scenario: Path | None) -> tuple[Scenario | StarScenario, Mapping[str, Any] | None]:
    """The scenario, and the record where a run is named.

    Args:
        named: a scenario file, or a run's folder.
        scenario: the run's scenario file; None: one in this folder, in `scenarios` or in the run's that has its digest.

    Raises:
        UsageError: there is no such file or folder; the run failed; its scenario is not found, or is another one.
    """
    if not named.is_dir():
        if scenario is not None:
            raise UsageError("--scenario goes with the folder of a run", f"`mpc audit {named}` audits the study")
        return load_any(named), None
    record = read_record(named)
    if record["status"] != "ok":
        raise UsageError(f"the run in {named} failed, and disclosed no result", "name another run, or its scenario")
    digest = str(table(record.get("scenario")).get("digest"))
    if scenario is None:
        return _find(named, digest), record
    loaded = load_any(scenario)
    if loaded.digest != digest:
        raise UsageError(
            f"{scenario} is not the scenario of the run in {named}: it was changed, or is another",
            "name the file as it was run",
        )
    return loaded, record


def records_beside(record: Mapping[str, Any] | None, runs: Sequence[Path]) -> tuple[Mapping[str, Any], ...]:
    """The records of other runs, which an attacker has beside the audited one's.

    Raises:
        UsageError: no run is audited, or another one failed, or is of another kind or of other owners.
    """
    if record is None and runs:
        raise UsageError("--with goes with the folder of a run", "name one of the runs first, and the others --with")
    found = []
    for run in runs:
        other = read_record(run)
        if other["status"] != "ok" or _whose(other) != _whose(record or {}):
            raise UsageError(
                f"the run in {run} failed, or is of another kind, or of other owners",
                "name runs over the same patients, or nearly",
            )
        found.append(other)
    return tuple(found)


def _whose(record: Mapping[str, Any]) -> tuple[Any, ...]:
    return record.get("kind"), *sorted(table(table(table(record.get("about")).get("settings")).get("parties")))


def audit_of(scenario: Scenario | StarScenario, owner: str | None = None) -> Audit:
    """What the scenario's kind of task gives an audit; to one owner, what needs no other's data.

    Raises:
        UsageError: nothing; or it has no such owner.
    """
    made = KINDS[scenario.task.kind].audit
    if made is None:
        known = ", ".join(f'"{name}"' for name, kind in KINDS.items() if kind.audit is not None)
        raise UsageError(f'no attack on kind = "{scenario.task.kind}" is known here', f"audited are {known}")
    if owner is None:
        return made()
    if owner not in scenario.parties:
        raise UsageError(f"{scenario.path} has no party '{owner}'", f"it has {', '.join(scenario.parties)}")
    return replace(made(), updates=None)


def _find(run: Path, digest: str) -> Scenario | StarScenario:
    for path in _candidates(run):
        try:
            loaded = load_any(path)
        except BeaverlodgeError:
            continue  # of another version, or no scenario
        if loaded.digest == digest:
            return loaded
    raise UsageError(
        f"the scenario of the run in {run} is not found, and a record holds neither it nor any data",
        f"name it: mpc audit {run} --scenario FILE",
    )


def _candidates(run: Path) -> Iterator[Path]:
    for folder in (run, *map(Path, _PLACES)):
        yield from sorted(folder.glob("*.toml"))
