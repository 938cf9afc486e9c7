"""A party's log: one file a party in the run's folder. It names stages, peers and columns, never a value."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Literal

from mpc.errors import plain_text
from parties.base.private_files import open_private

LogFormat = Literal["text", "json"]


def open_log(folder: Path, party: str, form: LogFormat = "text") -> logging.Logger:
    """The logger that appends to FOLDER/PARTY.log: lines of text, or one JSON object a line."""
    log = logging.getLogger(f"beaverlodge.{party}")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler = _LogFile(folder / f"{party}.log", encoding="utf-8")
    handler.setFormatter(JsonLines(party) if form == "json" else _TextLines())
    log.addHandler(handler)
    return log


class _LogFile(logging.FileHandler):
    """A log file that only its party can read. A failure to write it (a full disk) ends no run."""

    def _open(self) -> TextIOWrapper:
        return TextIOWrapper(open(self.baseFilename, "ab", opener=open_private), encoding=self.encoding)

    def handleError(self, record: logging.LogRecord) -> None:
        """Nothing: logging itself would print a traceback."""


class _TextLines(logging.Formatter):
    """One line a record: a newline in a column's name or a peer's message starts no further line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """A record as one line."""
        return plain_text(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` (UTC), `level`, `party`, `text`."""

    def __init__(self, party: str) -> None:
        super().__init__()
        self._party = party

    def format(self, record: logging.LogRecord) -> str:
        """A record as one line of JSON."""
        return json_line(record.levelname.lower(), self._party, record.getMessage(), when=record.created)


def json_line(
    level: str, party: str, text: str, more: Mapping[str, object] | None = None, *, when: float | None = None
) -> str:
    """One line of a JSON log: `time` (UTC), `level`, `party`, `text`, and the fields of `more`.

    Args:
        when: in seconds since 1970; now where it is left out.
    """
    time = dt.datetime.now(dt.UTC) if when is None else dt.datetime.fromtimestamp(when, dt.UTC)
    fields = {"time": time.isoformat(timespec="milliseconds"), "level": level, "party": party, "text": plain_text(text)}
    return json.dumps({**fields, **(more or {})})
