"""The interface of a network for a channel: frames, news of connections, and the time.

`transport.Transport` is the real one, over ZeroMQ; the test kit has one in virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mpc.links.session import Frame


class Came(NamedTuple):
    """A frame from a peer. (A tuple: one is made in every round, and a dataclass takes three times as long.)

    Args:
        newcomer: whether it came by another connection than the one of the peer that is heard (`Network.adopt`).
    """

    peer: str
    head: memoryview
    body: memoryview
    newcomer: bool = False


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
    """A dialled peer does not admit our key (or has another key than expected)."""

    peer: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """A key that is not on the allow-list was refused: the beginning of its public text, and the address."""

    key: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Unshaken:
    """A connection ended before both sides knew each other: one that we dialled, or one at our port (peer None).

    At our port: from where it came, if that is known.
    """

    peer: str | None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nobody answers at the address of a peer that we dial."""

    peer: str


@dataclass(frozen=True, slots=True)
class Overfull:
    """A peer's connection was shut, since more of it was held than any run needs."""

    peer: str


@dataclass(frozen=True, slots=True)
class Overlong:
    """A peer sends a payload that is longer than it may be (`Network.allow`); nothing of it was kept."""

    peer: str


Event = Came | Connected | Disconnected | Refused | Stranger | Unshaken | Unanswered | Overlong | Overfull


class Network(Protocol):
    """One party's end of a network."""

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over; never blocks. It may be lost if the connection breaks."""

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        """The next event, or None if nothing happens for so long.

        Args:
            awaited: a peer whose frame is likely to be next; other events may come a moment later for it.
        """

    def adopt(self, peer: str) -> None:
        """Hear a peer's newcomer from now on: the other connection of that key is shut. `Connected` follows."""

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Send a peer's newcomer a last frame."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def allow(self, peer: str, nbytes: int) -> None:
        """Take no payload of this peer that is longer than so many bytes, from now on; one gives `Overlong`."""
