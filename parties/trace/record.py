"""The record beside a recorded run's rounds, as far as a trace shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parties.base.record_files import RESULT


def record_beside(folder: Path) -> dict[str, Any]:
    """The record in `result.json`, empty where none can be read: a trace needs none."""
    try:
        record = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
