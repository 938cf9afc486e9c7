"""A client's file of the survivors for which it released shares, round by round, so that a restart forgets nothing.

Where a round's vector has noise, it has the place for which the noise was drawn, too: a second draw would halve it.

Where all rounds are of the same rows, it has their digest, too: two sums over the same clients, of rows that one of
them changed in between, would show what it changed.
"""

from __future__ import annotations

import json
from pathlib import Path

from mpc.errors import DataError, ProtocolError, TooFewError, UsageError
from parties.base.private_files import append_line, read_lines


class RoundJournal:
    """A client's journal: one line a round, written out before it returns.

    Args:
        path: the file, which only its owner can open; made where there is none. None: it is kept in memory alone, as
            long as a simulated client lives.
        sync: whether a line must survive a failure of the machine.

    Raises:
        UsageError: the file cannot be used, others can open it, or it is no journal.
    """

    def __init__(self, path: Path | None, *, sync: bool = True) -> None:
        self._path = path
        self._sync = sync
        self._kept: dict[int, bytes] = {}
        self._rows: str | None = None
        self._drawn: set[str] = set()
        if path is None:
            return
        try:
            for line in read_lines(path):
                entry = json.loads(line)
                if "rows" in entry:
                    self._rows = str(entry["rows"])
                    continue
                if "noise" in entry:
                    self._drawn.add(str(entry["noise"]))
                    continue
                number, survivors = int(entry["round"]), bytes.fromhex(entry["survivors"])
                if self._kept.setdefault(number, survivors) != survivors:
                    raise ValueError(f"it has two sets of survivors of round {number}")
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(
                f"the journal of released shares {path} cannot be read: {error}",
                "without it, nobody knows what was released: take part in new rounds only, with a new file",
            ) from None

    def __call__(self, number: int, survivors: bytes) -> None:
        """Record that shares are released for these survivors of a round.

        Raises:
            ProtocolError: they were released for others, or the file cannot be written to.
        """
        kept = self._kept.get(number)
        if kept == survivors:
            return
        if kept is not None:
            raise ProtocolError(
                f"shares were released for other survivors of round {number}",
                "two sums of one round would show their difference: start a new round",
            )
        self._write({"round": number, "survivors": survivors.hex()})
        self._kept[number] = survivors

    def bind(self, rows: str) -> None:
        """Record the digest of the rows that this client takes part with, in all rounds.

        Raises:
            DataError: it took part with others.
            ProtocolError: the file cannot be written to.
        """
        if self._rows is None:
            self._write({"rows": rows})
            self._rows = rows
        elif self._rows != rows:
            raise DataError(
                "this client's rows are others than those that it took part in the study with",
                "put those back; or have everybody begin a study of another name and seed with the new ones",
            )

    def draw(self, place: str) -> None:
        """Record that noise is drawn for a round, before any of it leaves.

        Raises:
            TooFewError: it was drawn before, and is not known any more.
            ProtocolError: the file cannot be written to.
        """
        if place in self._drawn:
            raise TooFewError(
                f"the noise for '{place}' was drawn by a process that has ended: this client leaves the round",
                "it takes part in the next one; a study is not run twice",
            )
        self._write({"noise": place})
        self._drawn.add(place)

    def _write(self, entry: dict[str, int | str]) -> None:
        try:
            if self._path is not None:
                append_line(self._path, json.dumps(entry).encode(), sync=self._sync)
        except UsageError as error:
            raise ProtocolError(
                f"the journal of released shares: {error.message}; nothing was released", f"make room for {self._path}"
            ) from None
