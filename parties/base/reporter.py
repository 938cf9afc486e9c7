"""A party's reports while it runs: stages, log, end. They go to its launcher or to a progress display."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from logging import Logger
from typing import Any, Final

from mpc.errors import BeaverlodgeError, InternalError
from parties.base.events import EVENTS_FD, Event, describe_error, encode_event

STAGE_INTERVAL: Final = 0.05
"""Seconds between two reports within one stage; a call in between costs no more than a look at the clock."""


class Reporter:
    """Sends this party's events through `send`: a pipe to the launcher, or a progress display."""

    def __init__(self, send: Callable[[Event], None]) -> None:
        self._send = send
        self._stage = ""
        self._stage_at = 0.0
        self._watcher: Callable[[str, int], None] | None = None

    @classmethod
    def to_launcher(cls) -> Reporter:
        """A reporter that writes to the launcher that started this process."""
        number = os.environ.get(EVENTS_FD)
        if number is None or not number.isdecimal():
            raise InternalError(f"{EVENTS_FD} is not set", "this process is started by the launcher alone")
        return cls(_EventPipe(int(number)))

    def listening(self, endpoint: str | None) -> None:
        """This party can be dialled at `endpoint` (None: it only dials)."""
        self._send({"event": "listening", "endpoint": endpoint})

    def stage(self, stage: str, done: int, total: int, shown: str | None = None) -> None:
        """Report how far a stage is. Cheap enough for every step: most calls send nothing.

        Args:
            shown: what is reported in the stage's place, as where it comes again in each of many rounds. Who watches
                hears of the stage.
        """
        now, name = time.monotonic(), stage if shown is None else shown
        if name != self._stage or (done >= total and shown is None) or now - self._stage_at >= STAGE_INTERVAL:
            self._stage, self._stage_at = name, now
            self._send({"event": "stage", "stage": name, "done": done, "total": total})
        if self._watcher is not None:
            self._watcher(stage, done)

    def watch(self, watcher: Callable[[str, int], None]) -> None:
        """Have somebody called with each stage and step, after it was said."""
        self._watcher = watcher

    def fault(self, number: int, peer: str | None) -> None:
        """One of the run's faults strikes now."""
        self._send({"event": "fault", "number": number, "peer": peer})

    def log(self, level: str, text: str) -> None:
        """A sentence for the user's screen; `level` is info, warning or error."""
        self._send({"event": "log", "level": level, "text": text})

    def warn(self, log: Logger, text: str) -> None:
        """A warning for the user's screen, and for this party's log."""
        log.warning("%s", text)
        self.log("warning", text)

    def done(self, result: dict[str, Any]) -> None:
        """The party finished, with this result."""
        self._send({"event": "done", "result": result})

    def failed(self, error: BeaverlodgeError, *, first_hand: bool) -> None:
        """The party failed. `first_hand` is false for a peer's error, and for the loss of a peer."""
        fields = {**describe_error(error), "joint": error.joint}
        event = {"event": "failed", "error": fields, "exit_code": error.exit_code, "first_hand": first_hand}
        self._send(event)


class _EventPipe:
    """Writes events whole, in the order of the calls, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        # What this process may start must not keep the launcher from seeing that it ended.
        os.set_inheritable(descriptor, False)

    def __call__(self, event: Event) -> None:
        line = memoryview(encode_event(event))
        with self._lock:
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except BrokenPipeError:
                # The launcher is gone: the lifeline ends this process.
                return
