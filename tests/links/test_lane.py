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

from mpc.lane import LONGEST, SEAL_BYTES, GcmCipher, Lane, LaneKeys
from mpc.wire import HEADER_BYTES
from tests.examples import steady

A, B, C = (bytes([letter]) * 32 for letter in b"abc")
LARGEST = LONGEST + HEADER_BYTES
SIZES = st.one_of(st.integers(0, 100), st.sampled_from([LARGEST - 1, LARGEST, LONGEST]))


@dataclass
class Ends:
    """The connections of a's lane and of b's, joined by the test's own hand."""

    a: Lane
    b: Lane
    from_a: socket.socket
    to_b: socket.socket

    def records(self, *frames: bytes) -> list[bytes]:
        """What a's lane sends for each frame."""
        records = []
        for frame in frames:
            self.a.send(frame)
            record = self.from_a.recv(4, socket.MSG_WAITALL)
            records.append(record + self.from_a.recv(int.from_bytes(record, "little"), socket.MSG_WAITALL))
        return records

    def take(self, *pieces: bytes) -> list[bytes]:
        """What b's lane makes of bytes that come in these pieces."""
        frames: list[bytes] = []
        for piece in pieces:
            view = memoryview(piece)
            while view:
                try:
                    view = view[self.to_b.send(view) :]
                except BlockingIOError:
                    frames += map(bytes, self.b.receive())
                except OSError:
                    return frames
            frames += map(bytes, self.b.receive())
        return frames


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


@steady(100)
@given(st.lists(SIZES, min_size=1, max_size=4), st.lists(st.floats(0, 1), max_size=4))
def test_frames_arrive_whole_and_in_order_however_their_bytes_come(sizes: list[int], cuts: list[float]) -> None:
    frames = [bytes([number]) * size for number, size in enumerate(sizes)]
    with ends() as both:
        stream = b"".join(both.records(*frames))
        places = [0, *sorted(round(cut * len(stream)) for cut in cuts), len(stream)]
        taken = both.take(*(stream[start:stop] for start, stop in pairwise(places)))
        while len(taken) < len(frames) and not both.b.ended:  # the kernel may hand over what it has a little later
            taken += map(bytes, both.b.receive())
        assert taken == frames and not both.b.ended


def test_both_directions_at_once() -> None:
    with connected() as (one, other):
        a, b = Lane("b", one, GcmCipher(LaneKeys(A, B))), Lane("a", other, GcmCipher(LaneKeys(B, A)))
        for number in range(50):
            a.send(b"from a %d" % number)
            b.send(b"from b %d" % number)
            assert until_one(b) == b"from a %d" % number
            assert until_one(a) == b"from b %d" % number


def test_what_a_full_lane_could_not_send_is_sent_once_there_is_room() -> None:
    with connected() as (one, other):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        a, b = Lane("b", one, GcmCipher(LaneKeys(A, B))), Lane("a", other, GcmCipher(LaneKeys(B, A)))
        frames: list[bytes] = []
        while not a.full:
            frames.append(bytes([len(frames) % 251]) * LARGEST)
            a.send(frames[-1])
        taken: list[bytes] = []
        while len(taken) < len(frames):
            taken += map(bytes, b.receive())
            a.flush()
        assert taken == frames and not a.full and not a.ended and not b.ended


@pytest.mark.parametrize("at", [0, 3, 4, 5, 30, 4 + 60, -SEAL_BYTES, -1])
def test_an_altered_byte_ends_the_lane_and_nothing_of_its_record_is_taken(at: int) -> None:
    with ends() as both:
        first, second, third = both.records(b"1" * 60, b"2" * 60, b"3" * 60)
        altered = bytearray(second)
        altered[at] ^= 1
        taken = both.take(first, bytes(altered), third, bytes(200_000))
        assert taken == [b"1" * 60] and both.b.ended


@pytest.mark.parametrize(
    ("order", "good"),
    [((0, 0), 1), ((0, 2), 1), ((1, 0), 0), ((0, 1, 0), 2)],
    ids=["repeated", "left out", "swapped", "old"],
)
def test_a_record_out_of_turn_ends_the_lane(order: tuple[int, ...], good: int) -> None:
    frames = [b"one", b"two", b"three"]
    with ends() as both:
        records = both.records(*frames)
        assert both.take(*(records[number] for number in order)) == frames[:good] and both.b.ended


@pytest.mark.parametrize(
    "keys", [LaneKeys(A, B), LaneKeys(C, A), LaneKeys(B, C)], ids=["its own", "right", "another's"]
)
def test_a_record_is_for_one_direction_of_one_link(keys: LaneKeys) -> None:
    with ends() as both, connected() as (one, other):
        record = both.records(b"frame")[0]
        lane = Lane("a", one, GcmCipher(keys))
        other.sendall(record)
        taken: list[bytes] = []
        while not taken and not lane.ended:
            taken = [bytes(frame) for frame in lane.receive()]
        assert (taken, lane.ended) == (([b"frame"], False) if keys.theirs == A else ([], True))


def test_a_record_longer_than_any_ends_the_lane_before_it_has_come() -> None:
    with ends() as both:
        assert both.take((LARGEST + SEAL_BYTES + 1).to_bytes(4, "little")) == [] and both.b.ended


def test_what_came_before_the_end_is_taken_and_half_a_record_is_not() -> None:
    with ends() as both:
        first, second = both.records(b"first", b"second")
        both.to_b.send(first + second[:-1])
        both.to_b.close()
        taken: list[bytes] = []
        while not both.b.ended:
            taken += map(bytes, both.b.receive())
        assert taken == [b"first"]


def test_a_peer_that_is_gone_ends_the_lane_of_who_sends() -> None:
    with connected() as (one, other):
        lane = Lane("b", one, GcmCipher(LaneKeys(A, B)))
        other.close()
        while not lane.ended:
            lane.send(b"frame")


def test_nothing_of_a_frame_can_be_read_on_the_way() -> None:
    secret = b"the patient's diagnosis"
    with ends() as both:
        first, second = both.records(secret, secret)
        assert secret not in first and secret not in second and first != second
        assert len(first) == 4 + len(secret) + SEAL_BYTES
        assert both.take(first + second) == [secret, secret]


def until_one(lane: Lane) -> bytes:
    while not (frames := lane.receive()):
        assert not lane.ended
    (frame,) = frames
    return bytes(frame)
