"""The one effect of a protocol between a server and many clients: a stage, in which each client sends once.

A client awaits an `Exchange`: it sends, and waits for the server's next message. The server awaits a `Gather`: it sends
each client its message and takes what the clients answer, one by one as they come, until all did or the stage's
deadline has passed. Who drives them keeps the deadlines and knows who is who; a protocol has no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any

Take = Callable[[int, bytes], None]
ClientProgram = Coroutine["Exchange", bytes, Any]
ServerProgram = Coroutine["Gather", frozenset[int], Any]


@dataclass(frozen=True, eq=False)
class Exchange:
    """A client's stage; `await` gives the server's answer.

    Args:
        send: the message to the server.
        label: the stage's name; part of every frame.
        limit: the longest answer, in bytes, that is taken.
    """

    send: bytes
    label: str
    limit: int

    def __await__(self) -> Generator[Exchange, bytes, bytes]:
        answer = yield self
        return answer


@dataclass(frozen=True, eq=False)
class Gather:
    """The server's stage; `await` gives the clients whose messages were taken.

    Args:
        send: client -> the answer to its last message; other clients get none.
        expect: the clients that may send a message now.
        quorum: with fewer, the stage fails (TooFewError).
        label: the stage's name.
        limit: the longest message, in bytes, that is taken.
        take: called with each message as it comes. A ProtocolError that it raises is the client's fault: the client
            counts as dropped from then on.
    """

    send: Mapping[int, bytes]
    expect: Collection[int]
    quorum: int
    label: str
    limit: int
    take: Take

    def __await__(self) -> Generator[Gather, frozenset[int], frozenset[int]]:
        answered = yield self
        return answered
