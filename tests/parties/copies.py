"""A launcher in a process of its own, with parties that tell what they find in theirs.

Its arguments: OUT, and `copy`, or why a party is a new process though it could be a copy: `threads`, `environment`.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from mpc.errors import BeaverlodgeError
from mpc.links.zmq.curve import new_identity
from mpc.randomness.streams import Stream, os_entropy
from parties.base.events import EVENTS_FD, LAUNCHER_PID
from parties.base.reporter import Reporter
from parties.processes.child import Program
from parties.processes.launcher import launch
from parties.processes.party.lifeline import Lifeline, die_with_parent

MODULE = "tests.parties.copies"
SAID = "written by the launcher, once"


def party() -> int:
    """One party: tells what its process is like."""
    die_with_parent()
    found = look()  # before any thread or descriptor of its own
    reporter = Reporter.to_launcher()
    lifeline = Lifeline()
    lifeline.order()
    reporter.listening(None)
    lifeline.peers()
    reporter.done({**found, **draw()})
    return 0


def look() -> dict[str, Any]:
    """What a process has, and what others see of it."""
    links = [Path("/proc/self/fd", each) for each in os.listdir("/proc/self/fd")]
    descriptors = {link.name: str(link.readlink()) for link in links if link.is_symlink()}
    numbers = {number: signal.getsignal(number) for number in sorted(signal.valid_signals())}
    return {
        "descriptors": descriptors,
        "handled": [number for number, handler in numbers.items() if callable(handler)],
        "ignored": [number for number, handler in numbers.items() if handler is signal.SIG_IGN],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "wakeup": signal.set_wakeup_fd(-1),
        "threads": len(os.listdir("/proc/self/task")),
        "argv": sys.argv[1:],
        "called": Path("/proc/self/comm").read_text().strip(),
        "environment": {name: value for name, value in os.environ.items() if name not in (EVENTS_FD, LAUNCHER_PID)},
        "path": sys.path[0],
    }


def draw() -> dict[str, str]:
    """Randomness from everywhere that a party draws it from; and from a generator that a copy has a copy of."""
    made = new_identity()
    return {
        "seed": os_entropy("a seed").hex(),
        "stream": Stream(os_entropy("a key")).take(8).tobytes().hex(),
        "openssl": X25519PrivateKey.generate().private_bytes_raw().hex(),
        "libsodium": made.secret.decode(),
        "copied": str(np.random.random()),
    }


def main() -> int:
    """Launch three parties and print what they found, and how they ended where they did not."""
    out, how = Path(sys.argv[1]), sys.argv[2]
    draw()  # every generator has a state by now
    atexit.register(lambda: print("at exit"))
    sys.stdout.write(SAID + "\n")  # stays in the buffer of a pipe
    if how == "threads":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    program = Program(MODULE, party)
    orders: dict[str, dict[str, Any]] = {name: {} for name in ("hospital_a", "hospital_b", "helper")}
    environments = {"helper": {"EXTRA": "1"}} if how == "environment" else None
    try:
        results = launch(
            out / "s.toml",
            orders,
            lambda: orders,
            out=out,
            on_event=lambda name, event: None,
            program=program,
            environments=environments,
        )
    except BeaverlodgeError as error:
        print(error)
        return error.exit_code
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(party() if "--as" in sys.argv else main())
