"""Failed connections at this party's port, counted by machine, for the log."""

from __future__ import annotations

from collections import Counter
from typing import Final

_MOST_LISTED: Final = 20  # machines, or keys; others are counted together
_ELSEWHERE: Final = "other addresses"


class Refusals:
    """Counts them by address; each call returns a line for the log, or nothing: the first, the 10th, the 100th has one.

    So a flood of connections fills neither the log nor the memory.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._keys: set[str] = set()
        self._clients: set[tuple[int, str]] = set()

    def stranger(self, key: str, address: str) -> str:
        """Somebody with an unlisted key was turned away: how the key's public text begins; empty if it is not said."""
        known = key in self._keys or len(self._keys) >= _MOST_LISTED
        if not known:
            self._keys.add(key)
        count, host = self._count("key", address)
        if not known:
            return f"turned away a connection from {host} with the unlisted key {key}..."
        return f"turned away {count} connections from {host} with unlisted keys" if count else ""

    def of_client(self, number: int, code: str, line: str) -> str:
        """A process with a client's key was turned away: the line, the first time for this reason; then empty."""
        known = (number, code) in self._clients
        self._clients.add((number, code))
        return "" if known else line

    def broken(self, address: str) -> str:
        """A connection ended before both sides knew each other; empty if it is not said."""
        count, host = self._count("handshake", address)
        if count == 1:
            return f"a handshake from {host} at this party's port broke off, and nothing of it was taken in"
        return f"{count} handshakes from {host} at this party's port broke off" if count else ""

    def _count(self, what: str, address: str) -> tuple[int, str]:
        """The number from this machine, or 0 if there is no line this time; and the machine."""
        host = address or "an unknown address"
        if (what, host) not in self._counts and len(self._counts) >= _MOST_LISTED:
            host = _ELSEWHERE
        self._counts[what, host] += 1
        count = self._counts[what, host]
        return (count if str(count).strip("0") == "1" else 0), host
