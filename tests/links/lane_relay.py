"""A man in the middle of a lane, who sees its records and may alter, drop, repeat or hold them, or cut the lane."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

Touch = Callable[[bool, int, bytes], list[bytes] | None]
"""(whether it is the dialler's, its number from that side, the record) -> what is passed on; None cuts the lane."""


def untouched(from_dialler: bool, number: int, record: bytes) -> list[bytes]:
    """All as it is."""
    return [record]


class LaneRelay:
    """Passes one lane's records both ways; `port` is where the dialler connects instead of `target`."""

    def __init__(self, target: int, touch: Touch = untouched, host: str = "127.0.0.1") -> None:
        self._target = (host, target)
        self._touch = touch
        self._server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = int(self._server.getsockname()[1])
        self.sizes: list[int] = []  # of the records that came, from either side
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._serve, name="lane relay", daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> LaneRelay:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._cut()
        for thread in list(self._threads):
            thread.join(10)
        for one in (self._server, *self._ends):
            one.close()

    def _serve(self) -> None:
        try:
            dialler, _ = self._server.accept()
            listener = socket.create_connection(self._target)
        except OSError:
            return
        self._ends += [dialler, listener]
        for source, target, from_dialler in ((dialler, listener, True), (listener, dialler, False)):
            thread = threading.Thread(target=self._pump, args=(source, target, from_dialler), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, from_dialler: bool) -> None:
        number = 0
        with suppress(OSError):
            while head := source.recv(4, socket.MSG_WAITALL):
                record = head + source.recv(int.from_bytes(head, "little"), socket.MSG_WAITALL)
                self.sizes.append(len(record))
                passed = self._touch(from_dialler, number, record)
                if passed is None:
                    break
                target.sendall(b"".join(passed))
                number += 1
        self._cut()

    def _cut(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
