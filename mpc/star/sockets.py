"""Many clients' connections in one process, each with its own socket and keys: ZeroMQ with CURVE, as all links.

The server may send anything at any time. A client takes nothing longer than what is due, looks at its clock whatever
comes, and waits no longer for a server that talks and does not take it further. One of which nothing is due stays as
long as its server says so. One that is alone in its process watches how much of its connection is held, too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import zmq

from mpc.errors import UsageError
from mpc.links.session import Frame
from mpc.links.zmq.curve import HELD_BYTES, Identity, curve_socket, end_context, new_context
from mpc.links.zmq.messages import NO_WAIT, Assembler, TooLong, messages_of, pass_over
from mpc.links.zmq.meter import Account, Meter
from mpc.links.zmq.news import monitor_of, next_news
from mpc.star.client import StarClient

PING_SECONDS = 10.0  # at most
_LEAST_PING_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_LAST_WORDS_MS = 5000
_SPARE_SOCKETS = 16
_TURN = 64  # messages of one client that are taken before others have their turn, and the clock
_WATCHED = (
    zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


def ping_seconds(patience: float) -> float:
    """The seconds of the server's silence after which a client asks for what may be lost.

    The server sees a client's new connection when something comes by it. If that takes longer than its patience, the
    client is gone for it: so a client asks three times as often, where there is a patience.
    """
    return min(PING_SECONDS, max(_LEAST_PING_SECONDS, patience / 3)) if patience else PING_SECONDS


class Hosted:
    """One client in this process: its state, its socket, and what it computed.

    Attributes:
        seconds: this client's own computation, processor time.
    """

    def __init__(self, client: StarClient, socket: zmq.Socket[bytes]) -> None:
        self.client = client
        self.socket = socket
        self.heard = self.pinged = time.monotonic()
        self.seconds = 0.0
        self.monitor: zmq.Socket[bytes] | None = None
        self.account: Account | None = None  # of its connection, if that is watched
        self.frames = Assembler()
        self.held: list[Frame] = []  # what is delayed on purpose, until when
        self.held_until = 0.0

    def look(self, meter: Meter) -> None:
        """Take news of the connection: the server let the client in, turned its key away, or sent too much."""
        while self.monitor is not None and (news := next_news(self.monitor)) is not None:
            event, value = news
            if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                self.client.refused()
            elif event == zmq.EVENT_CONNECTED:
                self.account = meter.watch(value, HELD_BYTES)
            elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                if self.client.contact.met:  # a new connection, perhaps with a new process: it is asked at once
                    self.pinged = -math.inf
                self.client.contact.met = True
            elif self.account is not None and meter.forget(self.account):
                self.client.offended("the server sends more than is taken, and its connection was shut")


class ClientHost:
    """Runs clients of one server in this thread until all are over.

    Args:
        endpoint, server_key: where the server listens, and its public key (Z85).
        clients: name -> the client and its keys.
        silence: seconds without a word from the server that takes a client further, after which it gives up.
        patience: seconds for which the server lets a closed connection come back.
        listener: called, now and then, with the number of clients that are over.
        meet_within: seconds within which the server must answer; a client that it turns away sees that at once, and
            the bytes held of its connection are bounded. Takes more descriptors.
    """

    def __init__(
        self,
        endpoint: str,
        server_key: bytes,
        clients: Mapping[str, tuple[StarClient, Identity]],
        silence: float,
        patience: float,
        listener: Callable[[int, int], None],
        *,
        meet_within: float | None = None,
    ) -> None:
        self._meet_within = meet_within
        self._began = time.monotonic()
        self._silence = silence
        self._ping_seconds = ping_seconds(patience)
        self._listener = listener
        self._context = new_context()
        self._context.set(zmq.MAX_SOCKETS, len(clients) + _SPARE_SOCKETS)
        self._meter = Meter()
        self._poller = zmq.Poller()
        self._by_socket: dict[object, Hosted] = {}
        self._monitors: dict[object, Hosted] = {}
        self.hosted: dict[str, Hosted] = {}
        try:
            for name, (client, identity) in clients.items():
                socket = self._socket(server_key, identity)
                one = self.hosted[name] = self._by_socket[socket] = Hosted(client, socket)
                if meet_within is not None:
                    one.monitor = monitor_of(socket, _WATCHED)
                    self._monitors[one.monitor] = one
                    self._poller.register(one.monitor, zmq.POLLIN)
                socket.connect(endpoint)
                self._poller.register(socket, zmq.POLLIN)
        except zmq.ZMQError as error:
            self.close(0)
            raise UsageError(
                f"{len(clients)} connections cannot be opened in one process: {error.strerror}",
                "raise the limit of open files (ulimit -n), or set more `processes` in [clients]",
            ) from error

    def run(self) -> None:
        """Go on until every client is over."""
        for one in self.hosted.values():
            self._send(one, one.client.begin())
        looked = 0.0
        while self._by_socket:
            for socket, _ in self._poller.poll(round(1000 * _LOOK_SECONDS)):
                if socket in self._monitors:
                    self._monitors[socket].look(self._meter)
                else:
                    self._receive(self._by_socket[socket])
            if time.monotonic() - looked < _LOOK_SECONDS:
                continue
            looked = time.monotonic()
            self._look_at_clocks(looked)
            for one in [one for one in self._by_socket.values() if one.client.over]:
                self._end(one)
            self._listener(len(self.hosted) - len(self._by_socket), len(self.hosted))

    def close(self, linger_seconds: float) -> None:
        """Close all connections."""
        for one in self._by_socket.values():
            one.client.close()
            self._hang_up(one, round(linger_seconds * 1000))
        self._by_socket.clear()
        self._meter.close()
        end_context(self._context, max(linger_seconds, _LAST_WORDS_MS / 1000))  # what went before said its last words

    def _receive(self, one: Hosted) -> None:
        for _ in range(_TURN):
            if one.client.over:
                return
            try:
                message = one.socket.recv(NO_WAIT, copy=False)
            except zmq.Again:
                return
            if one.account is not None:
                one.account.took(len(message.buffer))
            frames = self._taken(one, message)
            if frames and one.client.contact.late:
                one.held, one.held_until = frames, time.monotonic() + one.client.contact.late
                one.client.contact.late = 0.0
            else:
                self._send(one, frames)

    def _taken(self, one: Hosted, message: zmq.Frame) -> list[Frame]:
        """The client's answer to a message."""
        client = one.client
        if message.more:
            pass_over(one.socket, message)
            return client.offended("the server sent a message that is not ours")
        try:
            whole = one.frames.take(message.buffer, client.limit)
        except TooLong:
            return client.offended("the server's message is longer than it can be")
        if whole is None:
            return []
        steps, started = client.counts.steps, time.thread_time()
        answer = client.came(*map(bytes, whole))
        one.seconds += time.thread_time() - started
        if client.counts.steps > steps:
            one.heard = one.pinged = time.monotonic()
        return answer

    def _look_at_clocks(self, now: float) -> None:
        for one in self._by_socket.values():
            if one.client.over:
                continue
            if one.held:
                if now >= one.held_until:
                    self._send(one, one.held)
                    one.held = []
                continue
            if self._meet_within is not None and not one.client.contact.met and now - self._began > self._meet_within:
                one.client.lost(self._meet_within)
            elif now - one.heard > self._silence:
                one.client.lost(self._silence)
            elif now - one.pinged > self._ping_seconds:
                one.pinged = now
                self._send(one, one.client.ping())

    def _end(self, one: Hosted) -> None:
        self._poller.unregister(one.socket)
        del self._by_socket[one.socket]
        # What a client that fails still has to say is one small frame; one that vanishes says nothing.
        self._hang_up(one, 0 if one.client.contact.unheard else _LAST_WORDS_MS)

    def _hang_up(self, one: Hosted, linger_ms: int) -> None:
        if one.monitor is not None:
            self._poller.unregister(one.monitor)
            del self._monitors[one.monitor]
            one.socket.disable_monitor()
            one.monitor.close(0)
            one.monitor = None
        one.socket.close(linger_ms)

    def _send(self, one: Hosted, frames: list[Frame]) -> None:
        with suppress(zmq.Again):  # a connection that was refused has no queue: the news of that is on its way
            for each in frames:
                for message in messages_of(each):
                    one.socket.send(message, NO_WAIT)

    def _socket(self, server_key: bytes, identity: Identity) -> zmq.Socket[bytes]:
        socket = curve_socket(self._context, zmq.DEALER, identity)
        socket.curve_serverkey = server_key
        socket.reconnect_ivl = 100
        socket.reconnect_ivl_max = 2000
        return socket
