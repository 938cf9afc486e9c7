"""For which survivors a client released shares, round by round: in a file, so that a restart forgets nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mpc.errors import ProtocolError, UsageError


class RoundJournal:
    """A client's journal: one line a round, written out before it returns.

    Args:
        path: the file; made where there is none.
        sync: whether a line is to outlive a failure of the machine, not of the process alone.

    Raises:
        UsageError: the file cannot be used, or is no journal.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        self._path = path
        self._sync = sync
        self._kept: dict[int, str] = {}
        try:
            lines = path.read_text(encoding="ascii").splitlines() if path.exists() else []
            for line in lines:
                entry = json.loads(line)
                self._kept[int(entry["round"])] = str(entry["survivors"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"the journal of released shares {path} cannot be read: {error}",
                "without it, nobody knows what was released: take part in new rounds only, with a new file",
            ) from None

    def __call__(self, number: int, survivors: bytes) -> None:
        """Note that shares are released for these survivors of a round.

        Raises:
            ProtocolError: they were released for others, or the file cannot be written to.
        """
        digest = survivors.hex()
        kept = self._kept.get(number)
        if kept == digest:
            return
        if kept is not None:
            raise ProtocolError(
                f"shares were released for other survivors of round {number}",
                "two sums of one round would show their difference: start a new round",
            )
        try:
            with open(self._path, "a", encoding="ascii") as file:
                file.write(json.dumps({"round": number, "survivors": digest}) + "\n")
                file.flush()
                if self._sync:
                    os.fsync(file.fileno())
        except OSError as error:
            raise ProtocolError(
                f"the journal of released shares cannot be written to ({error.strerror}); nothing was released",
                f"make room for {self._path}",
            ) from None
        self._kept[number] = digest
