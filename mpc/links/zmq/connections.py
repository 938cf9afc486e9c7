"""The connections at a listening socket: by descriptor, by route, and those of each peer."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpc.links.zmq.messages import Assembler
from mpc.links.zmq.meter import Account


@dataclass(eq=False, slots=True)
class Connection:
    """One connection, and whose it is, once it said something."""

    number: int  # as many had begun here, with this one
    account: Account
    address: str  # of the machine at the other end
    peer: str = ""
    user: str = ""  # the `User-Id` of its messages
    route: bytes = b""  # where ZeroMQ has it
    frames: Assembler = field(default_factory=Assembler)
    heard: int = 0  # messages, as long as it is a newcomer


@dataclass
class Connections:
    """All of them.

    Attributes:
        by_descriptor: every one that has not ended.
        by_route: those that said something, and were not let go.
        current: the one of each peer that is heard.
        newcomers: another one under the same key, if there is one.
        waiting: messages to peers of which none is heard yet.
    """

    by_descriptor: dict[int, Connection] = field(default_factory=dict)
    by_route: dict[bytes, Connection] = field(default_factory=dict)
    current: dict[str, Connection] = field(default_factory=dict)
    newcomers: dict[str, Connection] = field(default_factory=dict)
    waiting: dict[str, list[bytes]] = field(default_factory=dict)

    def at(self, descriptor: int, number: int) -> Connection | None:
        """The connection of a message that was let in as the `number`-th had begun; None if that one has ended."""
        connection = self.by_descriptor.get(descriptor)
        return connection if connection is not None and connection.number <= number else None

    def end_route(self, connection: Connection) -> None:
        """Take nothing more by a connection's route, unless it is another one's by now."""
        if self.by_route.get(connection.route) is connection:
            del self.by_route[connection.route]
