"""Signals that ask the launcher to end, as a descriptor that a selector can wait for."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final

_ALWAYS: Final = (signal.SIGINT, signal.SIGTERM)
# `nohup` starts a process with SIGHUP ignored: it stays ignored.
_UNLESS_IGNORED: Final = (signal.SIGHUP,)


def _on_signal(number: int, frame: FrameType | None) -> None:
    """Do nothing: Python writes the number of a signal with a handler to the wake-up descriptor."""


class Interrupts:
    """While entered, SIGINT, SIGTERM and SIGHUP raise nothing: they are kept in `received`.

    No exception can then start in the middle of a clean-up. `descriptor` turns readable when a signal came;
    `read` takes the signals from it. Off the main thread, where Python delivers none, nothing is caught.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.descriptor, self._wakeup = os.pipe()
        self._handlers: dict[signal.Signals, Any] = {}
        self._previous_wakeup = -1
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._wakeup, False)

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        # The C handler writes to the descriptor: a signal that comes just before the wait still ends it.
        self._previous_wakeup = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        for number in (*_ALWAYS, *_UNLESS_IGNORED):
            if number in _ALWAYS or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, _on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            # A handler that was not installed from Python cannot be restored; the default is set instead.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if self._handlers:
            signal.set_wakeup_fd(self._previous_wakeup)
        os.close(self.descriptor)
        os.close(self._wakeup)

    def read(self) -> None:
        """Notes the first signal that asks to end; others on the same descriptor are not ours."""
        try:
            numbers = os.read(self.descriptor, 4096)
        except BlockingIOError:
            return
        for number in numbers:
            if self.received is None and number in self._handlers:
                self.received = signal.Signals(number)
