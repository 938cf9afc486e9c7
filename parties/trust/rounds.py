"""Rounds of a sum: their numbers, which no two runs share, and the rounds that a client agreed to.

A client releases shares for one set of survivors a round number (`parties.trust.round_journal`). So a server continues
its count in each run, and the session's name holds the run's first number. Attempts at a round share its number.
"""

from __future__ import annotations

import json
from pathlib import Path

from mpc.errors import ProtocolError, UsageError
from mpc.randomness.streams import os_entropy
from parties.base.private_files import append_line, read_lines

_RANDOM_BYTES = 32
_FIRST_BYTES = 4
LAST_ROUND = 2**32 - 1


def new_session(first: int) -> bytes:
    """A new session's name: fresh random bytes, and the number of its first round."""
    return os_entropy("session") + first.to_bytes(_FIRST_BYTES, "little")


class AgreedRounds:
    """The attempts that a client takes part in: `rounds` rounds of one session, at most `attempts` attempts at each."""

    def __init__(self, rounds: int, attempts: int) -> None:
        self._rounds = rounds
        self._attempts = attempts
        self._session = b""

    def place(self, session: bytes, number: int, attempt: int) -> int:
        """Which round of its run this is: 1, 2, ...

        Raises:
            ProtocolError: the server asks for more than was agreed.
        """
        self._session = self._session or session
        place = number - int.from_bytes(session[_RANDOM_BYTES:], "little") + 1
        well_formed = len(session) == _RANDOM_BYTES + _FIRST_BYTES and session == self._session
        if not (well_formed and 1 <= place <= self._rounds and 1 <= attempt <= self._attempts):
            raise ProtocolError(
                f"the server asks for attempt {attempt} at round {number}, which was not agreed",
                f"there are {self._rounds} rounds, with {self._attempts} attempts at most; nothing was sent",
                party="server",
            )
        return place


class RoundNumbers:
    """The round numbers that a server has used for a scenario: a file beside its keys, a line a round.

    Raises:
        UsageError: it cannot be read, or others can open it.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        try:
            entries = [json.loads(line) for line in read_lines(path)]
            used = [int(entry["round"]) for entry in entries if entry["scenario"] == digest]
        except FileNotFoundError:
            used = []
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{path} is not a list of rounds: {error}",
                "correct it; a number that is used again is refused by the clients, unless the same ones survive",
            ) from None
        self.next = max(used, default=0) + 1
        if self.next > LAST_ROUND:
            raise UsageError(f"{path}: all round numbers of this scenario are used", "give the scenario another name")

    def use(self, number: int) -> None:
        """Record a number before any client receives it."""
        append_line(self._path, json.dumps({"scenario": self._digest, "round": number}).encode())
