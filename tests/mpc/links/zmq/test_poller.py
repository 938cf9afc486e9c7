"""Waiting for sockets: what is named, when, and that nothing that happened is slept through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from mpc.links.zmq.poller import Poller

LONG = 20.0


@pytest.fixture
def ends() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    with zmq.Context() as context, context.socket(zmq.PAIR) as here, context.socket(zmq.PAIR) as there:
        here.bind("inproc://poller")
        there.connect("inproc://poller")
        yield here, there


def emptied(socket: zmq.Socket[bytes]) -> list[bytes]:
    """All that is in a socket."""
    taken = []
    while True:
        try:
            taken.append(socket.recv(zmq.NOBLOCK))
        except zmq.Again:
            return taken


def watching_empty(here: zmq.Socket[bytes], there: zmq.Socket[bytes]) -> Poller:
    """A poller for both, which were found empty."""
    poller = Poller()
    for socket in (here, there):
        poller.watch(socket)
    assert set(poller.wait(LONG)) == {here, there}
    assert emptied(here) == emptied(there) == []
    return poller


def test_a_new_socket_is_named_once_though_nothing_rang(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, _ = ends
    poller = Poller()
    poller.watch(here)
    assert poller.wait(LONG) == [here]
    assert emptied(here) == []
    assert poller.wait(0) == []


def test_what_happens_after_a_socket_was_found_empty_rings(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, there = ends
    poller = watching_empty(here, there)
    for number in range(100):
        there.send(b"%d" % number)
        taken: list[bytes] = []
        while not taken:
            rang = poller.wait(LONG)
            assert rang, f"slept through message {number}"
            taken = [message for socket in rang for message in emptied(socket)]
        assert taken == [b"%d" % number]


def test_what_came_before_the_bell_is_not_missed(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, there = ends
    there.send(b"early")
    poller = Poller()
    poller.watch(here)
    assert poller.wait(LONG) == [here]
    assert emptied(here) == [b"early"]


def test_a_forgotten_socket_is_named_no_more(ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    here, there = ends
    poller = Poller()
    poller.watch(here)
    poller.forget(here)
    there.send(b"to nobody")
    assert poller.wait(0.01) == []


def test_a_socket_not_emptied_is_named_again_beside_others(
    ends: tuple[zmq.Socket[bytes], zmq.Socket[bytes]],
) -> None:
    here, there = ends
    poller = watching_empty(here, there)
    here.send(b"news")
    named = [here]
    while named == [here]:  # until the news has got there
        poller.again(here)
        named = poller.wait(LONG)
    assert sorted(map(id, named)) == sorted(map(id, ends)), "each of them once"
