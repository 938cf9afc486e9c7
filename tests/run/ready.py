"""A process that has loaded what the command `mpc` loads, and does each command in a copy of itself.

Loading it takes half a second of processor time, more than all else that most of the tests' hundreds of commands
do. A copy is made as the launcher makes its parties (`parties.processes.fork`), and by the same code. It listens at the
socket that it is given until that is closed: of each command it tells the process id, and how it ended.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import time
from functools import partial
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

import parties
from parties.processes.child import one_blas_thread
from parties.processes.fork import ForkedProcess, Start, fork

MODULE = "tests.run.ready"
DESCRIPTORS = 3  # of a command: its standard input, output and error
_ERROR = 100
"""Where a copy finds its standard error at first: it is the descriptor that a party's events would go to."""


def command(folder: str) -> None:
    """What a copy does: the command that `sys.argv` holds."""
    from parties.cli.command import main

    os.setsid()
    os.chdir(folder)
    os.dup2(_ERROR, 2)
    os.close(_ERROR)
    sys.stdin = open(0)  # noqa: SIM115
    sys.stdout = open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1)  # noqa: SIM115
    main()


def loaded() -> list[ModuleType]:
    """What commands import when they are called; but for what one or two of the tests' commands need."""
    one_blas_thread()
    import cryptography.hazmat.backends.openssl.backend
    import duckdb
    import numpy.ma
    import rich.console
    import rich.table
    import scipy.special

    ours = (found.name for found in walk_packages(parties.__path__, "parties.") if not found.name.endswith("__main__"))
    return [*(cryptography, duckdb, numpy.ma, rich.console, rich.table, scipy.special), *map(import_module, ours)]


def serve(asked: socket.socket) -> None:
    """Start what is asked for and tell of ends, until nobody asks any more."""
    running: dict[int, ForkedProcess] = {}
    while True:
        for each in select.select([asked.fileno(), *running], [], [])[0]:
            if each == asked.fileno():
                text, descriptors, _, _ = socket.recv_fds(asked, 1 << 20, DESCRIPTORS)
                if not text:
                    return
                started = start(json.loads(text), descriptors)
                running[os.pidfd_open(started.pid)] = started
                tell(asked, {"pid": started.pid})
            else:
                ended = running.pop(each)
                os.close(each)
                tell(asked, {"pid": ended.pid, "code": ended.wait(10.0)})


def start(request: dict[str, Any], descriptors: list[int]) -> ForkedProcess:
    """A copy for the command."""
    lifeline, output, error = descriptors
    os.dup2(error, _ERROR)
    how = Start("mpc", ["mpc", *request["words"]], sys.path, request["environment"], lifeline, output, _ERROR)
    copy = fork(partial(command, request["folder"]), how)
    for each in (*descriptors, _ERROR):
        os.close(each)
    while os.getsid(copy.pid) != copy.pid:  # whoever is told of it may signal all its session
        time.sleep(0.0002)
    return copy


def tell(asked: socket.socket, what: dict[str, int]) -> None:
    """One message a datagram."""
    asked.send(json.dumps(what).encode())


if __name__ == "__main__":
    if os.fork() == 0:  # no child of the tests, some of which look at theirs
        kept = loaded()
        serve(socket.socket(fileno=int(sys.argv[1])))
    os._exit(0)
