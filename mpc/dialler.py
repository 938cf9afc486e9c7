"""Connections to the peers that one dials: a socket for each, dialled anew where ZeroMQ gives up."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any

import zmq

from mpc.bell import Bell
from mpc.curve import Curve
from mpc.errors import UsageError
from mpc.network import Connected, Disconnected, Event, Refused, Unanswered, Unshaken
from mpc.probe import DOCTORS_ROUTE
from mpc.zmq_messages import AWAITED_SECONDS, NO_WAIT, WAIT, hand_over, has_come, next_news, take_over

_CONNECT_MS = 3000  # then TCP's next attempt is a new one: its own ones are ever further apart
_REDIAL_SECONDS = 0.25  # ZeroMQ itself tries again at once, if at all
_GLANCE = 16  # so much news of a connection between two looks for the peers' frames
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_WATCHED = (
    zmq.EVENT_CLOSED  # an attempt to connect failed
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | _REFUSED
)


class Dialler:
    """The sockets of those who are dialled.

    Args:
        curve: makes the sockets.
        bell: is to ring for them.
        events: where what comes and happens is put.
        doctor: whether this is the party's doctor (`transport.Transport`).
    """

    def __init__(self, curve: Curve, bell: Bell, events: deque[Event], *, doctor: bool) -> None:
        self._curve = curve
        self._bell = bell
        self._events = events
        self._doctor = doctor
        self._endpoints: dict[str, str] = {}
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self._peers: dict[Any, str] = {}
        self._monitors: dict[Any, str] = {}
        self._dead: dict[str, float] = {}  # connections that ZeroMQ has given up, and when to dial again
        self._refusing: set[str] = set()
        self._shaken: set[str] = set()

    def __contains__(self, peer: str) -> bool:
        return peer in self._sockets

    def dial(self, peer: str, endpoint: str) -> None:
        """Connect to a peer, and again whenever the connection breaks; an earlier call for the peer counts no more."""
        self._hang_up(peer)
        socket = self._curve.dialling(peer)
        socket.connect_timeout = _CONNECT_MS
        socket.rcvtimeo = round(1000 * AWAITED_SECONDS)
        if self._doctor:
            socket.routing_id = DOCTORS_ROUTE + os.urandom(8)
        socket.reconnect_ivl = 50
        socket.reconnect_ivl_max = 1000
        monitor = socket.get_monitor_socket(_WATCHED)
        self._monitors[monitor] = peer
        self._endpoints[peer] = endpoint
        self._sockets[peer] = socket
        self._peers[socket] = peer
        self._bell.watch(monitor)
        self._bell.watch(socket)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(f"the address of {peer}, {endpoint}, cannot be dialled: {error.strerror}") from error

    def redial(self, now: float) -> float:
        """Dial those anew that ZeroMQ does not: it gives up a peer for good that once sent what makes no sense.

        One altered byte on the way is enough for that. What was handed to the old socket is lost, as in any cut: the
        session sends it again.

        Returns:
            When to call this again.
        """
        if not self._dead:
            return float("inf")
        for peer in [peer for peer, when in self._dead.items() if when <= now]:
            self.dial(peer, self._endpoints[peer])
        return min(self._dead.values(), default=float("inf"))

    def send(self, peer: str, parts: list[Any]) -> None:
        """Hand a message over; it is held until the peer is connected."""
        try:
            hand_over(self._sockets[peer], parts)
        except zmq.Again:
            # A peer that refused us has no queue any more, and ZeroMQ would wait for one without end: the news of the
            # refusal is on its way. All others always have one, for queues have no limit.
            return

    def take(self) -> bool:
        """Take a frame that came, if there is one; if not, all sockets are empty after this."""
        return any(self._take(socket, peer) for socket, peer in self._peers.items())

    def take_soon(self, peer: str) -> bool:
        """Take the peer's next frame, if it comes within `AWAITED_SECONDS`; if not, its socket is empty after this."""
        return self._receive(self._sockets[peer], peer, WAIT)

    def serve(self, socket: Any) -> None:
        """Take all that has come at one of its sockets; nothing if it was hung up meanwhile."""
        if socket in self._monitors:
            peer = self._monitors[socket]
            self._drain(self._sockets[peer], peer)
            if self._observe(socket, peer):
                self._bell.again(socket)
        elif socket in self._peers:
            self._drain(socket, self._peers[socket])

    def close(self, linger_seconds: float) -> None:
        """Close the sockets; what was handed over has so long to leave."""
        for monitor in self._monitors:
            monitor.close(0)
        for peer, socket in self._sockets.items():
            # A refused connection never sends what is queued for it, and ZeroMQ would wait for that without end.
            socket.close(0 if peer in self._refusing else round(linger_seconds * 1000))

    def _hang_up(self, peer: str) -> None:
        self._dead.pop(peer, None)
        socket = self._sockets.pop(peer, None)
        if socket is None:
            return
        monitor = next(monitor for monitor, name in self._monitors.items() if name == peer)
        del self._monitors[monitor], self._peers[socket]
        for old in (monitor, socket):
            self._bell.forget(old)
            old.close(0)

    def _take(self, socket: Any, peer: str) -> bool:
        return has_come(socket) and self._receive(socket, peer, NO_WAIT)

    def _receive(self, socket: Any, peer: str, flags: int) -> bool:
        try:
            first = socket.recv(flags, copy=False)
        except zmq.Again:  # also where there was one, if its connection ended in this moment
            return False
        self._events.append(take_over(socket, first, peer))
        return True

    def _drain(self, socket: Any, peer: str) -> None:
        while self._take(socket, peer):
            pass

    def _observe(self, monitor: Any, peer: str) -> bool:
        """Take news of a connection; whether there may be more."""
        for _ in range(_GLANCE):
            news = next_news(monitor)
            if news is None:
                return False
            self._heard(news[0], peer)
        return True

    def _heard(self, event: int, peer: str) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._shaken.add(peer)
            self._events.append(Connected(peer))
        elif event == zmq.EVENT_DISCONNECTED:
            self._events.append(Disconnected(peer) if peer in self._shaken else Unshaken(peer))
            self._shaken.discard(peer)
            if peer not in self._refusing:
                self._dead[peer] = time.monotonic() + _REDIAL_SECONDS
        elif event == zmq.EVENT_CONNECT_RETRIED:
            self._dead.pop(peer, None)
        elif event == zmq.EVENT_CLOSED:
            self._events.append(Unanswered(peer))
        elif event == _REFUSED:
            self._refusing.add(peer)
            self._events.append(Refused(peer))
