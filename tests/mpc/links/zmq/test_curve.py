"""A context of ZeroMQ that nobody ended."""

from __future__ import annotations

import gc
import threading

import zmq

from mpc.links.zmq.curve import new_context


def drop() -> None:
    """Leave a context to the garbage collector while a message waits in it for a peer that never comes."""
    socket = new_context().socket(zmq.DEALER)
    socket.connect("tcp://127.0.0.1:1")
    socket.send(b"to nobody")
    socket.close(linger=-1)
    del socket
    gc.collect()


def test_a_context_that_nobody_ended_holds_no_thread_up() -> None:
    """The collector runs in any thread; pyzmq's own context would wait there without end."""
    thread = threading.Thread(target=drop, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
