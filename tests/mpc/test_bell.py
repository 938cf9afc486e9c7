"""Waiting for sockets: what is named, when, and that nothing that happened is slept through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from mpc.links.zmq.poller import Bell

LONG = 20.0


@pytest.fixture
def ends() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    with zmq.Context() as context, context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://bell")
        there.connect("inproc://bell")
        yield here, there


def emptied(socket: zmq.Socket[bytes]) -> list[bytes]:
    """All that is in a socket."""
    taken = []
    while True:
        try:
            taken.append(socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            return taken


def test_a_new_socket_is_named_once_though_nothing_rang(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, _ = ends
    bell = Bell()
    bell.watch(here)
    assert bell.wait(LONG) == [here]
    assert emptied(here) == []
    assert bell.wait(0) == []


def test_what_happens_after_a_socket_was_found_empty_rings(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, there = ends
    bell = Bell()
    for socket in ends:
        bell.watch(socket)
    assert set(bell.wait(LONG)) == set(ends)
    assert emptied(here) == emptied(there) == []
    for number in range(100):
        there.send(b"%d" % number)
        taken: list[bytes] = []
        while not taken:
            rang = bell.wait(LONG)
            assert rang, f"slept through message {number}"
            taken = [message for socket in rang for message in emptied(socket)]
        assert taken == [b"%d" % number]


def test_what_came_before_the_bell_is_not_missed(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, there = ends
    there.send(b"early")
    bell = Bell()
    bell.watch(here)
    assert bell.wait(LONG) == [here]
    assert emptied(here) == [b"early"]


def test_a_forgotten_socket_is_named_no_more(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, there = ends
    bell = Bell()
    bell.watch(here)
    bell.forget(here)
    there.send(b"to nobody")
    assert bell.wait(0.01) == []


def test_a_socket_not_emptied_is_named_again_and_others_beside_it(
    ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]],
) -> None:
    here, there = ends
    bell = Bell()
    for socket in ends:
        bell.watch(socket)
    assert set(bell.wait(LONG)) == set(ends)
    assert emptied(here) == emptied(there) == []
    here.send(b"news")
    named = [here]
    while named == [here]:  # until the news has got there
        bell.again(here)
        named = bell.wait(LONG)
    assert sorted(map(id, named)) == sorted(map(id, ends)), "each of them once"
