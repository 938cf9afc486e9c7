"""A child's end of its lifeline: the launcher's messages, and when the child must end.

The child's standard input is its lifeline: the launcher writes an order and later the peers' endpoints, then
keeps it open; end of file means that the launcher is gone or wants the child gone. The kernel is asked to
kill the child when the launcher dies, too, so that even a child that reads nothing leaves with it.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InternalError, PeerLostError
from parties.base.ending import LIFELINE
from parties.base.events import LAUNCHER_PID

_PR_SET_PDEATHSIG: Final = 1


def first_hand(error: BeaverlodgeError) -> bool:
    """Whether this party found an error itself, rather than heard of it from a peer or lost a peer."""
    return error.told_by is None and not isinstance(error, PeerLostError)


def leave() -> None:
    """Ends the process at once, whatever its other threads are doing."""
    os._exit(PeerLostError.exit_code)


def die_with_parent() -> None:
    """Have the kernel kill this process when its launcher dies (Linux; elsewhere only the lifeline ends it)."""
    before = os.getppid()
    parent = int(os.environ.get(LAUNCHER_PID, before))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    # The launcher may have died before the call above.
    if os.getppid() != parent:
        leave()


class Lifeline:
    """The launcher's lines: the order, then the peers, then lost parties, until the end of file.

    A daemon thread reads it from the start, so that an end of file is acted on while the party reads its
    data, waits for a peer, or computes.

    Args:
        descriptor: where to read; the standard input.
        on_end: what to do at end of file; ends the process at once.
        on_line: called with each line that comes, in the lifeline's own thread.
    """

    def __init__(
        self,
        descriptor: int = 0,
        *,
        on_end: Callable[[], None] = leave,
        on_line: Callable[[], object] = lambda: None,
    ) -> None:
        self._descriptor = descriptor
        self._on_end = on_end
        self._on_line = on_line
        self._last: list[Callable[[], object]] = []
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._watch, name=LIFELINE, daemon=True).start()

    def before_end(self, last: Callable[[], object]) -> None:
        """Call this at end of file, in the lifeline's own thread, before the process ends."""
        self._last.append(last)

    def order(self) -> dict[str, Any]:
        """The first line, this party's order. Waits for it."""
        return self._next("order")

    def peers(self) -> dict[str, str | None]:
        """The second line: each party's endpoint. Waits until every party has reported its own."""
        peers = self._next("peers").get("peers")
        if not isinstance(peers, dict):
            raise InternalError("the launcher's second line holds no peers")
        return peers

    def news(self) -> list[dict[str, Any]]:
        """Later lines; never waits."""
        said = []
        while not self._lines.empty():
            said.append(self._next("news"))
        return said

    def _next(self, what: str) -> dict[str, Any]:
        line = self._lines.get()
        if line is None:
            self._lines.put(None)
            raise PeerLostError(f"the launcher ended before it sent the {what}")
        try:
            message = json.loads(line)
        except ValueError:
            raise InternalError(f"the launcher's {what} is not JSON") from None
        if not isinstance(message, dict):
            raise InternalError(f"the launcher's {what} is not an object")
        return message

    def _watch(self) -> None:
        rest = b""
        # os.read and not sys.stdin: a daemon thread that holds a buffer's lock breaks the interpreter's exit.
        while piece := self._read():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                self._lines.put(line)
                self._on_line()
        self._lines.put(None)
        for last in self._last:
            last()
        self._on_end()

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, 65536)
        except OSError:
            return b""
