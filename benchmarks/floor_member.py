"""One of two processes that exchange a training step's frames and do nothing else: the floor of a step's time.

Once over our transport, and once over bare ZeroMQ sockets, each with the encryption that the order asks for.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import zmq

from benchmarks.jobs import Arrays
from benchmarks.seat import Seat, take_seat
from mpc.errors import ProtocolError
from mpc.network import Came
from mpc.plan import Plan
from mpc.session import Frame
from mpc.transport import Transport
from mpc.wire import HEADER_BYTES
from protocols.sigmoid import expansion
from protocols.sigmoid_fits import fit_for
from protocols.twin import sigmoid

PARTIES = ("hospital_a", "hospital_b")
_BLOCKS = 5
_STEPS = 200
_REPEATS = 200
_COEFFICIENTS = 37  # fractional bits; the time does not depend on them
_PATIENCE = 60.0


def frames_of(plan: Plan, steps: int) -> tuple[int, ...]:
    """The payloads in bytes of the frames of one full step: the first of the stage "training"."""
    payloads = [one.payload for one in plan.rounds if one.stage == "training"]
    return tuple(payloads[: round(len(payloads) / steps)])


def plaintext_seconds(arrays: Arrays) -> float:
    """One step of the plain training in numpy, its batch taken from the rows included."""
    rows, w = arrays.steps[0], np.zeros(arrays.x.shape[1])

    def step() -> None:
        batch = arrays.x[rows]
        errors = sigmoid(batch @ w) - arrays.y[rows]
        w[:] = w - (arrays.rate / len(rows)) * (batch.T @ errors)

    return timed(step)


def public_expansion_seconds(batch: int, largest_score: float) -> float:
    """One expansion of a batch's public values into sines and cosines, as every owner does in a step."""
    fit = fit_for(largest_score)
    m = np.random.default_rng(1).integers(0, 2**64, size=batch, dtype=np.uint64)
    return timed(lambda: expansion(m, fit, 1 / batch, _COEFFICIENTS))


def timed(function: Callable[[], object]) -> float:
    """Seconds a call takes: the median over blocks of calls."""
    for _ in range(_REPEATS):
        function()
    blocks = []
    for _ in range(_BLOCKS):
        began = time.perf_counter()
        for _ in range(_REPEATS):
            function()
        blocks.append((time.perf_counter() - began) / _REPEATS)
    return statistics.median(blocks)


def over_transport(transport: Transport, peer: str, payloads: Sequence[int]) -> float:
    """Seconds a step of these exchanges takes over our transport."""
    frames = [Frame(bytes(HEADER_BYTES), bytes(size)) for size in payloads]

    def step() -> None:
        for frame in frames:
            transport.send(peer, frame)
            _next(transport, peer, len(frame.body))

    return _blocks(step)


def over_zeromq(socket: Any, payloads: Sequence[int]) -> float:
    """Seconds a step of these exchanges takes over a connected pair of sockets."""
    messages = [bytes(HEADER_BYTES + size) for size in payloads]

    def step() -> None:
        for message in messages:
            socket.send(message)
            socket.recv()

    return _blocks(step)


def main() -> None:
    """Both measurements, reported to the launcher."""
    seat = take_seat(lambda order: PARTIES)
    (peer,) = (name for name in PARTIES if name != seat.name)
    payloads = seat.order["frames"]
    transport = over_transport(seat.transport, peer, payloads)
    with zmq.Context() as context, _pair(context, seat, peer) as socket:
        zeromq = over_zeromq(socket, payloads)
    seat.reporter.done({"transport": transport, "zeromq": zeromq})
    seat.transport.close(1.0)


def _blocks(step: Callable[[], None]) -> float:
    for _ in range(_STEPS):
        step()
    blocks = []
    for _ in range(_BLOCKS):
        began = time.perf_counter()
        for _ in range(_STEPS):
            step()
        blocks.append((time.perf_counter() - began) / _STEPS)
    return statistics.median(blocks)


def _next(transport: Transport, peer: str, size: int | None) -> bytes:
    """The next frame's body; other events are passed over."""
    while True:
        event = transport.poll(_PATIENCE, peer)
        if isinstance(event, Came):
            if size is not None and len(event.body) != size:
                raise ProtocolError(f"a frame of {len(event.body)} bytes came instead of {size}")
            return bytes(event.body)
        if event is None:
            raise ProtocolError("no frame came")


def _pair(context: Any, seat: Seat, peer: str) -> Any:
    """A pair of sockets of our own, with the same encryption as the seat's transport; the first party listens."""
    socket = context.socket(zmq.PAIR)
    keys, first = seat.order["keys"], seat.name == PARTIES[0]
    if not seat.order["plain"]:
        socket.curve_publickey, socket.curve_secretkey = keys["public"].encode(), keys["secret"].encode()
        if first:
            socket.curve_server = True
        else:
            socket.curve_serverkey = keys["peers"][peer].encode()
    if first:
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        seat.transport.send(peer, Frame(bytes(HEADER_BYTES), str(port).encode()))
    else:
        socket.connect(f"tcp://127.0.0.1:{_next(seat.transport, peer, None).decode()}")
    return socket


if __name__ == "__main__":
    main()
