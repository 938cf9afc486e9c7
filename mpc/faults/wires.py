"""What a fault needs of a network: to see each frame that is handed over, and to meddle with it and its connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mpc.links.session import Frame


@dataclass(frozen=True, slots=True)
class Sent:
    """A frame as a party handed it over: its number in the run, its sender and its receiver."""

    number: int
    sender: str
    receiver: str
    frame: Frame


class Strikes(Protocol):
    """The effects of faults on a party's process and its connections."""

    def cut(self, one: str, other: str, seconds: float) -> None:
        """Break a connection, with all that is under way; it comes back after so many seconds."""

    def stop(self, name: str, seconds: float) -> None:
        """A party's process, which calls this itself, stands still for so many seconds."""

    def die(self, name: str) -> None:
        """A party's process, which calls this itself, ends here and now."""


class Wires(Strikes, Protocol):
    """The effects of faults on frames, too."""

    def carry(self, sent: Sent, later: float = 0.0) -> None:
        """Carry it, so much later, and all that follow after it."""
