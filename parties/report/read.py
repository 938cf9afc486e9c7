"""Reading a run's record back from its folder, for `mpc report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mpc.errors import UsageError
from parties.base.bugs import reason_of
from parties.base.record_files import RESULT, SCHEMA

_SCHEMAS = (1, SCHEMA)
_READ = " and ".join(map(str, _SCHEMAS))
_HINT = "name the folder that `mpc run` or `mpc party` wrote, such as runs/NAME-TIME"


def read_record(folder: Path) -> dict[str, Any]:
    """The record in a run's folder.

    Raises:
        UsageError: there is no such folder, or no record of a run in it that this version can read.
    """
    path = folder / RESULT
    if not folder.exists():
        raise UsageError(f"there is no folder {folder}", _HINT)
    if not folder.is_dir():
        hint = f"name its folder: mpc report {folder.parent}" if folder.name == RESULT else _HINT
        raise UsageError(f"{folder} is a file, not the folder of a run", hint)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"{folder} is no record of a run: it holds no {RESULT}", _newest(folder) or _HINT) from None
    except UnicodeDecodeError:
        raise _damage_error(path, "is not text") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {reason_of(error)}", _HINT) from None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as error:
        at = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _damage_error(path, f"is not valid JSON{at}") from None
    if not isinstance(record, dict) or "status" not in record or not isinstance(record.get("scenario"), dict):
        raise _damage_error(path, "is not the record of a run")
    if type(record.get("schema")) is not int or record["schema"] not in _SCHEMAS:
        raise UsageError(
            f"{path} follows schema {json.dumps(record.get('schema'))[:40]}, but this version reads {_READ}",
            "use the version that wrote it, or a newer one",
        )
    if record["status"] not in ("ok", "failed"):
        raise _damage_error(path, "does not say whether the run ended well")
    return record


def _newest(folder: Path) -> str:
    """A hint if the folder holds folders of runs, as `runs` does."""
    found = sorted(folder.glob(f"*/{RESULT}"), key=lambda path: path.stat().st_mtime)
    return f"it holds folders of runs; the newest is {found[-1].parent}" if found else ""


def _damage_error(path: Path, how: str) -> UsageError:
    return UsageError(f"{path} {how}", "it was changed or cut short after it was written: run the scenario again")
