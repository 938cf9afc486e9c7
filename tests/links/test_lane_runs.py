"""Whole runs whose owners have lanes: the same bits and traffic as without, whatever happens to a lane."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import pytest

from mpc.lane import SEAL_BYTES
from mpc.lockstep import run_lockstep
from tests.links.lane_relay import LaneRelay, Touch, untouched
from tests.links.over_zmq import HELPER, Run
from tests.links.test_play import bits, check_traffic, run, small
from tests.mpc.kit import entropy, owners

RECORDS = [(True, number) for number in range(5)] + [(False, number) for number in range(4)]
"""Of the lane in a run of `small` by two: whether the dialler's, and its number; the dialler's first greets."""


@contextmanager
def relays(touch: Touch = untouched) -> Iterator[tuple[list[LaneRelay], Callable[[str, str, int], int]]]:
    """A relay in the middle of every lane, and what tells where it is."""
    made: list[LaneRelay] = []
    with ExitStack() as stack:

        def through(dialler: str, listener: str, port: int) -> int:
            made.append(stack.enter_context(LaneRelay(port, touch)))
            return made[-1].port

        yield made, through


@cache
def expected(n: int) -> Any:
    return run_lockstep(dict.fromkeys(owners(n), small), entropy=entropy(n))


def check_results(done: Run, n: int) -> None:
    alone = expected(n)
    for name in owners(n):
        assert bits(done.played[name].result) == bits(alone.results[name])
        assert tuple(done.played[name].trace.reveals) == alone.plan.reveals
        one = done.played[name]
        assert (one.bytes_sent, one.messages) == (alone.plan.bytes_sent[name], alone.plan.messages_sent[name])


@pytest.mark.parametrize("n", [2, 3, 5])
def test_every_frame_between_owners_is_on_a_lane_and_all_else_is_as_without(n: int) -> None:
    with relays() as (made, through):
        done = run(small, n, lanes=through)
        check_results(done, n)
        sizes = sorted(size for relay in made for size in relay.sizes)
    check_traffic(done, expected(n).plan)
    labels = {one.label for one in expected(n).plan.rounds}
    frames = [len(f.head) + len(f.body) for f in done.frames if f.label in labels]
    greetings = [4 + len(b"beaverlodge lane") + SEAL_BYTES] * (n * (n - 1) // 2)
    assert sizes == sorted([*greetings, *(4 + frame for frame in frames)])
    assert all(HELPER not in (f.sender, f.receiver) for f in done.frames if f.label in labels)


def at(number: int, from_dialler: bool, what: Callable[[bytes], list[bytes] | None]) -> Touch:
    """Do something to one record, and nothing to all others."""

    def touch(dialler: bool, count: int, record: bytes) -> list[bytes] | None:
        if (dialler, count) == (from_dialler, number):
            return what(record)
        return [record]

    return touch


def turned(record: bytes) -> list[bytes]:
    """One bit in the middle."""
    place = len(record) // 2
    return [record[:place] + bytes([record[place] ^ 4]) + record[place + 1 :]]


TROUBLE: dict[str, Callable[[bytes], list[bytes] | None]] = {
    "cut": lambda record: None,
    "altered": turned,
    "dropped": lambda record: [],
    "repeated": lambda record: [record, record],
    "cut short": lambda record: [record[:-1]],
    "of no length that there is": lambda record: [b"\xff\xff\xff\x7f" + record[4:]],
}


@pytest.mark.parametrize(("from_dialler", "number"), RECORDS)
@pytest.mark.parametrize("trouble", ["cut", "altered", "repeated", "of no length that there is"])
def test_whatever_becomes_of_a_record_the_run_goes_on(trouble: str, from_dialler: bool, number: int) -> None:
    met: list[int] = []

    def what(record: bytes) -> list[bytes] | None:
        met.append(number)
        return TROUBLE[trouble](record)

    with relays(at(number, from_dialler, what)) as (_, through):
        done = run(small, 2, lanes=through)
    check_results(done, 2)
    assert met == [number]


@pytest.mark.parametrize("trouble", ["dropped", "cut short"])
def test_who_waits_for_a_record_that_does_not_come_hears_it_once_the_lane_ends(trouble: str) -> None:
    """The peer's next record shows the gap; where none comes, because both wait, the lane's end does."""
    lost: list[bytes] = []

    def touch(dialler: bool, count: int, record: bytes) -> list[bytes] | None:
        if dialler and count == 3 and not lost:
            lost.append(record)
            return TROUBLE[trouble](record)
        return None if lost else [record]

    with relays(touch) as (_, through):
        done = run(small, 2, lanes=through)
    check_results(done, 2)
    assert lost


def test_where_no_lane_is_to_be_had_zeromq_carries_all() -> None:
    done = run(small, 3, lanes=lambda dialler, listener, port: 1)
    check_results(done, 3)
    check_traffic(done, expected(3).plan)


def test_somebody_else_at_the_port_who_takes_all_in_and_says_nothing_is_no_lane() -> None:
    """As a tunnel's end may be, where addresses of one machine stand for several."""
    with ExitStack() as stack:
        held: list[socket.socket] = []

        def through(dialler: str, listener: str, port: int) -> int:
            held.append(stack.enter_context(socket.create_server(("127.0.0.1", 0))))
            return int(held[-1].getsockname()[1])

        done = run(small, 2, lanes=through)
        assert len(held) == 1
    check_results(done, 2)
    check_traffic(done, expected(2).plan)
