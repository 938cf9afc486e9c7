"""A party as a copy of the launcher's own process, which has the libraries that every party would load for itself.

Loading them takes half a second of processor time a process, more than a small training. A copy is as good as a new
process only if it keeps nothing of the launcher: see `may_fork` and `fork`.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

_POLL: Final = 0.002


def may_fork() -> bool:
    """Whether a copy of this process is safe: on Linux, with one thread.

    Only the thread that forks lives on in the copy. Any other could hold a lock for ever there; with none, there is
    also no ZeroMQ context, no DuckDB connection and no pool of BLAS threads that would be a copy of another's. OpenSSL
    and libsodium draw new randomness after a fork, and the system's own is no state of the process.
    """
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


@dataclass(frozen=True)
class Start:
    """The start of a copy.

    Args:
        name: its name where the system lists processes (`ps -e`, `top`); the first 15 bytes of it.
        words: its `sys.argv`. What `ps -f` shows as a command line stays the launcher's.
        path: its `sys.path`.
        environment: all its environment variables.
        lifeline: the descriptor that becomes its standard input.
        output: the descriptor that becomes its standard output and error.
        events: a descriptor that it has besides; no other of the launcher's.
    """

    name: str
    words: Sequence[str]
    path: Sequence[str]
    environment: Mapping[str, str]
    lifeline: int
    output: int
    events: int


def fork(main: Callable[[], int | None], start: Start) -> ForkedProcess:
    """Runs `main` in a copy of this process; signals that are blocked here are blocked there.

    Raises:
        OSError: the system starts no further process.
    """
    # Before the copy has its own handlers, a signal to it would be written to the launcher's wake-up descriptor.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _become(main, start, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ForkedProcess(pid)


class ForkedProcess:
    """The launcher's handle of a copy, with the part of `subprocess.Popen` that `Child` needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._exit_code: int | None = None

    def wait(self, timeout: float) -> int:
        """Its exit code, or minus the signal that ended it; raises `subprocess.TimeoutExpired`."""
        until = time.monotonic() + timeout
        while self._exit_code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit_code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() >= until:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            else:
                time.sleep(_POLL)
        return self._exit_code

    def kill(self) -> None:
        """Kill it, unless its exit code was taken: then the process id may be another process's."""
        if self._exit_code is None:
            os.kill(self.pid, signal.SIGKILL)


def _become(main: Callable[[], int | None], start: Start, mask: set[signal.Signals] | set[int]) -> NoReturn:
    """Run the whole life of the copy: it never returns, so that no clean-up of the launcher runs twice."""
    code = 1
    try:
        gc.freeze()  # the launcher's objects are not finalised here, and their memory stays shared
        _own_signals(mask)
        _own_descriptors(start)
        _own_name(start)
        code = _exit_code_of(main)
        logging.shutdown()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _exit_code_of(main: Callable[[], int | None]) -> int:
    """The exit code of a main function, by its return value or `sys.exit`, as Python computes it."""
    try:
        return main() or 0
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            sys.stderr.write(f"{end.code}\n")
            return 1
        return end.code or 0


def _own_signals(mask: set[signal.Signals] | set[int]) -> None:
    """Set signals as in a new process: handled ones have their default, ignored ones stay ignored."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _own_descriptors(start: Start) -> None:
    """Keep the copy's own four descriptors and close all others: only the launcher may hold another lifeline."""
    lifeline, output, events = (
        fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 3) for each in (start.lifeline, start.output, start.events)
    )
    os.dup2(lifeline, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if events != start.events:
        os.dup2(events, start.events, inheritable=False)
    for each in map(int, os.listdir("/proc/self/fd")):
        if each > 2 and each != start.events:
            with suppress(OSError):  # the descriptor that listed them
                os.close(each)
    # Python's own streams may hold output of the launcher, which the launcher alone has to write.
    sys.stdout = sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _own_name(start: Start) -> None:
    """Set the copy's arguments, paths, environment and process name."""
    sys.argv = list(start.words)
    sys.path[:] = start.path
    os.environ.clear()
    os.environ.update(start.environment)
    with suppress(OSError):  # a system without write access there: only process lists look different
        Path("/proc/self/comm").write_bytes(os.fsencode(start.name))
