"""A man in the middle of a link, who turns one bit of what one side sends on the first connection through him."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType


class Meddler:
    """Passes bytes both ways; `dial` is where the dialler connects instead of `target`.

    Args:
        target: where the listener is.
        from_dialler: whose bytes he alters.
        at: which one, counted on the first connection; None to alter nothing.
    """

    def __init__(self, target: str, *, from_dialler: bool, at: int | None) -> None:
        self._target = ("127.0.0.1", int(target.rpartition(":")[2]))
        self._from_dialler = from_dialler
        self._at = at
        self.altered = threading.Event()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._server]
        self._threads = [threading.Thread(target=self._serve, name="meddler", daemon=True)]
        self.dial = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._threads[0].start()

    def __enter__(self) -> Meddler:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for one in self._sockets:
            one.close()

    def _serve(self) -> None:
        first = True
        while True:
            try:
                dialler, _ = self._server.accept()
                listener = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [dialler, listener]
            for source, target, from_dialler in ((dialler, listener, True), (listener, dialler, False)):
                at = self._at if first and from_dialler == self._from_dialler else None
                thread = threading.Thread(target=self._pump, args=(source, target, at), name="meddler", daemon=True)
                self._threads.append(thread)
                thread.start()
            first = False

    def _pump(self, source: socket.socket, target: socket.socket, at: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(1 << 16):
                if at is not None and passed <= at < passed + len(data):
                    changed = bytearray(data)
                    changed[at - passed] ^= 0x20
                    data = bytes(changed)
                    self.altered.set()
                passed += len(data)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
