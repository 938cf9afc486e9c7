"""A relay between a dialling party and a listening one that a test can make lossy, and cut, on one side or both."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType

_LONG = 20
DIALLER, LISTENER = "dialler", "listener"


class Relay:
    """Passes bytes both ways; `dial` is where the dialler connects. Every connection that it takes it makes anew."""

    def __init__(self, target: str) -> None:
        self._target = ("127.0.0.1", int(target.rpartition(":")[2]))
        self._server = socket.create_server(("127.0.0.1", 0))
        self.dial = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._lock = threading.RLock()
        self._news = threading.Condition(self._lock)
        self._selector = selectors.DefaultSelector()
        self._peer: dict[socket.socket, socket.socket] = {}
        self._sides: dict[socket.socket, str] = {}
        self._swallow = False
        self._shut = False
        self.connections = 0
        self.swallowed = threading.Event()
        self._passed = 0
        self._wake, waker = socket.socketpair()
        self._waker = waker
        self._selector.register(self._server, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._waker.close()
        self._thread.join(10)

    def swallow(self) -> None:
        """From now on, until the next cut, whatever comes is lost; `swallowed` is set when something was."""
        with self._lock:
            self.swallowed.clear()
            self._swallow = True

    def shut(self) -> None:
        """Cut, and take no connection any more: the other side looks dead from now on."""
        with self._lock:
            self._shut = True
        self.cut()

    def pause(self) -> None:
        """Take no new connection until `resume`."""
        with self._lock:
            self._shut = True

    def resume(self) -> None:
        """Take new connections again."""
        with self._lock:
            self._shut = False

    def await_connections(self, number: int, passed: int = 0) -> None:
        """Until so many connections were made in all, and so many bytes passed through the newest."""
        with self._news:
            assert self._news.wait_for(lambda: (self.connections, self._passed) >= (number, passed), _LONG)

    def cut(self, *sides: str) -> None:
        """Break the connections that stand, on one side (the other does not notice) or both; new ones may come."""
        with self._lock:
            self._swallow = False
            for end, side in list(self._sides.items()):
                if not sides or side in sides:
                    self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        del self._sides[end]
        self._peer.pop(end, None)
        self._selector.unregister(end)
        end.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                with self._lock:
                    if key.fileobj is self._wake:
                        self._end()
                        return
                    if key.fileobj is self._server:
                        self._take()
                    elif key.fileobj in self._sides:
                        assert isinstance(key.fileobj, socket.socket)
                        self._pump(key.fileobj)

    def _take(self) -> None:
        dialler, _ = self._server.accept()
        try:
            if self._shut:
                raise ConnectionRefusedError
            listener = socket.create_connection(self._target)
        except OSError:
            dialler.close()
            return
        self.connections += 1
        self._passed = 0
        self._news.notify_all()
        for end, other, side in ((dialler, listener, DIALLER), (listener, dialler, LISTENER)):
            end.setblocking(True)
            self._peer[end] = other
            self._sides[end] = side
            self._selector.register(end, selectors.EVENT_READ)

    def _pump(self, end: socket.socket) -> None:
        other = self._peer[end]
        try:
            data = end.recv(1 << 16)
            if data and self._swallow:
                self.swallowed.set()
            elif data and other in self._sides:
                other.sendall(data)
                self._passed += len(data)
                self._news.notify_all()
        except OSError:
            data = b""
        if not data:
            for one in (end, other):
                if one in self._sides:
                    self._drop(one)

    def _end(self) -> None:
        for end in list(self._sides):
            self._drop(end)
        self._server.close()
        self._wake.close()
        self._selector.close()


class Relays:
    """A relay for each of some pairs of parties, made when the dialler asks where to dial."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.between: dict[tuple[str, str], Relay] = {}
        self.through: dict[tuple[str, str], Callable[[str], str]] = {pair: partial(self._make, pair) for pair in pairs}
        """(dialler, listener) -> where to dial, as `over_zmq.sites` takes it."""

    def __enter__(self) -> Relays:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for relay in self.between.values():
            relay.__exit__(None, None, None)

    def _make(self, pair: tuple[str, str], endpoint: str) -> str:
        self.between[pair] = Relay(endpoint)
        return self.between[pair].dial
