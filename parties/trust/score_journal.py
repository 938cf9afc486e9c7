"""Numbers of rows that a shared model has scored, run by run, in a file beside an owner's share of it.

Each run is a line, on the disk before anything of the run is opened: a run that is killed counts in full. The share
seals the number of lines and their sums (`Tally`): a journal that is missing, cut or changed is refused. A further line
is of a run that was killed before the share was sealed again; it can only add to the count. An old share put back
together with its old journal is not detected here, but the other owners count as well.
"""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, NonNegativeInt, ValidationError

from mpc.errors import UsageError
from parties.base.private_files import append_line, create_private, read_lines

_START: Final = "0" * 64


@dataclass(frozen=True)
class Tally:
    """The part of a journal that its share seals: the number of lines, and the sum of each owner's rows."""

    lines: int
    rows: Mapping[str, int]


class _Line(BaseModel):
    """One run: when, which session, and how many rows of each owner are scored in it."""

    time: str
    session: str
    rows: dict[str, NonNegativeInt]


@dataclass(frozen=True)
class ScoreJournal:
    """One share's journal.

    Args:
        path: the file.
        sealed: the tally in the share.
    """

    path: Path
    sealed: Tally

    def scored(self) -> Mapping[str, int]:
        """How many rows of each owner were scored so far.

        Raises:
            UsageError: the journal is missing, was changed, or is an older one.
        """
        return self._tally().rows

    def note(self, session: str, rows: Mapping[str, int], most: int) -> Tally:
        """Write a run's rows to the disk, unless an owner's total would pass `most`. One process at a time may do this.

        Raises:
            UsageError: a total would pass `most`, because of another run meanwhile; or the file is missing, changed, or
                full.
        """
        before = self._tally()
        for owner, count in rows.items():
            if count and before.rows.get(owner, 0) + count > most:
                raise UsageError(f"{owner} had other rows scored meanwhile", "score fewer rows", party=owner)
        append_line(self.path, _line_text(session, rows))
        return Tally(before.lines + 1, Counter(before.rows) + Counter(rows))

    def _tally(self) -> Tally:
        """The tally of all lines. A line without an end does not count: its run did not go on."""
        lines = _read(self.path)
        if len(lines) < self.sealed.lines:
            raise _refuse(self.path, "is shorter than it was, or of another share")
        if _total(lines[: self.sealed.lines]) != Counter(self.sealed.rows):
            raise _refuse(self.path, "was changed: its lines add up to other rows than were scored")
        return Tally(len(lines), _total(lines))


def create(path: Path) -> Tally:
    """A new journal.

    Raises:
        FileExistsError: it is there already.
        UsageError: it cannot be written.
    """
    create_private(path, _line_text("", {}) + b"\n")
    return Tally(1, {})


def check_chain(path: Path, lines: int, last: str, key: bytes, model: str) -> Tally:
    """The tally of a journal whose share was sealed by an earlier version.

    That version gave each line a code (HMAC-SHA256) over itself and the one before, and sealed the last one.

    Args:
        lines: how many there were.
        last: the code of the last.
        key: of the codes.
        model: the model's id, to which the codes are bound.

    Raises:
        UsageError: the journal is missing, was changed, or is an older one.
    """
    found, mac = _read(path)[:lines], _START
    for line in found:
        said = json.dumps([model, mac, line.model_dump()], sort_keys=True, separators=(",", ":"))
        mac = hmac.digest(key, said.encode(), "sha256").hex()
    if mac != last:
        raise _refuse(path, "was changed, or is shorter than it was")
    return Tally(lines, _total(found))


def _read(path: Path) -> list[_Line]:
    lines = []
    try:
        for text in read_lines(path):
            lines.append(_Line.model_validate_json(text))
    except FileNotFoundError:
        raise _refuse(path, "is missing") from None
    except ValidationError:
        raise _refuse(path, f"was changed, in line {len(lines) + 1}") from None
    if not lines:
        raise _refuse(path, "is empty")
    return lines


def _total(lines: Sequence[_Line]) -> Counter[str]:
    total: Counter[str] = Counter()
    for line in lines:
        total.update(line.rows)
    return total


def _line_text(session: str, rows: Mapping[str, int]) -> bytes:
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    return json.dumps({"time": now, "session": session, "rows": dict(rows)}).encode()


def _refuse(path: Path, how: str) -> UsageError:
    return UsageError(
        f"the journal of scored rows {path} {how}",
        "without it nobody knows how much of the model its scores have told already: put it back as it was, or "
        "train a new model",
    )
