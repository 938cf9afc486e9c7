"""The emulated network of `mpc run`, a process that the launcher starts: `python -m parties.processes.network.relay`.

Parties dial a port of the relay instead of each other, one for each pair. The relay carries each connection on to the
party behind the port, both ways, with the scenario's latency, jitter, bandwidth and cuts: bytes are late and no faster
than that, and the end of a stream or a reset follows them. The relay sees ciphertext only: the links' encryption is end
to end.
"""

from __future__ import annotations

import math
import os
import select
import selectors
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import Any, Final

from parties.base.reporter import Reporter
from parties.processes.network.delay_line import Conditions, DelayLine, End
from parties.processes.party.lifeline import Lifeline, die_with_parent

NAME: Final = "network-relay"
"""Its name among processes; no party can have one with a hyphen."""

_BACKLOG: Final = 4096  # clients of a sum dial all at once
_LONGEST_WAIT: Final = 3600.0  # the system refuses longer timeouts
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def main() -> None:
    """Lay the links, report where each party is to dial which others, and carry bytes until the launcher says so."""
    die_with_parent()
    reporter = Reporter.to_launcher()
    said, says = os.pipe()
    lifeline = Lifeline(on_line=lambda: os.write(says, b"."))
    links = [(dialler, target, _conditions(fields)) for dialler, target, fields in lifeline.order()["links"]]
    listening = lifeline.peers()
    relay = Relay()
    relay.watch(said, lambda: relay.hear(lifeline.news()))
    peers: dict[str, dict[str, str]] = {name: {} for name in listening}
    for dialler, target, conditions in links:
        if (where := listening[target]) is not None:
            peers[dialler][target] = relay.lay(where, conditions, (dialler, target))
    reporter.done({"peers": peers})
    while True:
        relay.turn(None)


def _conditions(fields: Mapping[str, Any]) -> Conditions:
    """A link's conditions in the launcher's order; a malformed order ends the process."""
    bandwidth = fields["bandwidth"]
    return Conditions(
        float(fields["latency"]),
        None if bandwidth is None else float(bandwidth),
        float(fields["jitter"]),
        tuple((float(start), float(end)) for start, end in fields["cuts"]),
        int(fields["seed"]),
    )


def _address(endpoint: str) -> tuple[socket.AddressFamily, Any]:
    """The numeric address of a ZeroMQ endpoint, for a socket."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return found[0][0], found[0][4]


@dataclass
class _Pair:
    """The link of two parties: where it leads, what it is like, and its connections."""

    target: str
    conditions: Conditions
    name: str
    links: set[_Link] = field(default_factory=set)
    lines: int = 0

    def line(self, began: float) -> DelayLine:
        """One direction of a new connection."""
        self.lines += 1
        return DelayLine(self.conditions, began, f"{self.name}/{self.lines}")


class Relay:
    """Listens in the parties' stead and carries every connection on to them. The links are laid when it is made."""

    def __init__(self) -> None:
        self._began = monotonic()
        self._selector = selectors.DefaultSelector()
        self._links: set[_Link] = set()
        self._pairs: dict[frozenset[str], _Pair] = {}
        self._listeners: list[socket.socket] = []

    def watch(self, descriptor: int, act: Callable[[], None]) -> None:
        """Call `act` whenever there is something to read, which is read."""

        def read(_mask: int) -> None:
            os.read(descriptor, 4096)
            act()

        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def hear(self, news: Iterable[Mapping[str, Any]]) -> None:
        """Do what the launcher says."""
        for one in news:
            if "cut" in one:
                self.break_off(frozenset(one["cut"]), float(one["seconds"]))

    def break_off(self, pair: frozenset[str], seconds: float) -> None:
        """Reset the connections of two parties; new ones carry nothing for so many seconds."""
        found = self._pairs.get(pair)
        if found is None:
            return
        now = monotonic() - self._began
        found.conditions = replace(found.conditions, cuts=(*found.conditions.cuts, (now, now + seconds)))
        for link in found.links & self._links:
            link.reset()
            self._links.discard(link)
        found.links.clear()

    def turn(self, patience: float | None) -> None:
        """Wait for work, or for `patience` seconds, and do it."""
        wake_at = min((link.wake_at for link in self._links), default=math.inf)
        if wake_at < math.inf:
            left = min(max(0.0, wake_at - monotonic()), _LONGEST_WAIT)
            patience = left if patience is None else min(left, patience)
        # The selector's timeout is rounded to milliseconds; select on its descriptor is exact.
        select.select([self._selector], [], [], patience)
        ready = self._selector.select(0)
        now = monotonic()
        for link in [link for link in self._links if link.wake_at <= now]:
            self._step(link)
        for key, mask in ready:
            key.data(mask)

    def close(self) -> None:
        """Reset all connections and listen no more."""
        for link in self._links:
            link.reset()
        for listener in self._listeners:
            listener.close()
        self._selector.close()

    def lay(self, target: str, conditions: Conditions, names: tuple[str, str] = ("", "")) -> str:
        """Lay a link.

        Args:
            target: where the party listens that it leads to.
            names: who dials whom, by which its jitter differs from another's, and it is found to be broken off.

        Returns:
            Where it is dialled.
        """
        listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        listener.setblocking(False)
        self._listeners.append(listener)
        pair = self._pairs[frozenset(names)] = _Pair(target, conditions, "-".join(names))
        self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener, pair))
        return f"tcp://127.0.0.1:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket, pair: _Pair, _mask: int) -> None:
        try:
            dialler, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # who dialled has left again
        family, address = _address(pair.target)
        dialled = socket.socket(family)
        for each in (dialler, dialled):
            each.setblocking(False)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Failure shows when the socket is read or written, as every later loss does.
        dialled.connect_ex(address)
        link = _Link(self._selector, dialler, dialled, pair.line(self._began), pair.line(self._began))
        pair.links &= self._links
        pair.links.add(link)
        self._links.add(link)
        link.start(self._serve)

    def _serve(self, link: _Link, end: socket.socket, mask: int) -> None:
        if link in self._links:
            link.ready(end, mask)
            self._step(link)

    def _step(self, link: _Link) -> None:
        link.step(monotonic())
        if link.over:
            self._links.discard(link)


class _Flow:
    """One direction of a link: from a socket through a delay line to a socket."""

    def __init__(self, source: socket.socket, target: socket.socket, line: DelayLine, *, blocked: bool) -> None:
        self.source = source
        self.target = target
        self.line = line
        self.blocked = blocked
        self.closed = False

    def take(self, now: float) -> None:
        """Read as many bytes as the line takes; the end of the stream and its loss go through the line, too."""
        room = self.line.room(now)
        if not room:
            return
        try:
            data = self.source.recv(room)
        except BlockingIOError:
            return
        except OSError:
            self.line.finish(now, End.RESET)
            return
        if data:
            self.line.put(now, data)
        else:
            self.line.finish(now, End.CLOSED)

    def give(self, now: float) -> End | None:
        """Write the bytes that have arrived, as far as the target takes them, then the stream's end.

        Raises:
            OSError: the target is gone.
        """
        while not self.blocked and (packets := self.line.due(now)):
            try:
                self.line.gave(self.target.sendmsg(packets))
            except BlockingIOError:
                self.blocked = True
        end = self.line.take_end(now)
        if end is End.CLOSED:
            self.closed = True
            self.target.shutdown(socket.SHUT_WR)
        return end

    def give_up(self) -> None:
        """The target is gone."""
        self.line.drop()
        self.closed, self.blocked = True, False

    def wake_at(self, now: float) -> float:
        """The time of the next work that no socket signals."""
        return min(math.inf if self.blocked else self.line.arrival(), self.line.room_at(now))


class _Link:
    """A party's connection and its continuation to the other party, until both directions have ended.

    Attributes:
        over: whether its sockets are closed.
        wake_at: when `step` is to be called, whatever the sockets do.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        dialler: socket.socket,
        dialled: socket.socket,
        there: DelayLine,
        back: DelayLine,
    ) -> None:
        self.over = False
        self.wake_at = math.inf
        self._selector = selector
        # The dialled side is not connected yet; it will then become writable.
        self._there = _Flow(dialler, dialled, there, blocked=True)
        self._back = _Flow(dialled, dialler, back, blocked=False)
        self._callbacks: dict[socket.socket, Callable[[int], None]] = {}

    def start(self, serve: Callable[[_Link, socket.socket, int], None]) -> None:
        """Watch both sockets; the selector's events are passed to `serve`."""
        self._callbacks = {end: partial(serve, self, end) for end in (self._there.source, self._back.source)}
        self.step(monotonic())

    def ready(self, end: socket.socket, mask: int) -> None:
        """A socket can be read or written."""
        for flow in (self._there, self._back):
            if flow.source is end and mask & selectors.EVENT_READ:
                flow.take(monotonic())
            if flow.target is end and mask & selectors.EVENT_WRITE:
                flow.blocked = False

    def step(self, now: float) -> None:
        """Pass on arrived bytes and ends, and compute what to wait for next."""
        ends = {self._give(self._there, self._back, now), self._give(self._back, self._there, now)}
        if End.RESET in ends:
            self.reset()
        elif self._there.closed and self._back.closed:
            self._close()
        else:
            self._watch(self._there, self._back, now)
            self._watch(self._back, self._there, now)
            self.wake_at = min(self._there.wake_at(now), self._back.wake_at(now))

    def reset(self) -> None:
        """Tell both sides at once that the connection is lost."""
        for end in self._callbacks:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._close()

    def _close(self) -> None:
        for end in self._callbacks:
            if end in self._selector.get_map():
                self._selector.unregister(end)
            end.close()
        self.over = True

    def _give(self, flow: _Flow, other: _Flow, now: float) -> End | None:
        try:
            return flow.give(now)
        except OSError:
            # The source learns of the loss of the target a latency later.
            flow.give_up()
            other.line.finish(now, End.RESET)
            return None

    def _watch(self, flow: _Flow, other: _Flow, now: float) -> None:
        """Update the selector's events for the socket that `flow` reads and `other` writes."""
        wanted = selectors.EVENT_READ * bool(flow.line.room(now)) | selectors.EVENT_WRITE * other.blocked
        key = self._selector.get_map().get(flow.source)
        if key is None:
            if wanted:
                self._selector.register(flow.source, wanted, self._callbacks[flow.source])
        elif not wanted:
            self._selector.unregister(flow.source)
        elif wanted != key.events:
            self._selector.modify(flow.source, wanted, self._callbacks[flow.source])


if __name__ == "__main__":
    main()
