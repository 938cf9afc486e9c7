"""What ZeroMQ holds of a connection, and has not been taken: measured, and bounded, also of messages without an end."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import zmq

from mpc.links.network import Came, Disconnected, Overfull
from mpc.links.session import Frame
from mpc.links.zmq.curve import HELD_BYTES, Identity, new_identity
from mpc.links.zmq.messages import PIECE, Assembler, TooLong, messages_of
from mpc.links.zmq.meter import Meter, _read_out, shut, wire_bytes
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import HEADER_BYTES
from tests.links.over_zmq import ANYWHERE

PATIENCE = 20.0
GIVEN = 3 * HELD_BYTES


@contextmanager
def met() -> Iterator[tuple[Transport, zmq.Socket[bytes], Identity]]:
    """A listener, and a raw socket with the key of a listed peer, which has said something."""
    a, c = new_identity(), new_identity()
    listener = Transport(a, {"c": c.public}, ANYWHERE)
    with zmq.Context() as context, context.socket(zmq.DEALER) as raw:
        raw.linger, raw.sndhwm = 0, 4
        raw.curve_publickey, raw.curve_secretkey, raw.curve_serverkey = c.public, c.secret, a.public
        raw.reconnect_ivl = -1
        raw.connect(str(listener.endpoint))
        raw.send(bytes(HEADER_BYTES) + b"\0")
        until(listener, Came)
        try:
            yield listener, raw, c
        finally:
            listener.close(0)


def until(transport: Transport, wanted: type) -> object:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if isinstance(event := transport.poll(0.1), wanted):
            return event
    raise AssertionError(f"no {wanted.__name__}")


def test_a_message_without_an_end_ends_its_connection() -> None:
    """The party computes and takes nothing; ZeroMQ counts a message at its last part, which would come late."""
    with met() as (listener, raw, _):
        for _ in range(GIVEN // PIECE):
            raw.send(bytes(PIECE), zmq.SNDMORE)
        raw.send(b"")  # libzmq, as a sender, lets nothing go before
        assert until(listener, Overfull) == Overfull("c")
        assert until(listener, Disconnected) == Disconnected("c")


def test_whole_messages_wait_where_nobody_takes_them() -> None:
    """A peer that is ahead of a party that computes is held up by TCP, and all that it sent comes."""
    with met() as (listener, raw, _):
        (piece,) = messages_of(Frame(bytes(HEADER_BYTES), bytes(PIECE)))
        sent = 0
        while sent < GIVEN // PIECE and raw.poll(300, zmq.POLLOUT):
            raw.send(piece, zmq.NOBLOCK)
            sent += 1
        assert 16 < sent < GIVEN // PIECE
        for _ in range(sent):
            assert len(until(listener, Came).body) == PIECE  # type: ignore[attr-defined]
        assert listener.poll(0.1) is None


def test_what_was_taken_is_counted_to_the_byte() -> None:
    """So a connection may go on for ever: nothing adds up but heartbeats, which have an allowance."""
    with met() as (listener, raw, _):
        assert listener._listener is not None
        ((descriptor, connection),) = listener._listener._connections.by_descriptor.items()
        account = connection.account
        begun = _read_out(descriptor)
        assert begun is not None and begun - account.taken < 1024
        for size in (0, 1, 221, 222, 223, 1000, PIECE):
            raw.send(bytes(size) + b"\0")
            assert raw.poll(0, zmq.POLLOUT)
            assert isinstance(until(listener, Came), Came), "however short it is"
        raw.send(bytes(HEADER_BYTES) + b"\0")
        until(listener, Came)
        now = _read_out(descriptor)
        assert now is not None and abs((now - begun) - (account.taken - wire_bytes(HEADER_BYTES + 1))) < 100


def test_a_descriptor_that_is_another_files_by_now_is_left_alone() -> None:
    meter = Meter()
    (ours, theirs), (other, end) = socket.socketpair(), socket.socketpair()
    with ours, theirs, other, end:
        first = meter.watch(ours.fileno(), 0)
        os.dup2(other.fileno(), ours.fileno())
        assert not shut(first)
        assert other.send(b"still open") == 10
        second = meter.watch(ours.fileno(), 0)
        meter.forget(first)  # the news of its end is late
        assert meter._accounts == {second}
        assert shut(second)
        assert end.recv(100) == b"still open" and end.recv(1) == b""
    meter.close()


def test_the_thread_ends_with_the_transport() -> None:
    before = threading.active_count()
    with met():
        assert threading.active_count() > before
    assert not any(thread.name == "meter" for thread in threading.enumerate())


@pytest.mark.parametrize("size", [0, 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7])
def test_a_frame_is_put_together_of_its_messages(size: int) -> None:
    body = os.urandom(size)
    messages = list(messages_of(Frame(b"h" * HEADER_BYTES, body)))
    assert max(map(len, messages)) <= PIECE + HEADER_BYTES + 9
    frames = Assembler()
    got = [frames.take(memoryview(message), size) for message in messages]
    assert all(one is None for one in got[:-1]) and got[-1] is not None
    assert bytes(got[-1][0]) == b"h" * HEADER_BYTES and bytes(got[-1][1]) == body


def test_what_does_not_fit_makes_no_frame() -> None:
    """Left out, twice, in another order, without a beginning, beyond the end, nonsense: the next frame comes whole."""
    first, second, third = messages_of(Frame(b"h" * HEADER_BYTES, bytes(2 * PIECE + 5)))
    for wrong in (
        [second, third],
        [first, third],
        [first, second, second, third],
        [first, first, third],
        [first, second, third[:-9] + b"x" * 100 + third[-9:]],
        [first, b"", b"\7", b"\1", b"\2", third],
    ):
        frames = Assembler()
        assert [frames.take(memoryview(message), 1 << 30) for message in wrong] == [None] * len(wrong)
        again = [frames.take(memoryview(message), 1 << 30) for message in (first, second, third)]
        assert again[-1] is not None and len(again[-1][1]) == 2 * PIECE + 5


def test_a_claim_of_a_long_payload_takes_no_memory() -> None:
    first, _ = messages_of(Frame(b"h" * HEADER_BYTES, bytes(PIECE + 1)))
    claim = first[:-9] + (1 << 60).to_bytes(8, "little") + b"\1"
    with pytest.raises(TooLong):
        Assembler().take(memoryview(claim), 1 << 22)
