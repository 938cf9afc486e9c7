"""A message that a listener takes when the message's connection has ended, and another one has its descriptor."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from mpc.links.network import Came, Connected, Event
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.listener import Listener
from mpc.links.zmq.transport import Transport
from mpc.runtime.round import HEADER_BYTES
from tests.links.hostile.raw_peer import RawPeer
from tests.links.over_zmq import ANYWHERE

WORD = bytes(HEADER_BYTES) + b"\0"
PATIENCE = 20.0


class Busy:
    """A listener that computes whenever nobody lets it look; c's and m's connections to it."""

    def __init__(self) -> None:
        self.keys: dict[str, Identity] = {name: new_identity() for name in ("a", "c", "m")}
        allowed = {name: self.keys[name].public for name in ("c", "m")}
        self.transport = Transport(self.keys["a"], allowed, ANYWHERE)
        self.events: list[Event] = []
        self.fillers: list[int] = []
        self.made: list[RawPeer] = []

    @property
    def listener(self) -> Listener:
        assert self.transport._listener is not None
        return self.transport._listener

    def connect(self, name: str) -> Callable[[], RawPeer]:
        """Begin to connect; the result waits for it."""
        number = len(self.made)

        def run() -> None:
            self.made.append(RawPeer(self.keys[name], self.keys["a"].public, str(self.transport.endpoint)))

        thread = threading.Thread(target=run)
        thread.start()

        def wait() -> RawPeer:
            self.look_until(lambda: not thread.is_alive())
            return self.made[number]

        return wait

    def look_until(self, enough: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not enough():
            assert time.monotonic() < end, self.events
            if event := self.transport.poll(0.01):
                self.events.append(event)

    def descriptors(self) -> set[int]:
        """Of the connections that there are."""
        assert self.listener._gate is not None
        return self.listener._gate._open

    def take_gaps(self, but: int | None = None) -> None:
        """Use up all descriptors that are free among those in use, but one."""
        top = max(map(int, os.listdir("/proc/self/fd"))) + 1
        while (filler := os.open("/dev/null", os.O_RDONLY)) < top:
            self.fillers.append(filler)
        os.close(filler)
        if but is not None:
            self.fillers.remove(but)
            os.close(but)

    def close(self) -> None:
        for peer in self.made:
            peer.close()
        for filler in self.fillers:
            os.close(filler)
        self.transport.close(0)


@contextmanager
def busy() -> Iterator[Busy]:
    one = Busy()
    try:
        yield one
    finally:
        one.close()


def wait_until(enough: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not enough():
        assert time.monotonic() < end
        time.sleep(0.001)


def ended(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return True
    return False


def succeeded(one: Busy, monkeypatch: pytest.MonkeyPatch, *words: bytes) -> tuple[int, Callable[[], RawPeer]]:
    """m said this and left, c comes and gets its descriptor, and a looks at none of it; the descriptor, and c."""
    m = one.connect("m")()
    one.look_until(lambda: len(one.descriptors()) == 1)
    (descriptor,) = one.descriptors()
    made = socket.socket()

    def ready(address: Any, timeout: float) -> socket.socket:
        made.settimeout(timeout)
        made.connect(address)
        return made

    one.take_gaps()
    m.send(*words)
    m.close()
    wait_until(lambda: ended(descriptor))
    one.take_gaps(but=descriptor)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "create_connection", ready)
        c = one.connect("c")
        wait_until(lambda: not ended(descriptor))
    return descriptor, c


@pytest.mark.parametrize("words", [(WORD,), (b"", b"")], ids=["a word", "what is no message of ours"])
def test_who_comes_next_is_not_taken_for_who_left(words: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    with busy() as one:
        descriptor, coming = succeeded(one, monkeypatch, *words)
        c = coming()
        assert one.descriptors() == {descriptor}, "it is not the one whose descriptor was m's"
        c.send(WORD)
        one.look_until(lambda: Connected("c") in one.events)
        one.look_until(lambda: any(isinstance(event, Came) and event.peer == "c" for event in one.events))
        again = one.connect("m")()
        again.send(WORD)
        # m's first connection is not in the way of its second one, nor does its end mean c's
        before = len(one.events)
        one.look_until(lambda: Connected("m") in one.events[before:])
        c.send(WORD)
        one.look_until(lambda: [event.peer for event in one.events if isinstance(event, Came)].count("c") == 2)


def test_a_message_after_the_news_of_the_end_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    with busy() as one:
        descriptor, coming = succeeded(one, monkeypatch, WORD)
        with monkeypatch.context() as patched:
            patched.setattr(Listener, "_drain", lambda listener: None)
            one.listener._look_at_news()
        assert one.listener._connections.by_descriptor[descriptor].number == 2
        c = coming()
        c.send(WORD)
        one.look_until(lambda: any(isinstance(event, Came) for event in one.events))
        assert [event.peer for event in one.events if isinstance(event, Came | Connected)] == ["c", "c"]
