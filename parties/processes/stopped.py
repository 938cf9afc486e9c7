"""Children of the launcher that somebody has stopped (SIGSTOP, or a signal of a terminal), and for how long.

A stopped process reports nothing and does not end. Before it listens, and after its peers have left, no peer waits for
it with a timeout, and the launcher would wait for ever. Only the system can tell it from a busy process, which is never
given up for being slow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from mpc.errors import BeaverlodgeError, InternalError, PeerLostError
from parties.processes.child import Child

LOOK: Final = 1.0
"""Seconds between two looks at the children."""


class Stopped:
    """The launcher's record of stopped children.

    Args:
        children: all parties.
        relay: the process that stands for the network, if there is one.
        patience: seconds for which a child may be stopped.

    Attributes:
        next_look: when `look` is to be called again.
    """

    def __init__(self, children: Iterable[Child], relay: Child | None, patience: float) -> None:
        self.next_look = 0.0
        self._children = tuple(children)
        self._relay = relay
        self._patience = patience
        self._every = min(LOOK, patience / 4)
        self._looked_at = 0.0
        self._for: dict[str, float] = {}
        self._told: set[str] = set()

    def look(self, now: float, on_purpose: Collection[str] = ()) -> list[tuple[Child, str]]:
        """Look at all children, unless it is too early; returns messages for the user, each with its child."""
        if now < self.next_look:
            return []
        # The launcher may have been stopped itself, with its whole group: that time hardly counts.
        went_by = min(now - self._looked_at, 2 * self._every)
        self._looked_at, self.next_look = now, now + self._every
        before = self._for
        self._for = {
            child.name: before[child.name] + went_by if child.name in before else 0.0 for child in self._stopped()
        }
        self._told &= self._for.keys()
        news = [
            child
            for child in self._stopped()
            if self._for.get(child.name) and child.name not in {*self._told, *on_purpose}
        ]
        self._told |= {child.name for child in news}
        text = f"stopped by a signal; the run waits up to {self._patience:g} s until it goes on: kill -CONT"
        return [(child, f"{text} {child.pid}") for child in news]

    def gave_out(self) -> BeaverlodgeError | None:
        """The error of a child that was stopped for longer than the patience."""
        late = [child for child in self._stopped() if self._for.get(child.name, 0.0) >= self._patience]
        return self._error(late[0]) if late else None

    def explains(self, cause: BeaverlodgeError) -> BeaverlodgeError | None:
        """The error of a child that is stopped now, where the cause is that somebody's answers did not come."""
        stopped = self._stopped() if isinstance(cause, PeerLostError) else []
        return self._error(stopped[0]) if stopped else None

    def _stopped(self) -> list[Child]:
        """The stopped children, the relay first: its stop looks like that of all parties."""
        stopped = [child for child in self._children if child.result is None and child.stopped()]
        return [self._relay, *stopped] if self._relay is not None and self._relay.stopped() else stopped

    def _error(self, child: Child) -> BeaverlodgeError:
        if child is self._relay:
            return InternalError(
                f"the emulated network failed: {child.name} was stopped by a signal",
                "no link of the run works without it; start the run again",
            )
        return PeerLostError(
            f"{child.name} was stopped by a signal, in '{child.stage}'",
            f"whoever stops a party has to let it go on (kill -CONT) within {self._patience:g} s (session.deadline)",
            party=child.name,
        )
