"""A client's file of the survivors for which it released shares, round by round, so that a restart forgets nothing."""

from __future__ import annotations

import json
from pathlib import Path

from mpc.errors import ProtocolError, UsageError
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
        if path is None:
            return
        try:
            for line in read_lines(path):
                entry = json.loads(line)
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
        line = json.dumps({"round": number, "survivors": survivors.hex()}).encode()
        try:
            if self._path is not None:
                append_line(self._path, line, sync=self._sync)
        except UsageError as error:
            raise ProtocolError(
                f"the journal of released shares: {error.message}; nothing was released", f"make room for {self._path}"
            ) from None
        self._kept[number] = survivors
