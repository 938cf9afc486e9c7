"""How many rows were scored by a model that nobody sees, run by run: in a file beside the share of it.

One line a run, on the disk before anything of it is opened: a run that is killed counts as one that was not. Each line
carries a code (HMAC-SHA256) over itself and the one before, under a key that only the share's owner has, and the share
remembers the last (`Mark`): a line that is changed, left out or cut off is found, and so is a file that is missing. An
old share put back together with its old journal is not found here; but the other owners count as well.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mpc.errors import UsageError
from parties.base.private_files import append_line, create_private, read_lines

_START: Final = "0" * 64


@dataclass(frozen=True)
class Mark:
    """How far a journal has come: its number of lines, and the code of the last."""

    lines: int
    mac: str


@dataclass(frozen=True)
class _Line:
    """One run: when, which session, and how many rows of each owner are scored in it."""

    time: str
    session: str
    rows: Mapping[str, int]
    mac: str


class ScoreJournal:
    """One share's journal.

    Args:
        path: the file.
        key: of its codes.
        model: the model's id; the codes are bound to it.
    """

    def __init__(self, path: Path, key: bytes, model: str) -> None:
        self.path = path
        self._key = key
        self._model = model

    def create(self) -> Mark:
        """A new journal.

        Raises:
            FileExistsError: it is there already.
            UsageError: it cannot be written.
        """
        fields = {"time": _now(), "session": "", "rows": {}}
        line = {**fields, "mac": self._mac(_START, fields)}
        create_private(self.path, _written(line) + b"\n")
        return Mark(1, str(line["mac"]))

    def check(self, mark: Mark) -> None:
        """That the journal is whole, and has come as far as the share says.

        Raises:
            UsageError: it is missing, was changed, or is an older one.
        """
        lines = self._read()
        if len(lines) < mark.lines or lines[mark.lines - 1].mac != mark.mac:
            raise self._broken("is shorter than it was, or of another share")

    def scored(self) -> dict[str, int]:
        """How many rows of each owner were scored so far.

        Raises:
            UsageError: the journal is missing, or was changed.
        """
        return _totals(self._read())

    def note(self, session: str, rows: Mapping[str, int], most: int) -> Mark:
        """Count a run's rows, on the disk, if no owner's pass `most` with it. One process at a time may be here.

        Raises:
            UsageError: they would, by another run since the last look; or the file is missing, changed, or full.
        """
        lines = self._read()
        before = _totals(lines)
        for owner, count in rows.items():
            if count and before.get(owner, 0) + count > most:
                raise UsageError(f"{owner} had other rows scored meanwhile", "score fewer rows", party=owner)
        fields = {"time": _now(), "session": session, "rows": dict(rows)}
        mac = self._mac(lines[-1].mac, fields)
        append_line(self.path, _written({**fields, "mac": mac}))
        return Mark(len(lines) + 1, mac)

    def _read(self) -> list[_Line]:
        """Its lines, each with the right code. One without an end was never counted on: the run did not go on."""
        try:
            written = read_lines(self.path)
        except FileNotFoundError:
            raise self._broken("is missing") from None
        lines: list[_Line] = []
        for text in written:
            line = self._line(text, lines[-1].mac if lines else _START)
            if line is None:
                raise self._broken(f"was changed, in line {len(lines) + 1} or before")
            lines.append(line)
        if not lines:
            raise self._broken("is empty")
        return lines

    def _line(self, text: bytes, before: str) -> _Line | None:
        """The line, if its code is that of this line after the one before."""
        try:
            line = _Line(**json.loads(text))
            fields = {"time": line.time, "session": line.session, "rows": line.rows}
            return line if hmac.compare_digest(line.mac, self._mac(before, fields)) else None
        except (ValueError, TypeError, RecursionError):
            return None

    def _mac(self, before: str, fields: Mapping[str, Any]) -> str:
        said = json.dumps([self._model, before, fields], sort_keys=True, separators=(",", ":"))
        return hmac.digest(self._key, said.encode(), "sha256").hex()

    def _broken(self, how: str) -> UsageError:
        return UsageError(
            f"the journal of scored rows {self.path} {how}",
            "without it nobody knows how much of the model its scores have told already: put it back as it was, or "
            "train a new model",
        )


def _totals(lines: list[_Line]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.rows)
    return dict(total)


def _written(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line).encode()


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
