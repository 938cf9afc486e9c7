"""What a step's rounds cost over ZeroMQ alone: three exchanges of 30, 128 and 128 words between two processes.

CURVE over a socket of this machine, as between the parties of `mpc run`, and nothing of ours: no tag, no session, no
deadline. A step of the demo cannot take less than this and its own computing.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import zmq

from mpc.runtime.round import HEADER_BYTES

_WORDS = (30, 128, 128)
_STEPS, _SERIES, _WARM_UP = 300, 21, 200


def _exchanges(socket: zmq.Socket[bytes], steps: int) -> float:
    """Microseconds a step."""
    messages = [os.urandom(8 * words + HEADER_BYTES) for words in _WORDS]
    began = time.perf_counter()
    for _ in range(steps):
        for message in messages:
            socket.send(message)
            socket.recv()
    return 1e6 * (time.perf_counter() - began) / steps


def _series(endpoint: str, server: tuple[bytes, bytes], *, first: bool) -> list[float]:
    with zmq.Context() as context, context.socket(zmq.PAIR) as socket:
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0 if first else -1]})
        if first:
            socket.curve_server, (socket.curve_publickey, socket.curve_secretkey) = True, server
            socket.bind(endpoint)
        else:
            socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            socket.curve_serverkey = server[0]
            socket.connect(endpoint)
        _exchanges(socket, _WARM_UP)
        return [_exchanges(socket, _STEPS) for _ in range(_SERIES)]


def main() -> int:
    """Prints the median, the smallest and the largest of the series."""
    server = zmq.curve_keypair()
    with tempfile.TemporaryDirectory() as folder:
        endpoint = f"ipc://{Path(folder) / 'socket'}"
        child = os.fork()
        found = _series(endpoint, server, first=bool(child))
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
    print(f"{statistics.median(found):.0f} us a step, {min(found):.0f} to {max(found):.0f} in {_SERIES} series")
    return 0


if __name__ == "__main__":
    sys.exit(main())
