"""Frames between processes, over ZeroMQ with CURVE.

A party has at most one listening socket, and dials each peer that does not dial it. Every socket is encrypted, and a
listener admits only the keys on its allow-list: it answers ZeroMQ's authentication requests itself. The sender of a
frame is the key that its connection was authenticated with, never a routing id or a name inside the frame.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar

from mpc.links.network import Event
from mpc.links.session import Frame
from mpc.links.zmq.curve import TURN_MESSAGES, Curve, Identity
from mpc.links.zmq.dialler import Dialler
from mpc.links.zmq.listener import Listener
from mpc.links.zmq.messages import AWAITED_SECONDS
from mpc.links.zmq.meter import Meter
from mpc.links.zmq.poller import Poller


class Transport:
    """One party's sockets.

    Args:
        me: this party's keys.
        peers: name -> public key (Z85) of every party it may talk to: the allow-list.
        listen: where to listen ("tcp://127.0.0.1:*" takes a free port), or None to dial only.
        doctor: whether this is the party's doctor. At a listener its connection is one of its own, called by the
            party's name and `probe.DOCTOR`, and takes neither the place nor the frames of the party's.

    Raises:
        UsageError: the address is in use or is not this machine's.
        InternalError: the allow-list is empty.
    """

    curve: ClassVar[type[Curve]] = Curve

    def __init__(self, me: Identity, peers: Mapping[str, bytes], listen: str | None, *, doctor: bool = False) -> None:
        self._curve = self.curve(me, peers)
        self._poller = Poller()
        self._looked = 0.0
        self._events: deque[Event] = deque()
        self._allowed: dict[str, int] = {}  # the longest payload that is taken from a peer
        self._meter = Meter()
        self._dialler = Dialler(self._curve, self._poller, self._events, self._meter, self._allowed, doctor=doctor)
        self._listener: Listener | None = None
        if listen is not None:
            try:
                self._listener = Listener(
                    self._curve, listen, self._poller, self._events, self._meter, self._allowed, self._dialler.peers
                )
            except BaseException:
                self.close(0)
                raise
        self.endpoint = self._listener.endpoint if self._listener is not None else None

    def dial(self, peer: str, endpoint: str) -> None:
        """Connect to a peer, and again whenever the connection breaks; an earlier call for the peer counts no more."""
        self._dialler.dial(peer, endpoint)

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame to ZeroMQ, which holds it until the peer is connected. Never blocks."""
        if peer in self._dialler.peers:
            self._dialler.send(peer, frame)
        elif self._listener is not None:
            self._listener.send(peer, frame)

    def adopt(self, peer: str) -> None:
        """Hear a peer's newcomer from now on: the other connection of that key is shut. `Connected` follows."""
        if self._listener is not None:
            self._listener.adopt(peer)

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Send a peer's newcomer a last frame."""
        if self._listener is not None:
            self._listener.turn_away(peer, frame)

    def allow(self, peer: str, nbytes: int) -> None:
        """Take no payload of this peer that is longer than so many bytes, from now on."""
        self._allowed[peer] = nbytes

    now = staticmethod(time.monotonic)  # asked for several times a round

    def poll(self, seconds: float, awaited: str | None = None) -> Event | None:
        """The next event, or None if nothing happens for so long.

        Args:
            awaited: a peer whose frame is likely to be next. For `AWAITED_SECONDS` at a time ZeroMQ itself waits for
                it, at that peer's socket alone, which costs half of what it does to wait at all of them.
        """
        events = self._events
        if not events:
            now = time.monotonic()
            looked = now - self._looked <= AWAITED_SECONDS
            if awaited is not None and looked and seconds > AWAITED_SECONDS:
                if awaited in self._dialler.peers:
                    self._dialler.take_soon(awaited)
                elif self._listener is not None:
                    self._listener.take_soon()
                if events:
                    return events.popleft()
            empty = False
            for _ in range(TURN_MESSAGES):
                if events or (empty := not self._take_message()):
                    break
            if not (events and looked):
                self._look_around(now, seconds if empty else 0.0)
        return events.popleft() if events else None

    def close(self, linger_seconds: float) -> None:
        """Close all sockets; what was handed over has so long to leave."""
        self._dialler.close(linger_seconds)
        if self._listener is not None:
            self._listener.close(linger_seconds)
        self._meter.close()
        self._curve.close(linger_seconds)

    def _take_message(self) -> bool:
        """Take a message that is there, if there is one; if not, all sockets that messages come at are empty now."""
        return (self._listener is not None and self._listener.take()) or self._dialler.take()

    def _look_around(self, now: float, seconds: float) -> None:
        """Serve all sockets; wait for something to happen, at most so long.

        The wait blocks at once. A process that polls and yields first gives its core to any other program that wants
        it, and gets it back late; a process that sleeps comes first when it wakes.
        """
        self._looked = now
        end = now + seconds
        while True:
            wake = min(end, self._dialler.redial(now))
            if self._listener is not None:
                wake = min(wake, self._listener.look(now))
            rang = self._poller.wait(0.0 if self._events else max(0.0, wake - now))
            for socket in rang:
                self._serve(socket)
            if self._events:
                return
            now = time.monotonic()
            if now >= end:  # whoever sends what is not taken keeps ringing
                return

    def _serve(self, socket: Any) -> None:
        """Take all that has come at a socket."""
        if self._listener is None or not self._listener.serve(socket):
            self._dialler.serve(socket, time.monotonic())
