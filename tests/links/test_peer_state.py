"""When a channel waits at one peer's socket alone: only once both have said what they expect, on this connection.

Before that a frame that is told ahead of the news of its connection would make it send again what need not be.
"""

from __future__ import annotations

from collections import deque

from mpc.links.channel import Channel, Limits
from mpc.links.network import Came, Connected, Disconnected, Event
from mpc.links.session import Frame, Link
from mpc.links.wire import label_code
from mpc.runtime.trace import Trace
from tests.links.pairs import KEY

LIMITS = Limits(connect=15.0, deadline=15.0, patience=60.0)


class Scripted:
    """A network that tells what it was given to tell, and notes at which peer each poll waits."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.awaited: list[str | None] = []

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        self.awaited.append(awaited)
        return self.events.popleft()

    def send(self, peer: str, frame: Frame) -> None: ...

    def adopt(self, peer: str) -> None: ...

    def turn_away(self, peer: str, frame: Frame) -> None: ...

    def allow(self, peer: str, nbytes: int) -> None: ...

    def now(self) -> float:
        return 0.0


def came(frame: Frame) -> Came:
    return Came("b", memoryview(frame.head), memoryview(frame.body))


def polls(channel: Channel, network: Scripted, *events: Event) -> list[str | None]:
    """At which peer's socket each of the polls waits by which these are told, the last of them b's message."""
    network.events.extend(events)
    network.awaited.clear()
    assert bytes(channel.pull("b", "hello")) == b"here"
    return network.awaited


def test_one_socket_is_polled_once_both_state_expectations() -> None:
    network, b = Scripted(), Link("b", "a")
    channel = Channel("a", ["b"], network, LIMITS, Trace(lambda *_: None), lambda _: None)
    b.rekey(KEY)
    channel.rekey("b", KEY)
    data = [came(b.data(label_code("hello"), b"here")) for _ in range(3)]
    first, again, early = (came(b.resume(first=not number)) for number in range(3))
    assert polls(channel, network, Connected("b"), first, data[0]) == [None, None, "b"]
    lost = polls(channel, network, Disconnected("b"), Connected("b"), again, data[1])
    assert lost == ["b", None, None, "b"], "what b says counts for the connection that it came by"
    # What b says comes before the news of the connection that it takes.
    assert polls(channel, network, Disconnected("b"), early, Connected("b"), data[2])[-1] == "b"
