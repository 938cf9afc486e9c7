"""What a channel needs of a network: frames that go and come, what happens to connections, and the time.

`transport.Transport` is the real one, over ZeroMQ; the test kit has one in virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mpc.session import Frame


class Came(NamedTuple):
    """A frame from a peer. (A tuple: one is made in every round, and a dataclass takes three times as long.)"""

    peer: str
    head: memoryview
    body: memoryview


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection with a peer stands (again)."""

    peer: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection with a peer is gone: closed, or silent for too long."""

    peer: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A peer that we dialled does not admit our key (or is not who we took it for)."""

    peer: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody with a key that is not on the allow-list was turned away: how its public text begins."""

    key: str


@dataclass(frozen=True, slots=True)
class Unshaken:
    """A connection ended before both sides knew each other: one that we dialled, or one at our port (peer None)."""

    peer: str | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nobody answers at the address of a peer that we dial."""

    peer: str


@dataclass(frozen=True, slots=True)
class Overlong:
    """A peer sends a payload that is longer than it may be (`Network.allow`); nothing of it was kept."""

    peer: str


Event = Came | Connected | Disconnected | Refused | Stranger | Unshaken | Unanswered | Overlong


class Network(Protocol):
    """One party's end of a network."""

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over; never blocks. It may be lost if the connection breaks."""

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        """The next event, or None if nothing happens for so long.

        Args:
            awaited: a peer whose frame is likely to be next; other events may be told a moment later for it.
        """

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def allow(self, peer: str, nbytes: int) -> None:
        """Take no payload of this peer that is longer than so many bytes, from now on; `Overlong` tells of one."""
