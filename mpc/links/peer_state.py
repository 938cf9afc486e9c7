"""What a channel knows of a peer from one connection to the next: who has told whom what is expected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Expectation(Enum):
    """Whether a peer has said what it expects next, on the connection that is the last news of it here."""

    NOT_YET = auto()
    YES = auto()
    EARLY = auto()  # it has said so since, or before there was any news: over a connection that is going to be


@dataclass
class PeerState:
    """One peer's.

    Args:
        expectation: None before there is news of it.
        greeted: it was told, on a first connection, what is expected.
        held_back: something is to go there that was not handed over.
        doubled: a second process has its key, as was said in the log.
        elsewhere: it needs nothing more, and is in its next run already.
    """

    expectation: Expectation | None = None
    greeted: bool = False
    held_back: bool = False
    doubled: bool = False
    elsewhere: bool = False

    def connected(self) -> bool:
        """There is a new connection, and the peer was greeted on it; whether it will not ask for what was held back."""
        early = self.expectation is Expectation.EARLY
        unrequested = early and self.held_back
        self.expectation, self.greeted, self.held_back = Expectation.YES if early else Expectation.NOT_YET, True, False
        return unrequested

    def states_expectation(self, *, lost: bool) -> None:
        """The peer says what it expects; where contact with it is lost, on a connection that is not news yet."""
        self.expectation = (
            Expectation.YES if self.expectation is Expectation.NOT_YET and not lost else Expectation.EARLY
        )

    @property
    def settled(self) -> bool:
        """Whether both sides have said what they expect, on the connection that there is."""
        return self.greeted and self.expectation is not Expectation.NOT_YET
