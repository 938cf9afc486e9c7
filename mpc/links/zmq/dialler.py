"""Connections to the peers that one dials: a socket for each connection, and a new one when that has ended.

ZeroMQ does not dial again by itself here. Its own socket would keep frames for the next connection, so that an attacker
who cuts each one makes this side hold ever more; and it gives up a peer for good after one malformed message, for
which one altered byte on the wire is enough. What was handed to a connection that broke is lost, as in any
cut: the session sends it again.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import zmq

from mpc.errors import UsageError
from mpc.links.network import Came, Connected, Disconnected, Event, Overfull, Overlong, Refused, Unanswered, Unshaken
from mpc.links.probe import DOCTORS_ROUTE
from mpc.links.session import Frame
from mpc.links.zmq.curve import HELD_BYTES, TURN_MESSAGES, Curve
from mpc.links.zmq.messages import (
    AWAITED_SECONDS,
    LONGEST,
    NO_WAIT,
    WAIT,
    Assembler,
    TooLong,
    hand_over,
    has_message,
    messages_of,
    pass_over,
)
from mpc.links.zmq.meter import Account, Meter, shut
from mpc.links.zmq.news import monitor_of, next_news
from mpc.links.zmq.poller import Poller

_CONNECT_MS: Final = 3000  # then TCP's next attempt is a new one: its own ones are ever further apart
_REDIAL_SECONDS: Final = (0.05, 1.0)  # after the first attempt in vain, and at most; twice as long after each
_GLANCE: Final = 16  # so much news of a connection between two looks for the peers' frames
# ZeroMQ itself would dial again so much later. That it never does (-1) has it drop what came and was not taken yet.
_NEVER_MS: Final = 3_600_000
_REFUSED: Final = zmq.EVENT_HANDSHAKE_FAILED_AUTH
_WATCHED: Final = (
    zmq.EVENT_CLOSED  # an attempt to connect failed
    | zmq.EVENT_CONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | _REFUSED
)


@dataclass(eq=False, slots=True)
class _Dialled:
    """One peer that is dialled: where, and the socket of the connection that there is, or is to be."""

    peer: str
    endpoint: str
    socket: Any
    monitor: Any
    account: Account | None = None
    shaken: bool = False
    over: bool = False
    redial_at: float | None = None
    frames: Assembler = field(default_factory=Assembler)


class Dialler:
    """The sockets of those who are dialled.

    Args:
        curve: makes the sockets.
        poller: waits for them.
        events: takes frames and news.
        meter: watches how much is held of each connection.
        allowed: the longest payload that is taken from a peer, where one is set.
        doctor: whether this is the party's doctor (`transport.Transport`).
    """

    def __init__(
        self,
        curve: Curve,
        poller: Poller,
        events: deque[Event],
        meter: Meter,
        allowed: Mapping[str, int],
        *,
        doctor: bool,
    ) -> None:
        self._curve = curve
        self._poller = poller
        self._events = events
        self._meter = meter
        self._allowed = allowed
        self._doctor = doctor
        self._dialled: dict[str, _Dialled] = {}
        self.peers = self._dialled.keys()
        self._by_socket: dict[Any, _Dialled] = {}  # and by monitor
        self._sockets: tuple[_Dialled, ...] = ()
        self._waiting: dict[str, list[bytes]] = {}  # what was handed over since the peer was last connected
        self._refusing: set[str] = set()
        self._pauses: dict[str, float] = {}  # seconds before the next attempt

    def dial(self, peer: str, endpoint: str) -> None:
        """Connect to a peer, and again whenever the connection breaks; an earlier call for the peer counts no more."""
        self._hang_up(peer)
        socket = self._curve.dialling(peer)
        socket.connect_timeout = _CONNECT_MS
        socket.rcvtimeo = round(1000 * AWAITED_SECONDS)
        if self._doctor:
            socket.routing_id = DOCTORS_ROUTE + os.urandom(8)
        socket.reconnect_ivl = _NEVER_MS
        one = _Dialled(peer, endpoint, socket, monitor_of(socket, _WATCHED))
        self._dialled[peer] = self._by_socket[socket] = self._by_socket[one.monitor] = one
        self._sockets = tuple(self._dialled.values())
        self._poller.watch(one.monitor)
        self._poller.watch(socket)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(f"the address of {peer}, {endpoint}, cannot be dialled: {error.strerror}") from error
        self._hand_over(one, self._waiting.get(peer, []))

    def redial(self, now: float) -> float:
        """Dial again where a connection has ended or failed; returns when to call this again."""
        soonest = float("inf")
        for one in self._sockets:
            if one.redial_at is None:
                continue
            if one.redial_at <= now:
                self.dial(one.peer, one.endpoint)
            else:
                soonest = min(soonest, one.redial_at)
        return soonest

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over; it is held until the peer is connected."""
        one, messages = self._dialled[peer], messages_of(frame)
        if not one.shaken:
            messages = list(messages)
            self._waiting.setdefault(peer, []).extend(messages)
        self._hand_over(one, messages)

    def take(self) -> bool:
        """Take a message that came, if there is one; if not, all sockets are empty after this."""
        return any(self._take(one) for one in self._sockets)

    def take_soon(self, peer: str) -> bool:
        """Take the peer's next message, if one comes within `AWAITED_SECONDS`; if not, its socket is empty now."""
        return self._receive(self._dialled[peer], WAIT)

    def serve(self, socket: Any, now: float) -> None:
        """Take all that has come at one of its sockets; nothing if it was hung up meanwhile."""
        one = self._by_socket.get(socket)
        if one is None:
            return
        if all(self._take(one) for _ in range(TURN_MESSAGES)):
            self._poller.again(one.socket)  # a peer that sends faster than this takes would keep it here for good
        if socket is one.monitor and self._observe(one, now):
            self._poller.again(socket)

    def close(self, linger_seconds: float) -> None:
        """Close the sockets; what was handed over has so long to leave."""
        for one in self._sockets:
            one.monitor.close(0)
            # A refused connection never sends what is queued for it, and ZeroMQ would wait for that without end.
            refused = one.peer in self._refusing
            one.socket.close(0 if refused or not one.shaken else round(linger_seconds * 1000))

    def _hang_up(self, peer: str) -> None:
        one = self._dialled.pop(peer, None)
        if one is None:
            return
        if one.account is not None:
            self._meter.forget(one.account)
        for old in (one.monitor, one.socket):
            del self._by_socket[old]
            self._poller.forget(old)
            old.close(0)

    def _hand_over(self, one: _Dialled, messages: Iterable[bytes]) -> None:
        try:
            for message in messages:
                hand_over(one.socket, message, NO_WAIT)
        except zmq.Again:
            return  # the connection has ended, and the news of that is on its way: queues have no limit

    def _take(self, one: _Dialled) -> bool:
        return has_message(one.socket) and self._receive(one, NO_WAIT)

    def _receive(self, one: _Dialled, flags: int) -> bool:
        try:
            message = one.socket.recv(flags, False)
        except zmq.Again:  # also where there was one, if its connection ended in this moment
            return False
        buffer, account = message.buffer, self._watch(one, message.get(zmq.SRCFD))
        account.took(len(buffer))
        if message.more:  # our messages have one part
            pass_over(one.socket, message)
            self._observe(one, time.monotonic())
            if not one.over:  # else its descriptor may be another connection's by now
                shut(account)
            return True
        try:
            whole = one.frames.take(buffer, self._allowed.get(one.peer, LONGEST))
        except TooLong:
            self._events.append(Overlong(one.peer))
            return True
        if whole is not None:
            self._events.append(Came(one.peer, *whole))
        return True

    def _watch(self, one: _Dialled, descriptor: int) -> Account:
        """Open the connection's account; its first message may come before the news of it."""
        if one.account is None:
            one.account = self._meter.watch(descriptor, HELD_BYTES)
        return one.account

    def _observe(self, one: _Dialled, now: float) -> bool:
        """Take news of a connection; returns whether there may be more."""
        for _ in range(_GLANCE):
            news = next_news(one.monitor)
            if news is None:
                return False
            self._heard(one, *news, now)
        return True

    def _heard(self, one: _Dialled, event: int, value: int, now: float) -> None:
        peer = one.peer
        if event == zmq.EVENT_CONNECTED:
            self._watch(one, value)
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            one.shaken = True
            self._pauses.pop(peer, None)
            self._waiting.pop(peer, None)  # it is on its way
            self._events.append(Connected(peer))
        elif event == zmq.EVENT_DISCONNECTED:
            if one.account is not None and self._meter.forget(one.account):
                self._events.append(Overfull(peer))
            self._events.append(Disconnected(peer) if one.shaken else Unshaken(peer))
            self._ended(one, now)
        elif event == zmq.EVENT_CLOSED:
            self._events.append(Unanswered(peer))
            self._ended(one, now)
        elif event == _REFUSED:
            self._refusing.add(peer)
            self._events.append(Refused(peer))

    def _ended(self, one: _Dialled, now: float) -> None:
        """Note that a connection ended; it is dialled again after a pause, unless the peer refuses this party's key."""
        one.shaken, one.over = False, True
        if one.peer not in self._refusing:
            least, most = _REDIAL_SECONDS
            pause = self._pauses.get(one.peer, least)
            self._pauses[one.peer] = min(2 * pause, most)
            one.redial_at = now + pause
