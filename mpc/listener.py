"""A party's one listening socket: who came in, by its key, and the frames that go and come there."""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import Any

import zmq

from mpc.bell import Bell
from mpc.curve import Curve
from mpc.errors import UsageError
from mpc.gate import Gate
from mpc.network import Connected, Disconnected, Event, Stranger, Unshaken
from mpc.probe import DOCTOR, DOCTORS_ROUTE
from mpc.zmq_messages import AWAITED_SECONDS, MORE, NO_WAIT, WAIT, hand_over, has_come, next_news, pass_over, take_over

_BACKLOG = 1024  # connections that wait to be taken, while somebody floods the port
_GLANCE = 16  # so many connections of strangers may come and go between two looks for a peer's frames
# Not EVENT_HANDSHAKE_FAILED_PROTOCOL: where libzmq 4.3.5 reports it, a frame that cannot be decrypted leaves the
# connection silent until the heartbeats end it, instead of closing it at once.
_WATCHED = zmq.EVENT_LISTENING | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED


class Listener:
    """The socket, ZeroMQ's questions about who may connect there, and what its monitor tells.

    Args:
        curve: makes the socket, and knows whom to admit.
        endpoint: where to listen ("tcp://127.0.0.1:*" takes a free port).
        bell: is to ring for its sockets.
        events: where what comes and happens is put.

    Raises:
        UsageError: the address is in use or is not this machine's.
    """

    def __init__(self, curve: Curve, endpoint: str, bell: Bell, events: deque[Event]) -> None:
        self._curve = curve
        self._bell = bell
        self._events = events
        self._routes: dict[str, bytes] = {}
        self._route_names: dict[bytes, str] = {}
        self._descriptors: dict[str, int] = {}
        self._replaced: set[int] = set()  # descriptors of connections that a newer one of the same peer replaced
        self._turned_away = 0  # connections of strangers whose end is still to come
        self._waiting: dict[str, list[list[Any]]] = {}
        self._gate: Gate | None = None
        self._questions = curve.questions()
        self._socket = curve.listening()
        self._socket.router_mandatory = True
        self._socket.backlog = _BACKLOG
        self._socket.rcvtimeo = round(1000 * AWAITED_SECONDS)
        self._monitor: Any = self._socket.get_monitor_socket(_WATCHED)
        for each in (self._questions, self._monitor, self._socket):
            bell.watch(each)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(
                f"cannot listen on {endpoint}: {error.strerror}", "free the port or choose another `address`"
            ) from error
        self._observe()  # it listens: from here on its gate can shut
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def send(self, peer: str, parts: list[Any]) -> None:
        """Hand a message over; it is held until the peer has connected."""
        if peer in self._routes:
            self._route(peer, parts)
        else:
            self._waiting.setdefault(peer, []).append(parts)

    def take(self) -> bool:
        """Take a frame that came, if there is one."""
        return has_come(self._socket) and self._receive(NO_WAIT)

    def take_soon(self) -> bool:
        """Take the next frame, if one comes within `AWAITED_SECONDS`; if not, the socket is empty after this."""
        return self._receive(WAIT)

    def _receive(self, flags: int) -> bool:
        try:
            identity = self._socket.recv(flags)
        except zmq.Again:  # also where there was one, if its connection ended in this moment
            return False
        first = self._socket.recv(copy=False)
        peer = self._route_names.get(identity) or self._admit(identity, first)
        if peer is not None and self._routes.get(peer) == identity:
            self._events.append(take_over(self._socket, first, peer))
        else:
            pass_over(self._socket, first)
        return True

    def serve(self, socket: Any) -> bool:
        """Take all that has come at one of its sockets; False if the socket is none of its."""
        if socket is self._questions:
            while self._questions.poll(0):
                self._answer()
        elif socket is self._socket:
            self._drain()
        elif socket is self._monitor:
            self._drain()  # what a peer sent before it left comes before the news that it left
            if self._observe(_GLANCE):
                self._bell.again(socket)
        else:
            return False
        return True

    def look(self, now: float) -> float:
        """Look after the gate; returns when to do so again."""
        return self._gate.look(now) if self._gate is not None and self._gate.shut else float("inf")

    def close(self, linger_seconds: float) -> None:
        """Close the sockets; what was handed over has so long to leave."""
        if self._gate is not None:
            self._gate.close()
        self._monitor.close(0)
        self._questions.close(0)
        self._socket.close(round(linger_seconds * 1000))

    def _drain(self) -> None:
        while self.take():
            pass

    def _admit(self, identity: bytes, first: zmq.Frame) -> str | None:
        """The peer behind a new connection, by the key it was authenticated with; it replaces an older connection.

        ZeroMQ's own routing ids begin with a zero byte and are never used twice, so a peer cannot take another's.
        """
        doctor = identity.startswith(DOCTORS_ROUTE)
        if not (doctor or identity[:1] == b"\0"):
            return None
        peer = self._curve.names.get(str(first.get("User-Id")))
        if peer is None:
            return None
        if doctor:
            peer += DOCTOR
        again = peer in self._routes
        self._observe()  # first the end of an older connection with the same descriptor
        self._route_names[identity] = peer  # older ones stay, so that their late frames do not take the peer back
        self._routes[peer] = identity
        if peer in self._descriptors:
            self._replaced.add(self._descriptors[peer])
        self._descriptors[peer] = int(first.get(zmq.SRCFD))
        if self._gate is not None:
            self._gate.known(self._descriptors[peer])
        if not doctor:
            self._events.append(Connected(peer))
        if not again:
            for waiting in self._waiting.pop(peer, []):
                self._route(peer, waiting)
        return peer

    def _route(self, peer: str, parts: list[Any]) -> None:
        try:
            self._socket.send(self._routes[peer], MORE)
            hand_over(self._socket, parts)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise  # a lost connection is no error here: the session sends the frame again after a reconnect

    def _answer(self) -> None:
        stranger = self._curve.answer(self._questions)
        if stranger is not None:
            self._turned_away += 1
            self._events.append(Stranger(stranger))

    def _observe(self, most: int | None = None) -> bool:
        """Take news of connections, at most so many; whether there may be more."""
        for _ in itertools.count() if most is None else range(most):
            news = next_news(self._monitor)
            if news is None:
                return False
            event, value = news
            if event == zmq.EVENT_LISTENING:
                self._gate = Gate(value)
            elif self._gate is not None and event == zmq.EVENT_ACCEPTED:
                self._gate.took(value, time.monotonic())
            elif self._gate is not None:
                self._gate.ended(value)
                self._left(value)
        return True

    def _left(self, descriptor: int) -> None:
        """A connection ended."""
        lost = [name for name, fd in self._descriptors.items() if fd == descriptor]
        for name in lost:
            del self._descriptors[name]
            self._events.append(Disconnected(name))
        if lost:
            return
        if descriptor in self._replaced:
            self._replaced.discard(descriptor)
        elif self._turned_away:
            self._turned_away -= 1
        else:
            self._events.append(Unshaken(None))
