"""The run's folder and the `result.json` in it: failed until the run is seen to have succeeded."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InternalError, UsageError, plain_text
from parties.base.events import describe_error
from parties.base.private_files import create_private, replace_file
from parties.base.record_files import RESULT, SCHEMA
from parties.scenario.file import Scenario
from parties.tasks.registry import KINDS, job_of

_KEYS: Final = (
    "schema",
    "kind",
    "status",
    "error",
    "scenario",
    "about",
    "session",
    "plan",
    "training",
    "parties",
    "faults",
    "rows",
    "model",
    "metrics",
    "inference",
    "fit",
    "calibration",
    "privacy",
    "statistics",
    "predict",
    "program",
    "comparison",
    "audit",
    "data",
    "revealed",
)
UNFINISHED: Final = "did not finish"
"""What a record says until its run has ended."""

_IN_ALL: Final = ("model", "metrics", "revealed")
"""Keys of every record, null where they do not apply."""
_PARTY_KEYS: Final = ("role", "pid", "rounds", "bytes_sent", "bytes_received", "messages", "seconds")
_SECONDS: Final = ("connect", "setup", "online", "training", "total")


def check_out(out: Path | None) -> None:
    """Refuse a folder that a run could not have for itself, before anything else; nothing is created.

    Args:
        out: the folder of `--out`; None where there will be a new one.

    Raises:
        UsageError: it is a file, or it is there and not empty.
    """
    try:
        contents = [] if out is None else sorted(entry.name for entry in out.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise _unusable(out, "is, or is in, a file") from None
    except OSError as error:
        raise _unusable(out, f"cannot be used: {error.strerror}") from None
    if RESULT in contents:
        raise _unusable(out, "holds the record of another run, which is never written over")
    if contents:
        raise _unusable(out, f"is not empty: it holds {plain_text(contents[0], 40)}")


def take_folder(out: Path | None, name: str, runs: Path = Path("runs")) -> Path:
    """Create the folder of a run of the scenario `name`, for its user alone: OUT, or a new RUNS/NAME-TIME.

    Raises:
        UsageError: it cannot be made, or it is there and not empty.
    """
    if out is None:
        return _new_folder(name, runs)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.mkdir(mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise _unusable(out, "is, or is in, a file") from None
    except OSError as error:
        raise _unusable(out, f"cannot be used: {error.strerror}") from None
    check_out(out)
    return out


def _new_folder(name: str, runs: Path) -> Path:
    """Create it in one call, so that no other run takes it."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    stem = f"{plain}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while True:
        folder = runs / (stem if number == 1 else f"{stem}-{number}")
        try:
            runs.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
        except FileExistsError:
            if not runs.is_dir():
                raise _unusable(runs, "is not a folder") from None
            number += 1
        except OSError as error:
            raise _unusable(folder, f"cannot be created: {error.strerror}") from None
        else:
            return folder


def start_record(folder: Path, scenario_name: str, scenario_digest: str, kind: str = "") -> None:
    """Write the first record of a run: it says that the run did not finish, until a later record replaces it.

    Raises:
        UsageError: it cannot be written, or another run has just taken the folder.
    """
    unfinished = InternalError(UNFINISHED, "the run is still going on, or was killed before it could say why")
    record = failed_record(unfinished, scenario_name=scenario_name, scenario_digest=scenario_digest, kind=kind)
    try:
        create_private(folder / RESULT, _json(record).encode())
    except FileExistsError:
        raise _unusable(folder, "was just taken by another run") from None


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `result.json` whole or not at all: a reader finds the old record or the new one.

    Raises:
        UsageError: it cannot be written, as on a disk that is full.
    """
    replace_file(folder / RESULT, _json(record).encode())


def failed_record(
    error: BeaverlodgeError,
    *,
    scenario_name: str = "",
    scenario_digest: str = "",
    kind: str = "",
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The record of a run that failed with `error`: all keys, null where nothing is known.

    Args:
        kind: of task; '' if it is not known.
        about: the description of the run, as `parties.report.about` makes it.
    """
    known = {} if about is None else {"about": about}
    return {
        "schema": SCHEMA,
        **({"kind": kind} if kind else {}),
        "status": "failed",
        "error": describe_error(error),
        "scenario": {"name": scenario_name, "digest": scenario_digest},
        **known,
        "session": "",
        "plan": {"rounds": 0, "bytes": {}, "correlations": {}},
        "parties": {},
        "model": None,
        "metrics": None,
        "revealed": [],
    }


def record_of(scenario: Scenario, results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The record of a scenario's run, as `merge_results` makes it."""
    return merge_results(results, kind=scenario.task.kind, scenario_name=scenario.name, scenario_digest=scenario.digest)


def add_comparison(scenario: Scenario, record: dict[str, Any]) -> dict[str, Any]:
    """The record of a run on one machine, with what its kind compares it with, if it does."""
    compare = job_of(scenario).run.compare
    beside = None if compare is None else compare(scenario, record)
    return {**record, "comparison": beside} if beside else record


def merge_results(
    results: Mapping[str, Mapping[str, Any]], *, kind: str, scenario_name: str, scenario_digest: str
) -> dict[str, Any]:
    """The record of a run that succeeded, from what each party reported as its result.

    Raises:
        InternalError: the parties do not report one run: another session or plan, or owners with other results.
    """
    owners = [name for name, result in results.items() if result["party"]["role"] == "owner"]
    everyone = list(results)
    session = _common_value(results, everyone, "session", "parties disagree about the session")
    _common_value(
        {name: {"digest": result["plan"].get("digest")} for name, result in results.items()},
        everyone,
        "digest",
        "parties disagree about the plan",
    )
    rows = _common_value(results, everyone, "rows", "parties disagree about the numbers of rows")
    merge, part = KINDS[kind].merge, KINDS[kind].part
    agreed = {
        key: _common_value(results, owners, key, f"owners disagree about the result ({key})")
        for key in (*_IN_ALL, *(part if merge is None else ()))
    }
    if merge is not None:
        agreed |= merge({name: results[name] for name in owners}) if owners else dict.fromkeys(part)
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "kind": kind,
        "status": "ok",
        "error": None,
        "scenario": {"name": scenario_name, "digest": scenario_digest},
        "session": session,
        "plan": results[(owners or everyone)[0]]["plan"] if results else {},
        "parties": {name: _party_entry(result["party"]) for name, result in results.items()},
        "model": agreed["model"],
        "metrics": agreed["metrics"],
        "revealed": agreed["revealed"] or [],
    }
    if rows is not None:
        record["rows"] = rows
    testing = {name: result["testing"] for name, result in results.items() if result.get("testing") is not None}
    # A record has only what the parties agreed to learn; and a helper alone does not know the number of columns.
    record |= {key: agreed[key] for key in part if agreed[key] is not None}
    # A run with a test seed protects nothing, and its record says so.
    return record | ({"testing": testing} if testing else {})


def _common_value(results: Mapping[str, Mapping[str, Any]], names: list[str], key: str, problem: str) -> Any:
    """The value that all of `names` report under `key`; compared as JSON text, so that two NaN are equal."""
    if not names:
        return None
    first, *others = names
    value = _plain(results[first].get(key))
    for other in others:
        if _plain(results[other].get(key)) != value:
            hint = f"{first} and {other} report different things; please report this as a bug"
            raise InternalError(problem, hint, party=other)
    return value


def _party_entry(party: Mapping[str, Any]) -> dict[str, Any]:
    entry = _order_keys(dict(party), _PARTY_KEYS)
    return entry | {"seconds": _order_keys(dict(party["seconds"]), _SECONDS)}


def _order_keys(record: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The known keys first and in their order, then any others by name."""
    known = [key for key in keys if key in record]
    return {key: record[key] for key in (*known, *sorted(record.keys() - set(keys)))}


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: no NaN and no infinity, which JSON does not know."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _json(record: Mapping[str, Any]) -> str:
    """JSON text with letters as they are, and escapes for characters that a terminal would act on."""
    fields = _order_keys(_plain(record), _KEYS)
    lines = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False).split("\n")
    return "".join(f"{line if line.isprintable() else ''.join(map(_json_letter, line))}\n" for line in lines)


def _json_letter(one: str) -> str:
    return one if one.isprintable() else json.dumps(one)[1:-1]


def _unusable(folder: Path | None, why: str) -> UsageError:
    return UsageError(f"the folder {folder} {why}", "name another with --out, one that is empty or not there")
