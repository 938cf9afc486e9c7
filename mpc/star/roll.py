"""The presence of a server's clients, and of their processes. No network, no clock.

A client is its key. A process says an instance, which it drew when it started, in all that it sends: of two processes
with one key the first is heard as long as its connection lives, and another one in its place once it is gone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable
from typing import Final

REPEAT_SECONDS: Final = 1.0
"""Seconds between two answers to a client that asks."""


class Roll:
    """The clients of a server, by number.

    Attributes:
        joined: the clients that take part, also while their connection is closed.
        astray: those that cannot take part, or left; nobody waits for them, and they may come (again).
        refused: those that sent malformed messages: they are heard no more.
        out: those that take no further part in the present attempt.
        left: the time since which the connection of a client's heard process is closed.
    """

    def __init__(self) -> None:
        self.joined: set[int] = set()
        self.astray: set[int] = set()
        self.refused: set[int] = set()
        self.out: set[int] = set()
        self.left: dict[int, float] = {}
        self._instances: dict[int, bytes] = {}
        self._connections: Counter[int] = Counter()
        self._told_at: dict[int, float] = {}
        self._repeated: dict[int, dict[Hashable, int]] = {}

    @property
    def settled(self) -> int:
        """The number of clients that need not be waited for any more."""
        return len(self.joined) + len(self.astray) + len(self.refused)

    def is_there(self, i: int) -> bool:
        """Whether a process of the client takes part, and its connection lives."""
        return i in self.joined and i not in self.left

    def is_of(self, i: int, instance: bytes) -> bool:
        """Whether this is the client's process that takes part, or did last."""
        return self._instances.get(i) == instance

    def join(self, i: int, instance: bytes) -> None:
        """A process takes part from now on, in the place of any that did before."""
        self._instances[i] = instance
        self.joined.add(i)
        self.astray.discard(i)
        self.left.pop(i, None)

    def stray(self, i: int) -> None:
        """The client takes no part now."""
        self.joined.discard(i)
        self.astray.add(i)
        self.out.add(i)

    def refuse(self, i: int) -> None:
        """The client is heard no more."""
        self.stray(i)
        self.astray.discard(i)
        self.refused.add(i)

    def connect(self, i: int) -> None:
        """A connection of the client's is new; what comes by it says of which process it is."""
        self._connections[i] += 1

    def disconnect(self, i: int, now: float) -> None:
        """The client's connection is closed."""
        self.left.setdefault(i, now)

    def begin(self) -> None:
        """An attempt begins: all may take part who are there."""
        self.out.clear()
        self._repeated.clear()

    def sent(self, i: int, message: Hashable) -> None:
        """A message goes to a client for the first time: by the connection that it has now."""
        self._repeated.setdefault(i, {})[message] = self._connections[i]

    def may_repeat(self, i: int, message: Hashable, now: float) -> bool:
        """Whether a message may be repeated to a client that asked for it; notes that it is.

        A connection loses nothing while it lives. So a message goes once by each connection, and a client that asks
        again and reads nothing makes at most two copies wait.
        """
        repeated = self._repeated.setdefault(i, {})
        if repeated.get(message) == self._connections[i] or not self.may_tell(i, now):
            return False
        repeated[message] = self._connections[i]
        return True

    def may_tell(self, i: int, now: float) -> bool:
        """Whether a client that asks may be told something short; notes that it is. Not again for a second."""
        if now - self._told_at.get(i, -math.inf) < REPEAT_SECONDS:
            return False
        self._told_at[i] = now
        return True
