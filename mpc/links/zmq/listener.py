"""A party's one listening socket: its connections, by key, and their frames."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

import zmq

from mpc.errors import UsageError
from mpc.links.network import Came, Connected, Disconnected, Event, Overfull, Overlong, Stranger, Unshaken
from mpc.links.probe import DOCTOR, DOCTORS_ROUTE
from mpc.links.session import Frame
from mpc.links.zmq.connections import Connection, Connections
from mpc.links.zmq.curve import HELD_BYTES, KEY_CHARS, TURN_MESSAGES, Curve
from mpc.links.zmq.gate import Gate
from mpc.links.zmq.messages import (
    AWAITED_SECONDS,
    LONGEST,
    MORE,
    NO_WAIT,
    WAIT,
    TooLong,
    hand_over,
    has_message,
    messages_of,
    pass_over,
)
from mpc.links.zmq.meter import Meter, shut
from mpc.links.zmq.news import News
from mpc.links.zmq.poller import Poller

_BACKLOG: Final = 1024  # connections that wait to be taken, while somebody floods the port
_GLANCE: Final = 16  # so many connections of strangers may come and go between two looks for a peer's frames
_UNHEARD_BYTES: Final = 1 << 21  # held of a connection that did not say who it is, or is not the one that is heard
_NEWCOMERS_MESSAGES: Final = 64  # of a newcomer; one that this side lets in needs two or three
_SILENT_SECONDS: Final = 4.0  # who has a listed key says something at once, or is shut out
# Not EVENT_HANDSHAKE_FAILED_PROTOCOL: where libzmq 4.3.5 reports it, a frame that cannot be decrypted leaves the
# connection silent until the heartbeats end it, instead of closing it at once.
_WATCHED: Final = zmq.EVENT_LISTENING | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_DROPPABLE: Final = (zmq.EHOSTUNREACH, zmq.EAGAIN)


class Listener:
    """The socket, ZeroMQ's questions about who may connect there, and what its monitor tells.

    News and messages come by different ways, and both name a connection by its descriptor, which the next connection
    gets when this one has ended. A message may be taken only when that has happened. So every message bears a number
    besides: how many connections had begun when its own was let in. The descriptor's connection is the message's if it
    was one of these; if not, the message's connection has ended, and the message is dropped.

    Every message is its key's, whatever routing id it comes by: a client chooses its own, also one that was another's.
    One connection of a key is heard. Another one under the same key is a newcomer: whoever takes the frames says
    whether it is the same process, whose old connection broke unnoticed, and lets it in (`adopt`).

    Args:
        curve: makes the socket, and knows whom to admit.
        endpoint: where to listen ("tcp://127.0.0.1:*" takes a free port).
        poller: waits for its sockets.
        events: takes frames and news.
        meter: watches how much is held of each connection.
        allowed: the longest payload that is taken from a peer, where one is set.
        dialled: peers that this party dials: connections with their keys are refused here.

    Raises:
        UsageError: the address is in use or is not this machine's.
    """

    def __init__(
        self,
        curve: Curve,
        endpoint: str,
        poller: Poller,
        events: deque[Event],
        meter: Meter,
        allowed: Mapping[str, int],
        dialled: Container[str],
    ) -> None:
        self._curve = curve
        self._poller = poller
        self._events = events
        self._meter = meter
        self._allowed = allowed
        self._dialled = dialled
        self._connections = Connections()
        self._turned_away = 0  # connections of strangers whose end is still to come
        self._gate: Gate | None = None
        self._questions = curve.questions()
        self._socket = curve.listening()
        self._socket.router_mandatory = True
        self._socket.backlog = _BACKLOG
        self._socket.rcvtimeo = round(1000 * AWAITED_SECONDS)
        self._news = News(self._socket, _WATCHED)
        for each in (self._questions, self._news.monitor, self._socket):
            poller.watch(each)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(
                f"cannot listen on {endpoint}: {error.strerror}", "free the port or choose another `address`"
            ) from error
        self._look_at_news()  # it listens: from here on its gate can shut
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame over; it is held until the peer has connected."""
        if peer in self._connections.current:
            self._route(self._connections.current[peer], messages_of(frame))
        else:
            self._connections.waiting.setdefault(peer, []).extend(messages_of(frame))

    def adopt(self, peer: str) -> None:
        """Hear a peer's newcomer from now on, and shut the connection that was heard before."""
        newcomer = self._connections.newcomers.pop(peer, None)
        if newcomer is not None:
            self._let_go(self._connections.current.pop(peer))
            self._hear(newcomer)

    def turn_away(self, peer: str, frame: Frame) -> None:
        """Send a peer's newcomer a last frame."""
        if peer in self._connections.newcomers:
            self._route(self._connections.newcomers[peer], messages_of(frame))

    def take(self) -> bool:
        """Take a message that came, if there is one."""
        return has_message(self._socket) and self._receive(NO_WAIT)

    def take_soon(self) -> bool:
        """Take the next message, if one comes within `AWAITED_SECONDS`; if not, the socket is empty after this."""
        return self._receive(WAIT)

    def serve(self, which: Any) -> bool:
        """Take all that has come at one of its sockets; False if the socket is none of its."""
        if which is self._questions:
            while self._questions.poll(0):
                self._answer()
        elif which is self._socket:
            self._drain()
        elif which is self._news.monitor:
            if self._look_at_news(_GLANCE):
                self._poller.again(which)
        else:
            return False
        return True

    def look(self, now: float) -> float:
        """Look after the gate; returns when to do so again."""
        return self._gate.look(now) if self._gate is not None else float("inf")

    def close(self, linger_seconds: float) -> None:
        """Close the sockets; what was handed over has so long to leave."""
        if self._gate is not None:
            self._gate.close()
        self._news.monitor.close(0)
        self._questions.close(0)
        self._socket.close(round(linger_seconds * 1000))

    def _receive(self, flags: int) -> bool:
        try:
            route = self._socket.recv(flags)
        except zmq.Again:  # also where there was one, if its connection ended in this moment
            return False
        message = self._socket.recv(0, False)
        buffer, user, descriptor = message.buffer, str(message.get("User-Id")), message.get(zmq.SRCFD)
        connection = self._connections.by_route.get(route)
        if connection is None or connection.user != user or connection.account.descriptor != descriptor:
            connection = self._admit(route, user, descriptor)
        if message.more:  # our messages have one part
            pass_over(self._socket, message)
            if connection is not None:
                shut(connection.account)
        elif connection is not None:
            connection.account.took(len(buffer))
            self._deliver(connection, buffer)
        return True

    def _deliver(self, connection: Connection, message: memoryview) -> None:
        peer = connection.peer
        newcomer = self._connections.current.get(peer) is not connection
        if newcomer:
            connection.heard += 1
            if self._connections.newcomers.get(peer) is not connection or connection.heard > _NEWCOMERS_MESSAGES:
                shut(connection.account)
                return
        try:
            whole = connection.frames.take(message, self._allowed.get(peer, LONGEST))
        except TooLong:
            if newcomer or peer.endswith(DOCTOR):  # which ends no run
                shut(connection.account)
            else:
                self._events.append(Overlong(peer))
            return
        if whole is not None:
            self._events.append(Came(peer, *whole, newcomer))

    def _drain(self) -> None:
        """Take all that is there now.

        The number of messages is bounded: a peer that sends faster than they are taken would keep it here for good.
        ZeroMQ takes connections by turns, and so many messages are all that were there in the beginning.
        """
        if all(self.take() for _ in range(TURN_MESSAGES * (len(self._connections.by_route) + 1))):
            self._poller.again(self._socket)

    def _admit(self, route: bytes, user: str, descriptor: int) -> Connection | None:
        """Take the first message of a connection, whose key says whose it is."""
        key, number = user[:KEY_CHARS], int(user[KEY_CHARS:])
        self._act(number)  # first the end of older connections with the same descriptor or route
        connection = self._connections.at(descriptor, number)
        if connection is not None and connection.peer:
            return None  # it was let go
        peer = self._curve.heard(key)
        if connection is None:
            return None
        doctor = route.startswith(DOCTORS_ROUTE)
        if peer is None or peer in self._dialled or not (doctor or route[:1] == b"\0"):
            shut(connection.account)
            return None
        if doctor:
            peer += DOCTOR
        connection.peer, connection.user, connection.route = peer, user, route
        self._connections.by_route[route] = connection
        if self._gate is not None:
            self._gate.known(descriptor)
        if peer not in self._connections.current or doctor:
            if peer in self._connections.current:
                self._let_go(self._connections.current.pop(peer))
            self._hear(connection)
        else:
            if peer in self._connections.newcomers:
                self._let_go(self._connections.newcomers.pop(peer))
            self._connections.newcomers[peer] = connection
        return connection

    def _hear(self, connection: Connection) -> None:
        """Take a connection for its peer's from now on."""
        peer = connection.peer
        self._connections.current[peer] = connection
        connection.account.bound = HELD_BYTES
        if not peer.endswith(DOCTOR):
            self._events.append(Connected(peer))
        self._route(connection, self._connections.waiting.pop(peer, []))

    def _let_go(self, connection: Connection) -> None:
        """Shut a connection without news of its end."""
        self._connections.end_route(connection)
        shut(connection.account)

    def _route(self, connection: Connection, messages: Iterable[bytes]) -> None:
        try:
            for message in messages:
                hand_over(self._socket, connection.route, MORE)
                hand_over(self._socket, message, NO_WAIT)
        except zmq.ZMQError as error:
            if error.errno not in _DROPPABLE:
                raise  # a lost connection is no error here: the session sends the frame again after a reconnect

    def _answer(self) -> None:
        self._look_at_news()  # the question is of a connection that began before
        stranger = self._curve.answer(self._questions, self._news.begun)
        if stranger is not None:
            self._turned_away += 1
            self._events.append(Stranger(*stranger))

    def _look_at_news(self, most: int | None = None) -> bool:
        """Take news of connections, at most so many, and act on it; returns whether there may be more.

        What a peer sent before it left comes before the news that it left.
        """
        more = self._news.fetch(most)
        self._drain()
        self._act()
        return more

    def _act(self, begun: int | None = None) -> None:
        """Act on the news taken, until so many connections have begun."""
        for event, value in self._news.to_act_on(begun):
            if event == zmq.EVENT_LISTENING:
                self._gate = Gate(value, self._shut, _SILENT_SECONDS)
            elif event == zmq.EVENT_ACCEPTED:
                self._came_in(value)
            else:
                self._left(value)

    def _shut(self, descriptor: int) -> None:
        shut(self._connections.by_descriptor[descriptor].account)

    def _came_in(self, descriptor: int) -> None:
        """Note that a connection began; its owner is not known yet."""
        account = self._meter.watch(descriptor, _UNHEARD_BYTES)
        self._connections.by_descriptor[descriptor] = Connection(self._news.noted, account, address_of(descriptor))
        if self._gate is not None:
            self._gate.took(descriptor, time.monotonic())

    def _left(self, descriptor: int) -> None:
        """Note that a connection ended."""
        connection = self._connections.by_descriptor.pop(descriptor)
        too_much = self._meter.forget(connection.account)
        if self._gate is not None:
            self._gate.ended(descriptor)
        if connection.peer:
            self._ended(connection, too_much=too_much)
        elif self._turned_away:
            self._turned_away -= 1
        else:
            self._events.append(Unshaken(None, connection.address))

    def _ended(self, connection: Connection, *, too_much: bool) -> None:
        peer = connection.peer
        self._connections.end_route(connection)
        if too_much and not peer.endswith(DOCTOR):
            self._events.append(Overfull(peer))
        if self._connections.newcomers.get(peer) is connection:
            del self._connections.newcomers[peer]
        elif self._connections.current.get(peer) is connection:
            del self._connections.current[peer]
            self._events.append(Disconnected(peer))
            if peer in self._connections.newcomers:
                self._hear(self._connections.newcomers.pop(peer))


def address_of(descriptor: int) -> str:
    """The machine from which a connection comes; empty if it has ended."""
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return ""
    try:
        where = connection.getpeername()
    except OSError:
        return ""
    finally:
        connection.detach()
    return str(where[0]).removeprefix("::ffff:") if isinstance(where, tuple) else ""
