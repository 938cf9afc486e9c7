"""A lane's records: in order and whole, or the lane ends; and nothing on the way can be read."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.lane import LENGTH_BYTES, LONGEST, SEAL_BYTES, GcmCipher, Lane, LaneKeys
from mpc.wire import UNTAGGED_BYTES
from tests.examples import steady

A, B, C = (bytes([letter]) * 32 for letter in b"abc")
SIZES = st.one_of(st.integers(0, 100), st.sampled_from([LONGEST - 1, LONGEST]))
HEAD = bytes(UNTAGGED_BYTES)
BEFORE = LENGTH_BYTES + UNTAGGED_BYTES  # of a record, before the body of its frame


def bodies(frames: list[memoryview]) -> list[bytes]:
    for frame in frames:
        assert frame[:UNTAGGED_BYTES] == HEAD
    return [bytes(frame[UNTAGGED_BYTES:]) for frame in frames]


@dataclass
class Ends:
    """The connections of a's lane and of b's, joined by the test's own hand."""

    a: Lane
    b: Lane
    from_a: socket.socket
    to_b: socket.socket

    def records(self, *bodies: bytes) -> list[bytes]:
        """What a's lane sends for frames of these bodies."""
        records = []
        for body in bodies:
            self.a.send(HEAD + body)
            size = self.from_a.recv(LENGTH_BYTES, socket.MSG_WAITALL)
            rest = b""
            while len(rest) < int.from_bytes(size, "little"):
                if self.a.full:
                    self.a.flush()
                rest += self.from_a.recv(int.from_bytes(size, "little") - len(rest))
            records.append(size + rest)
        return records

    def take(self, *pieces: bytes) -> list[bytes]:
        """The bodies that b's lane makes of bytes that come in these pieces."""
        taken: list[bytes] = []
        for piece in pieces:
            view = memoryview(piece)
            while view:
                try:
                    view = view[self.to_b.send(view) :]
                except BlockingIOError:
                    taken += bodies(self.b.receive())
                except OSError:
                    return taken
            taken += bodies(self.b.receive())
        return taken


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    with one, other:
        yield one, other


@contextmanager
def ends() -> Iterator[Ends]:
    with connected() as (a, from_a), connected() as (to_b, b):
        from_a.settimeout(5)
        to_b.setblocking(False)
        yield Ends(Lane("b", a, GcmCipher(LaneKeys(A, B))), Lane("a", b, GcmCipher(LaneKeys(B, A))), from_a, to_b)


def two(one: socket.socket, other: socket.socket) -> tuple[Lane, Lane]:
    return Lane("b", one, GcmCipher(LaneKeys(A, B))), Lane("a", other, GcmCipher(LaneKeys(B, A)))


def until(lane: Lane, count: int = 1) -> list[bytes]:
    """The next bodies that come, at least so many, or all before the lane ends."""
    taken: list[bytes] = []
    while len(taken) < count and not lane.ended:
        taken += bodies(lane.receive())
    return taken


@steady(100)
@given(st.lists(SIZES, min_size=1, max_size=4), st.lists(st.floats(0, 1), max_size=4))
def test_frames_arrive_whole_and_in_order_however_their_bytes_come(sizes: list[int], cuts: list[float]) -> None:
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    with ends() as both:
        stream = b"".join(both.records(*sent))
        places = [0, *sorted(round(cut * len(stream)) for cut in cuts), len(stream)]
        taken = both.take(*(stream[start:stop] for start, stop in pairwise(places)))
        taken += until(both.b, len(sent) - len(taken))  # the kernel may hand over what it has a little later
        assert taken == sent and not both.b.ended


def test_both_directions_at_once() -> None:
    with connected() as (one, other):
        a, b = two(one, other)
        for number in range(50):
            for lane, body in ((a, b"from a %d" % number), (b, b"from b %d" % number)):
                lane.send(HEAD + body)
            assert until(b) == [b"from a %d" % number]
            assert until(a) == [b"from b %d" % number]


def test_what_a_full_lane_could_not_send_is_sent_once_there_is_room() -> None:
    with connected() as (one, other):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        a, b = two(one, other)
        sent: list[bytes] = []
        while not a.full:
            sent.append(bytes([len(sent) % 251]) * LONGEST)
            a.send(HEAD + sent[-1])
        taken: list[bytes] = []
        while len(taken) < len(sent):
            taken += bodies(b.receive())
            a.flush()
        assert taken == sent and not a.full and not a.ended and not b.ended


@pytest.mark.parametrize("at", [0, 3, 4, 5, 30, BEFORE, BEFORE + 59, -SEAL_BYTES, -1])
def test_an_altered_byte_ends_the_lane_and_nothing_of_its_record_is_taken(at: int) -> None:
    with ends() as both:
        first, second, third = both.records(b"1" * 60, b"2" * 60, b"3" * 60)
        altered = bytearray(second)
        altered[at] ^= 1
        taken = both.take(first, bytes(altered), third, bytes(4 * LONGEST))
        assert taken == [b"1" * 60] and both.b.ended


@pytest.mark.parametrize(
    ("order", "good"),
    [((0, 0), 1), ((0, 2), 1), ((1, 0), 0), ((0, 1, 0), 2)],
    ids=["repeated", "left out", "swapped", "old"],
)
def test_a_record_out_of_turn_ends_the_lane(order: tuple[int, ...], good: int) -> None:
    sent = [b"one", b"two", b"three"]
    with ends() as both:
        records = both.records(*sent)
        assert both.take(*(records[number] for number in order)) == sent[:good] and both.b.ended


@pytest.mark.parametrize(
    "keys", [LaneKeys(A, B), LaneKeys(C, A), LaneKeys(B, C)], ids=["its own", "right", "another's"]
)
def test_a_record_is_for_one_direction_of_one_link(keys: LaneKeys) -> None:
    with ends() as both, connected() as (one, other):
        lane = Lane("a", one, GcmCipher(keys))
        other.sendall(both.records(b"frame")[0])
        assert (until(lane), lane.ended) == (([b"frame"], False) if keys.theirs == A else ([], True))


def test_a_record_longer_than_any_ends_the_lane_before_it_has_come() -> None:
    longest = UNTAGGED_BYTES + LONGEST + SEAL_BYTES
    with ends() as both:
        assert both.take(longest.to_bytes(LENGTH_BYTES, "little")) == [] and not both.b.ended
    with ends() as both:
        assert both.take((longest + 1).to_bytes(LENGTH_BYTES, "little")) == [] and both.b.ended


def test_what_came_before_the_end_is_taken_and_half_a_record_is_not() -> None:
    with ends() as both:
        first, second = both.records(b"first", b"second")
        both.to_b.send(first + second[:-1])
        both.to_b.close()
        assert until(both.b, 2) == [b"first"] and both.b.ended


def test_a_peer_that_is_gone_ends_the_lane_of_who_sends() -> None:
    with connected() as (one, other):
        lane, _ = two(one, other)
        other.close()
        sent = 0
        while not lane.ended and sent < 1000:
            lane.send(HEAD + b"frame")
            sent += 1
        assert lane.ended


def test_nothing_of_a_frame_can_be_read_on_the_way() -> None:
    secret = b"the patient's diagnosis"
    with ends() as both:
        first, second = both.records(secret, secret)
        assert secret not in first and secret not in second and first != second
        assert len(first) == BEFORE + len(secret) + SEAL_BYTES
        assert both.take(first + second) == [secret, secret]
