"""Frames between processes, over ZeroMQ with CURVE. The only file that imports zmq.

A party has at most one listening socket, and dials each peer that does not dial it. Every socket is encrypted, and a
listener admits only the keys on its allow-list: it answers ZeroMQ's authentication requests itself. The sender of a
frame is the key that its connection was authenticated with, never a routing id or a name inside the frame.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import zmq
from zmq.utils import z85

from mpc.bell import Bell
from mpc.errors import InternalError, UsageError
from mpc.gate import Gate
from mpc.network import Came, Connected, Disconnected, Event, Refused, Stranger, Unanswered, Unshaken
from mpc.probe import DOCTOR
from mpc.session import Frame
from mpc.wire import HEADER_BYTES

_PIECE = 1 << 18  # a large payload goes in pieces, between which heartbeats pass on a slow link
_SMALL = 1 << 16  # a payload below this is copied behind its header: one encrypted message instead of two
_ZAP_ENDPOINT = "inproc://zeromq.zap.01"
_LARGEST_PART = _PIECE + 1024  # what encryption adds is less; an announcement of more ends the connection
_HEARTBEAT_MS = 2000
_HEARTBEAT_TIMEOUT_MS = 10_000
_HANDSHAKE_MS = 3000  # so long may a connection stay unauthenticated: who only holds it open makes room again
_CONNECT_MS = 3000  # then TCP's next attempt is a new one: its own ones are ever further apart
_BACKLOG = 1024  # connections that wait to be taken, while somebody floods the port
_REDIAL_SECONDS = 0.25  # ZeroMQ itself tries again at once, if at all
_SPIN_SECONDS = 1e-4  # of looking again and again, and yielding, before this blocks: about what sleep and wake cost
_LOOK_SECONDS = 0.02  # so long may frames be taken one after another without a look at all else that may have happened
_GLANCE = 16  # so many connections of strangers may come and go between two looks for a peer's frames
_DOCTORS_ROUTE = b"doctor"  # how the routing ids of doctors begin
_MONITOR_EVENT = struct.Struct("=Hi")  # zmq_socket_monitor(3): the event, then a descriptor or an error number
_REFUSED = zmq.EVENT_HANDSHAKE_FAILED_AUTH
# Not EVENT_HANDSHAKE_FAILED_PROTOCOL: where libzmq 4.3.5 reports it, a frame that cannot be decrypted leaves the
# connection silent until the heartbeats end it, instead of closing it at once.
_WATCHED_LISTENING = zmq.EVENT_LISTENING | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_WATCHED_DIALLING = (
    zmq.EVENT_CLOSED  # an attempt to connect failed
    | zmq.EVENT_CONNECT_RETRIED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_DISCONNECTED
    | _REFUSED
)


@dataclass(frozen=True)
class Identity:
    """A CURVE key pair, in Z85."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Identity({self.public.decode()})"


def new_identity() -> Identity:
    """A fresh key pair."""
    return Identity(*zmq.curve_keypair())


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

    def __init__(self, me: Identity, peers: Mapping[str, bytes], listen: str | None, *, doctor: bool = False) -> None:
        if not peers:
            raise InternalError("a transport without an allow-list does not start")
        self._me = me
        self._doctor = doctor
        self._keys = dict(peers)
        self._names = {key.decode(): name for name, key in peers.items()}
        self._context = zmq.Context()
        self._bell = Bell()
        self._looked = 0.0
        self._events: deque[Event] = deque()
        self._endpoints: dict[str, str] = {}
        self._dialled: dict[str, zmq.Socket[bytes]] = {}
        self._dead: dict[str, float] = {}  # connections that ZeroMQ has given up, and when to dial again
        self._monitors: dict[Any, str | None] = {}
        self._dealers: dict[Any, str] = {}
        self._routes: dict[str, bytes] = {}
        self._route_names: dict[bytes, str] = {}
        self._descriptors: dict[str, int] = {}
        self._replaced: set[int] = set()  # descriptors of connections that a newer one of the same peer replaced
        self._turned_away = 0  # connections of strangers whose end is still to come
        self._waiting: dict[str, list[list[Any]]] = {}
        self._refusing: set[str] = set()
        self._shaken: set[str] = set()
        self._authenticator: zmq.Socket[bytes] | None = None
        self._listener: zmq.Socket[bytes] | None = None
        self._listener_monitor: Any = None
        self._gate: Gate | None = None
        self.endpoint: str | None = None
        try:
            if listen is not None:
                self._listen(listen)
        except BaseException:
            self.close(0)
            raise

    def dial(self, peer: str, endpoint: str) -> None:
        """Connect to a peer, and again whenever the connection breaks; an earlier call for the peer counts no more."""
        self._hang_up(peer)
        socket = self._socket(zmq.DEALER)
        socket.curve_serverkey = self._keys[peer]
        socket.connect_timeout = _CONNECT_MS
        if self._doctor:
            socket.routing_id = _DOCTORS_ROUTE + os.urandom(8)
        socket.reconnect_ivl = 50
        socket.reconnect_ivl_max = 1000
        self._monitor(socket, peer, _WATCHED_DIALLING)
        self._endpoints[peer] = endpoint
        self._dialled[peer] = socket
        self._dealers[socket] = peer
        self._bell.watch(socket)
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(f"the address of {peer}, {endpoint}, cannot be dialled: {error.strerror}") from error

    def send(self, peer: str, frame: Frame) -> None:
        """Hand a frame to ZeroMQ; it is held until the peer is connected. Never blocks."""
        parts = frame_parts(frame)
        if peer in self._dialled:
            # A peer that refused us has no queue any more, and ZeroMQ would wait for one without end: the news of the
            # refusal is on its way. All others always have one, for queues have no limit.
            with contextlib.suppress(zmq.Again):
                _hand_over(self._dialled[peer], parts)
        elif peer in self._routes:
            self._route(peer, parts)
        else:
            self._waiting.setdefault(peer, []).append(parts)

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()

    def poll(self, seconds: float) -> Event | None:
        """The next event, or None if nothing happens for so long."""
        events = self._events
        if not events:
            now = time.monotonic()
            if not self._take_frame() or now - self._looked > _LOOK_SECONDS:
                self._look_around(now, seconds)
        return events.popleft() if events else None

    def _take_frame(self) -> bool:
        """Take a frame that is there already, if there is one; after this all sockets that frames come at are empty."""
        if self._listener is not None and self._take_routed():
            return True
        return any(self._take_dialled(socket, peer) for socket, peer in self._dealers.items())

    def _look_around(self, now: float, seconds: float) -> None:
        """Whatever may have happened, at any socket; waits for something to happen, at most so long.

        A sleep and a wake take as long as an exchange between two processes on one machine: only after that does this
        block. Until then it yields, for a machine with few cores has work for this one, a peer's perhaps.
        """
        self._looked = now
        end, block = now + seconds, now + _SPIN_SECONDS
        while True:
            if self._dead:
                self._redial(now)
            wake = min([end, *self._dead.values()])
            if self._gate is not None and self._gate.shut:
                wake = min(wake, self._gate.look(now))
            wait = 0.0 if self._events or now < block else max(0.0, wake - now)
            rang = self._bell.wait(wait)
            for socket in rang:
                self._serve(socket)
            if self._events:
                return
            now = time.monotonic()
            if not rang:
                if now >= end:
                    return
                os.sched_yield()

    def close(self, linger_seconds: float) -> None:
        """Close all sockets; what was handed over has so long to leave."""
        if self._gate is not None:
            self._gate.close()
        for socket in self._monitors:
            socket.close(0)
        if self._authenticator is not None:
            self._authenticator.close(0)
        for peer, socket in self._dialled.items():
            # A refused connection never sends what is queued for it, and ZeroMQ would wait for that without end.
            socket.close(0 if peer in self._refusing else round(linger_seconds * 1000))
        if self._listener is not None:
            self._listener.close(round(linger_seconds * 1000))
        self._context.term()

    def _redial(self, now: float) -> None:
        """Dial those anew that ZeroMQ does not: it gives up a peer for good that once sent what makes no sense.

        One altered byte on the way is enough for that. What was handed to the old socket is lost, as in any cut: the
        session sends it again.
        """
        for peer in [peer for peer, when in self._dead.items() if when <= now]:
            self.dial(peer, self._endpoints[peer])

    def _hang_up(self, peer: str) -> None:
        self._dead.pop(peer, None)
        socket = self._dialled.pop(peer, None)
        if socket is None:
            return
        monitor = next(monitor for monitor, name in self._monitors.items() if name == peer)
        del self._monitors[monitor], self._dealers[socket]
        for old in (monitor, socket):
            self._bell.forget(old)
            old.close(0)

    def _listen(self, endpoint: str) -> None:
        self._authenticator = self._context.socket(zmq.REP)
        self._authenticator.bind(_ZAP_ENDPOINT)
        self._bell.watch(self._authenticator)
        self._listener = self._socket(zmq.ROUTER)
        self._listener.curve_server = True
        self._listener.router_mandatory = True
        self._listener.backlog = _BACKLOG
        self._listener_monitor = self._monitor(self._listener, None, _WATCHED_LISTENING)
        self._bell.watch(self._listener)
        try:
            self._listener.bind(endpoint)
        except zmq.ZMQError as error:
            raise UsageError(
                f"cannot listen on {endpoint}: {error.strerror}", "free the port or choose another `address`"
            ) from error
        self._observe(self._listener_monitor, None)  # it listens: from here on its gate can shut
        self.endpoint = self._listener.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.curve_publickey = self._me.public
        socket.curve_secretkey = self._me.secret
        socket.sndhwm = socket.rcvhwm = 0  # the session bounds what is under way
        socket.maxmsgsize = _LARGEST_PART
        socket.handshake_ivl = _HANDSHAKE_MS
        socket.heartbeat_ivl = _HEARTBEAT_MS
        socket.heartbeat_timeout = _HEARTBEAT_TIMEOUT_MS
        socket.zap_domain = b"beaverlodge"
        socket.ipv6 = True
        return socket

    def _monitor(self, socket: zmq.Socket[bytes], peer: str | None, watched: int) -> Any:
        monitor = socket.get_monitor_socket(watched)
        self._monitors[monitor] = peer
        self._bell.watch(monitor)
        return monitor

    def _serve(self, socket: Any) -> None:
        """Take all that has come at a socket; nothing if it was hung up meanwhile."""
        if socket is self._listener:
            self._drain_listener()
        elif self._authenticator is not None and socket is self._authenticator:
            while self._authenticator.poll(0):
                self._authenticate()
        elif socket in self._monitors:
            peer = self._monitors[socket]
            if peer is None:  # what a peer sent before it left comes before the news that it left
                self._drain_listener()
            else:
                self._drain_dialled(self._dialled[peer])
            if self._observe(socket, peer, _GLANCE):
                self._bell.again(socket)
        elif socket in self._dealers:
            self._drain_dialled(socket)

    def _drain_listener(self) -> None:
        while self._take_routed():
            pass

    def _drain_dialled(self, socket: Any) -> None:
        while self._take_dialled(socket, self._dealers[socket]):
            pass

    def _take_dialled(self, socket: Any, peer: str) -> bool:
        """Take a frame of a peer that we dialled, if there is one."""
        try:
            first = socket.recv(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        self._came(peer, first, socket)
        return True

    def _take_routed(self) -> bool:
        """Take a frame that came at our port, if there is one."""
        assert self._listener is not None
        try:
            identity = self._listener.recv(zmq.NOBLOCK)
        except zmq.Again:
            return False
        first = self._listener.recv(copy=False)
        peer = self._route_names.get(identity) or self._admit(identity, first)
        if peer is not None and self._routes.get(peer) == identity:
            self._came(peer, first, self._listener)
        else:
            while first.more:
                first = self._listener.recv(copy=False)
        return True

    def _admit(self, identity: bytes, first: zmq.Frame) -> str | None:
        """The peer behind a new connection, by the key it was authenticated with; it replaces an older connection.

        ZeroMQ's own routing ids begin with a zero byte and are never used twice, so a peer cannot take another's.
        """
        doctor = identity.startswith(_DOCTORS_ROUTE)
        if not (doctor or identity[:1] == b"\0"):
            return None
        peer = self._names.get(str(first.get("User-Id")))
        if peer is None:
            return None
        if doctor:
            peer += DOCTOR
        again = peer in self._routes
        self._observe(self._listener_monitor, None)  # first the end of an older connection with the same descriptor
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
        assert self._listener is not None
        try:
            self._listener.send(self._routes[peer], zmq.SNDMORE | zmq.NOBLOCK)
            _hand_over(self._listener, parts)
        except zmq.ZMQError as error:
            if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                raise  # a lost connection is no error here: the session sends the frame again after a reconnect

    def _came(self, peer: str, first: zmq.Frame, socket: Any) -> None:
        whole = first.buffer
        if not first.more:
            self._events.append(Came(peer, whole[:HEADER_BYTES], whole[HEADER_BYTES:]))
            return
        parts = []
        while first.more:
            first = socket.recv(copy=False)
            parts.append(first.buffer)
        body = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
        self._events.append(Came(peer, whole, body))

    def _authenticate(self) -> None:
        """Answer ZeroMQ's question whether a key may connect (ZAP, rfc.zeromq.org/spec/27)."""
        assert self._authenticator is not None
        version, request, _domain, _address, _identity, mechanism, *credentials = self._authenticator.recv_multipart()
        key = z85.encode(credentials[0]).decode() if mechanism == b"CURVE" and credentials else ""
        known = key in self._names
        if not known:
            self._turned_away += 1
            self._events.append(Stranger(key))
        status, text, user = (b"200", b"OK", key.encode()) if known else (b"400", b"not on the allow-list", b"")
        self._authenticator.send_multipart([version, request, status, text, user, b""])

    def _observe(self, monitor: Any, peer: str | None, most: int | None = None) -> bool:
        """Take news of connections, at most so many; whether there may be more."""
        for _ in itertools.count() if most is None else range(most):
            try:
                event, value = _MONITOR_EVENT.unpack(monitor.recv_multipart(zmq.NOBLOCK)[0])
            except zmq.Again:
                return False
            if peer is not None:
                self._observe_dialled(event, peer)
            elif event == zmq.EVENT_LISTENING:
                self._gate = Gate(value)
            elif self._gate is not None and event == zmq.EVENT_ACCEPTED:
                self._gate.took(value, time.monotonic())
            elif self._gate is not None:
                self._gate.ended(value)
                self._left(value)
        return True

    def _left(self, descriptor: int) -> None:
        """A connection at our port ended."""
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

    def _observe_dialled(self, event: int, peer: str) -> None:
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


def _hand_over(socket: Any, parts: list[Any]) -> None:
    if len(parts) == 1:
        socket.send(parts[0], zmq.NOBLOCK)
    else:
        socket.send_multipart(parts, zmq.NOBLOCK, copy=False)


def frame_parts(frame: Frame) -> list[Any]:
    """A frame as the parts of one ZeroMQ message."""
    if len(frame.body) < _SMALL:
        return [frame.head + frame.body]
    view = memoryview(frame.body)
    return [frame.head, *(view[start : start + _PIECE] for start in range(0, len(view), _PIECE))]
