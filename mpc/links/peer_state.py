"""A channel's state of a peer over connections: whether both sides have said which frame they expect; its messages."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from mpc.links.session import Delivered


class Expectation(Enum):
    """Whether a peer has said which frame it expects, on the latest connection of which there was news here."""

    NOT_YET = auto()
    YES = auto()
    EARLY = auto()  # it has said so since, or before there was any news: over a connection that is going to be


@dataclass
class PeerState:
    """One peer's state.

    Args:
        expectation: None before there is news of it.
        greeted: whether it was told, on a first connection, which frame is expected.
        held_back: whether a frame for it was not handed over yet.
        doubled: whether a second process has its key, as the log says.
        elsewhere: whether it needs nothing more, and is in its next run already.
        inbox: its messages that nobody has taken yet.
    """

    expectation: Expectation | None = None
    greeted: bool = False
    held_back: bool = False
    doubled: bool = False
    elsewhere: bool = False
    inbox: deque[Delivered] = field(default_factory=deque)

    def connected(self) -> bool:
        """Note a new connection on which the peer was greeted; whether it will not ask for what was held back."""
        early = self.expectation is Expectation.EARLY
        unrequested = early and self.held_back
        self.expectation, self.greeted, self.held_back = Expectation.YES if early else Expectation.NOT_YET, True, False
        return unrequested

    def states_expectation(self, *, lost: bool) -> None:
        """Note that the peer says which frame it expects; if contact is lost, on a connection that is not news yet."""
        self.expectation = (
            Expectation.YES if self.expectation is Expectation.NOT_YET and not lost else Expectation.EARLY
        )

    @property
    def settled(self) -> bool:
        """Whether both sides have said which frame they expect, on the present connection."""
        return self.greeted and self.expectation is not Expectation.NOT_YET
