"""A party's process at the launcher that started it: its pipes, its reports, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import site
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from mpc.errors import BeaverlodgeError, InternalError, PeerLostError, UsageError, plain_text
from parties.base.events import (
    EVENTS_FD,
    LAUNCHER_PID,
    Event,
    LineBuffer,
    MalformedEvent,
    decode_event,
    error_from,
)
from parties.base.private_files import open_private
from parties.processes.fork import Start, fork, may_fork

_READ_BYTES: Final = 1 << 20
_QUOTED_CHARACTERS: Final = 200
_ONE_THREAD: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@dataclass(frozen=True)
class Program:
    """The program of a started process.

    Args:
        module: the Python module that is run.
        main: the function that running it calls: given, the process may be a copy of the launcher's, which calls it.
    """

    module: str
    main: Callable[[], int | None] | None = None


class Process(Protocol):
    """A started process: a new one, or a copy of the launcher's."""

    @property
    def pid(self) -> int:
        """The process id."""

    def wait(self, timeout: float) -> int:
        """Its exit code (negative: the signal that ended it); raises `subprocess.TimeoutExpired`."""

    def kill(self) -> None:
        """Kills it, unless its exit code was taken."""


def one_blas_thread() -> None:
    """Keep numpy from starting threads when it is loaded, unless the user's environment says how many.

    The parties are then copies of a process with one thread, and each works on its matrices with one thread: a run has
    as many of them as parties.
    """
    for variable in _ONE_THREAD:
        os.environ.setdefault(variable, "1")


def start_child(
    name: str, program: Program, *, scenario: Path, out: Path, environment: Mapping[str, str] | None = None
) -> Child:
    """Starts `program` as the party `name`; its raw output goes to OUT/NAME.stderr.

    A party with an environment of its own is always a new process: libraries read theirs when they are loaded.

    Raises:
        UsageError: the file cannot be written, or the system starts no further process.
    """
    events, events_of_child = os.pipe()
    lifeline_of_child, lifeline = os.pipe()
    words = ["--as", name, str(scenario)]
    try:
        with open(out / f"{name}.stderr", "wb", opener=open_private) as stderr, _block_terminal_signals():
            known = _environment(events_of_child, environment or {})
            process: Process
            if program.main is not None and not environment and may_fork():
                words, path = [program.module, *words], _path()
                start = Start(name, words, path, known, lifeline_of_child, stderr.fileno(), events_of_child)
                process = fork(program.main, start)
            else:
                process = subprocess.Popen(
                    [sys.executable, "-m", program.module, *words],
                    stdin=lifeline_of_child,
                    stdout=stderr,
                    stderr=stderr,
                    pass_fds=(events_of_child,),
                    env=known,
                )
    except OSError as error:
        os.close(events)
        os.close(lifeline)
        raise UsageError(
            f"the process of {name} cannot be started: {error.strerror}",
            f"check that {out} can be written to and that the system has processes and memory left",
            party=name,
        ) from None
    finally:
        os.close(events_of_child)
        os.close(lifeline_of_child)
    return Child(name, process, events, lifeline, out)


@contextmanager
def _block_terminal_signals() -> Iterator[None]:
    """Keep a terminal's signals from a process that is started within.

    Ctrl-C and a closed terminal are the launcher's to handle. The child inherits the block from its first
    instruction on; here the signals are only held up until the block ends.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment(events_of_child: int, additions: Mapping[str, str]) -> dict[str, str]:
    """The child's environment: one BLAS thread unless the user's says otherwise, and no code of the current folder."""
    environment = dict.fromkeys(_ONE_THREAD, "1") | dict(os.environ)
    # `python -m` would put the current folder first, where a random.py or parties/ would shadow ours.
    environment["PYTHONSAFEPATH"] = "1"
    home = _checkout()
    if home is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    environment[EVENTS_FD] = str(events_of_child)
    environment[LAUNCHER_PID] = str(os.getpid())
    return environment | dict(additions)


def _checkout() -> str | None:
    """The folder of our packages, if it is not on Python's path anyway."""
    home = Path(__file__).resolve().parents[2]
    installed = (*site.getsitepackages(), site.getusersitepackages())
    return None if home in {Path(folder).resolve() for folder in installed} else str(home)


def _path() -> list[str]:
    """The module path of a copy of this process: the same as a new process would have."""
    home = _checkout()
    return ([] if home is None else [home]) + sys.path[0 if sys.flags.safe_path else 1 :]


class Child:
    """A started party: its pipes, what it has reported so far, and how it ended.

    Attributes:
        events: the descriptor its events come from, or None once it is closed.
        exited: a descriptor that turns readable when the process ends, or None where the system has none;
            the end of `events` stands for it there.
        endpoint: its endpoint for peers, once it is `listening`.
        stage: its last report of a stage.
        result: what it reported as its result.
        failure: the error it reported, or that it sent nonsense; since `failed_at`.
        first_hand: whether it found `failure` itself, rather than heard of it from a peer or lost a peer.
        killed_on_purpose, to_restart: whether a fault of the scenario kills it, and has it started again.
        exit_code: as `subprocess` gives it (negative: the signal), None while it runs; since `ended_at`.
    """

    def __init__(self, name: str, process: Process, events: int, lifeline: int, out: Path) -> None:
        self.name = name
        self.events: int | None = events
        self.exited = _exit_descriptor(process.pid)
        self.endpoint: str | None = None
        self.listening = False
        self.stage = "starting"
        self.result: dict[str, Any] | None = None
        self.failure: BeaverlodgeError | None = None
        self.first_hand = False
        self.failed_at = 0.0
        self.exit_code: int | None = None
        self.ended_at = 0.0
        self.killed_on_purpose = False
        self.to_restart = False
        self._process = process
        self._lifeline: int | None = lifeline
        self._stderr = out / f"{name}.stderr"
        self._lines = LineBuffer()
        self._unsent = bytearray()
        self._deaf = False
        os.set_blocking(events, False)
        os.set_blocking(lifeline, False)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def lifeline(self) -> int:
        """The descriptor of the lifeline's writing end, which nobody else holds; closed by `release`."""
        assert self._lifeline is not None
        return self._lifeline

    @property
    def released(self) -> bool:
        """Whether its lifeline was closed."""
        return self._lifeline is None

    def send(self, message: Mapping[str, Any]) -> bool:
        """Sends a line down the lifeline; false if some of it has to wait for `flush`."""
        self._unsent += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        return self.flush()

    def flush(self) -> bool:
        """Writes what the lifeline takes without waiting; true when nothing is left to write."""
        while self._unsent and not self.released:
            try:
                sent = os.write(self.lifeline, self._unsent)
            except BlockingIOError:
                return False
            except BrokenPipeError:
                # It has closed its end; `reap` tells how it ended.
                self._unsent.clear()
                return True
            del self._unsent[:sent]
        return True

    def read(self) -> list[Event] | None:
        """The events that one read brings, or None at the end of the stream."""
        piece = self._read_piece()
        if piece is None:
            return []
        return self._take(piece) if piece else None

    def read_rest(self) -> list[Event]:
        """The events that are still in the pipe of a child that has ended; nobody else is waited for."""
        rest: list[Event] = []
        while piece := self._read_piece():
            rest += self._take(piece)
        return rest

    def reap(self, patience: float) -> bool:
        """Takes the exit code of a child that has ended, or ends within `patience` seconds."""
        try:
            self.exit_code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        self.ended_at = time.monotonic()
        return True

    def release(self) -> None:
        """Close the lifeline: the child has to end at once."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    def stopped(self) -> bool:
        """Whether a signal has stopped it and it was not continued (known on Linux only)."""
        if sys.platform != "linux" or self.exit_code is not None:
            return False
        try:
            # WNOWAIT: the state stays for the next call, and for others.
            return os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return False

    def kill(self) -> None:
        """Kill it, even if it is stopped."""
        self._process.kill()

    def close_events(self) -> None:
        """Close the pipe of its events."""
        if self.events is not None:
            os.close(self.events)
            self.events = None

    def close_exited(self) -> None:
        """Close the descriptor that becomes readable at its end."""
        if self.exited is not None:
            os.close(self.exited)
            self.exited = None

    def remove_empty_stderr(self) -> None:
        """Removes the file of its raw output if there was none, as there should be."""
        try:
            if self._stderr.stat().st_size == 0:
                self._stderr.unlink()
        except OSError:
            # Somebody moved or removed the file: there is nothing to tidy.
            return

    def vanished(self) -> BeaverlodgeError | None:
        """The error of a child that has ended without a result or an error."""
        if self.exit_code is None or self.failure is not None:
            return None
        hint = f"see {self._stderr.with_suffix('.log')}"
        if self.exit_code < 0:
            message = f"{self.name} was killed (signal {-self.exit_code})"
            if self.killed_on_purpose:
                hint = f"a fault of the scenario killed it, on purpose; {hint}"
            elif -self.exit_code == signal.SIGKILL:
                hint = f"unless someone killed it, the system was out of memory; {hint}"
            return PeerLostError(message, hint, party=self.name)
        if self.exit_code > 0:
            message = f"{self.name} ended with exit code {self.exit_code}"
            last = self._last_words()
            return PeerLostError(f"{message}: {last}" if last else message, hint, party=self.name)
        if self.result is None:
            return InternalError(f"{self.name} ended without a result", hint, party=self.name)
        return None

    def _read_piece(self) -> bytes | None:
        """Read from the pipe: None if it is empty, no bytes at its end."""
        if self.events is None:
            return b""
        try:
            return os.read(self.events, _READ_BYTES)
        except BlockingIOError:
            return None

    def _take(self, piece: bytes) -> list[Event]:
        events: list[Event] = []
        if self._deaf:
            return events
        try:
            for line in self._lines.feed(piece):
                event = decode_event(line)
                self._note(event)
                events.append(event)
        except MalformedEvent as error:
            # Later events of this child are not trusted.
            self._deaf = True
            message = f"{self.name} sent its launcher a line that is no event ({error})"
            self._fail(InternalError(message, f"see {self._stderr}", party=self.name), first_hand=True)
        return events

    def _note(self, event: Event) -> None:
        match event["event"]:
            case "listening":
                self.endpoint, self.listening = event["endpoint"], True
            case "stage":
                counted = event["total"] if event["done"] is not None else None
                self.stage = f"{event['stage']} {event['done']}/{counted}" if counted else event["stage"]
            case "done":
                self.result, self.stage = event["result"], "done"
            case "failed":
                self._fail(error_from(event["error"], reporter=self.name), first_hand=event["first_hand"])

    def _fail(self, error: BeaverlodgeError, *, first_hand: bool) -> None:
        if self.failure is None:
            self.failure, self.first_hand, self.failed_at = error, first_hand, time.monotonic()

    def _last_words(self) -> str:
        try:
            with open(self._stderr, "rb") as stderr:
                stderr.seek(max(0, os.fstat(stderr.fileno()).st_size - 4096))
                lines = stderr.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return plain_text(last, _QUOTED_CHARACTERS)


def _exit_descriptor(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
