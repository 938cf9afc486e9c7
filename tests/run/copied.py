"""A command `mpc` in a copy of a process that has loaded all (`tests.run.ready`), like a `subprocess.Popen` of it."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.run.ready import MODULE


class Ready:
    """The process that makes the copies, as the tests see it; there is one for all of them."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # The last word is only long: the copies' own command lines are to be seen in its place.
        words = [sys.executable, "-m", MODULE, str(theirs.fileno()), "-" * 200]
        with theirs:
            subprocess.run(words, pass_fds=[theirs.fileno()], env=known, check=True)
        self._ended: dict[int, int] = {}

    def start(self, words: Sequence[str], folder: Path, known: Mapping[str, str], descriptors: Sequence[int]) -> int:
        """The process id of a new copy."""
        request = {"words": words, "folder": str(folder), "environment": dict(known)}
        socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)
        while (pid := self._hear(None)) is None:
            pass
        return pid

    def ended(self, pid: int, timeout: float) -> int | None:
        """A copy's exit code, as `subprocess` gives it; None if it did not end in time."""
        until = time.monotonic() + timeout
        while pid not in self._ended:
            left = until - time.monotonic()
            self._hear(max(0.0, left))
            if left <= 0:
                break
        return self._ended.get(pid)

    def _hear(self, timeout: float | None) -> int | None:
        """The process that was started, if that is what is said."""
        if not select.select([self._socket], [], [], timeout)[0]:
            return None
        said = json.loads(self._socket.recv(1 << 16))
        if "code" in said:
            self._ended[said["pid"]] = said["code"]
            return None
        pid: int = said["pid"]
        self._ended.pop(pid, None)  # the number was another's before
        return pid


class Copied:
    """A running command: what the tests use of `subprocess.Popen`, with pipes of text for its output."""

    def __init__(self, ready: Ready, words: Sequence[str], folder: Path, known: Mapping[str, str]) -> None:
        self._ready = ready
        self.args = words
        self.returncode: int | None = None
        out, its_out = os.pipe()
        err, its_err = os.pipe()
        with open(os.devnull) as nothing:
            self.pid = ready.start(words, folder, known, [nothing.fileno(), its_out, its_err])
        os.close(its_out)
        os.close(its_err)
        self.stdout, self.stderr = os.fdopen(out, "rb", 0), os.fdopen(err, "rb", 0)

    def poll(self) -> int | None:
        """The exit code, if it has ended."""
        return self._code(0.0)

    def wait(self, timeout: float) -> int:
        """The exit code, once it has ended."""
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return code

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it still says until it ends."""
        until = time.monotonic() + timeout
        said = {self.stdout: b"", self.stderr: b""}
        still = set(said)
        while still:
            left = until - time.monotonic()
            if left < 0:
                raise subprocess.TimeoutExpired(self.args, timeout)
            for each in select.select(still, [], [], left)[0]:
                piece = os.read(each.fileno(), 1 << 16)
                said[each] += piece
                if not piece:
                    still.discard(each)
        self.wait(max(0.0, until - time.monotonic()))
        out, err = (text.decode() for text in said.values())
        self.stdout.close()
        self.stderr.close()
        return out, err

    def send_signal(self, number: int) -> None:
        """A signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def _code(self, timeout: float) -> int | None:
        if self.returncode is None:
            self.returncode = self._ready.ended(self.pid, timeout)
        return self.returncode
