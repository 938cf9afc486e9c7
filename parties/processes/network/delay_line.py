"""One direction of a link with latency, jitter, bandwidth and cuts: which bytes it takes, and when it gives them out.

Pure: no socket and no clock; every call is told the time, in seconds. The bytes are those of the TCP stream: they come
in order, whatever the jitter, and what a cut holds up comes after it.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import Final

HELD_BYTES: Final = 64 << 20
"""The most bytes that a line holds, like a TCP window: its rate is at most this many bytes a latency."""

READ_AHEAD: Final = 0.01
"""Seconds of sending that are taken in advance, so that a late wake-up costs no bandwidth."""

_LARGEST_PIECE: Final = 256 << 10
_PACKET_SECONDS: Final = 0.0005
_SMALLEST_PACKET: Final = 1460
_MOST_PARTS: Final = 64


@dataclass(frozen=True)
class Conditions:
    """The conditions of a link, each way.

    Args:
        latency: seconds.
        bandwidth: bytes per second; None: no limit.
        jitter: seconds by which the latency of a packet is shorter or longer at most, drawn evenly.
        cuts: start and end of each pause in its sending, in seconds since the relay started, in order.
        seed: of the jitter.
    """

    latency: float
    bandwidth: float | None
    jitter: float = 0.0
    cuts: tuple[tuple[float, float], ...] = ()
    seed: int = 0


class End(Enum):
    """How a stream ends."""

    CLOSED = "closed"
    RESET = "reset"


class DelayLine:
    """Bytes on their way: each leaves the line a latency after the link has sent it, in order.

    The link sends one byte after the other at its bandwidth. What is written at once is cut into packets of half a
    millisecond, so that the first of it arrives while the rest is being sent.
    """

    def __init__(self, conditions: Conditions, began: float = 0.0, name: str = "") -> None:
        """Args: began: when the links were laid; name: of the line, by which its jitter differs from another's."""
        self._latency = conditions.latency
        self._jitter = conditions.jitter
        self._random = Random(f"{conditions.seed}/{name}")
        self._cuts = tuple((began + start, began + end) for start, end in conditions.cuts)
        self._bandwidth = conditions.bandwidth
        self._packet = _LARGEST_PIECE
        if conditions.bandwidth is not None:
            packet = min(conditions.bandwidth * _PACKET_SECONDS, _LARGEST_PIECE)
            self._packet = max(_SMALLEST_PACKET, int(packet))
        self._packets: deque[tuple[float, memoryview]] = deque()
        self._held = 0
        self._sent_at = 0.0  # when the link will have sent all its bytes
        self._takes = True
        self._end: tuple[float, End] | None = None
        self._was_reset = False

    def room(self, now: float) -> int:
        """The number of bytes that the line accepts now."""
        if not self._takes or self._held >= HELD_BYTES:
            return 0
        if self._bandwidth is None:
            return _LARGEST_PIECE
        ahead = max(0.0, self._sent_at - now)
        if ahead > READ_AHEAD / 2:
            return 0
        return max(self._packet, min(_LARGEST_PIECE, int((READ_AHEAD - ahead) * self._bandwidth)))

    def room_at(self, now: float) -> float:
        """When there will be room, if nothing is given out; infinity if there is room now, or will be none."""
        if self.room(now) or not self._takes or self._held >= HELD_BYTES:
            return math.inf
        return self._sent_at - READ_AHEAD / 2

    def put(self, now: float, data: bytes) -> None:
        """Take bytes that were written now."""
        self._held += len(data)
        self._sent_at = self._uncut(max(now, self._sent_at))
        view = memoryview(data)
        for start in range(0, len(data), self._packet):
            packet = view[start : start + self._packet]
            if self._bandwidth is not None:
                self._sent_at = self._uncut(self._sent_at + len(packet) / self._bandwidth)
            self._packets.append((self._arrives(self._sent_at), packet))

    def finish(self, now: float, end: End) -> None:
        """End the stream now, after all its bytes. A closed stream may still be reset."""
        if self._was_reset or not (self._takes or end is End.RESET):
            return
        self._takes = False
        self._was_reset = end is End.RESET
        self._end = self._arrives(self._uncut(max(now, self._sent_at))), end

    def _uncut(self, when: float) -> float:
        """The time of a sending that is due now: later if the link is cut."""
        return next((end for start, end in self._cuts if start <= when < end), when)

    def _arrives(self, sent: float) -> float:
        """When a packet arrives. It is given out then, or after the one before it, which may be later."""
        late = self._random.uniform(-self._jitter, self._jitter) if self._jitter else 0.0
        return sent + max(0.0, self._latency + late)

    def drop(self) -> None:
        """Drop all bytes and the end: there is no receiver."""
        self._packets.clear()
        self._held = 0
        self._takes = False
        self._end = None

    def due(self, now: float) -> list[memoryview]:
        """The next packets that have arrived, as many as one system call takes."""
        arrived: list[memoryview] = []
        for when, packet in self._packets:
            if when > now or len(arrived) == _MOST_PARTS:
                break
            arrived.append(packet)
        return arrived

    def gave(self, count: int) -> None:
        """The first `count` bytes of what was due were given out."""
        self._held -= count
        while count:
            when, packet = self._packets.popleft()
            if count < len(packet):
                self._packets.appendleft((when, packet[count:]))
                return
            count -= len(packet)

    def take_end(self, now: float) -> End | None:
        """The stream's end, once, when it has arrived after all bytes."""
        if self._end is None or self._packets or self._end[0] > now:
            return None
        end, self._end = self._end[1], None
        return end

    def arrival(self) -> float:
        """The time of the next arrival, of bytes or the end; infinity if nothing is under way."""
        if self._packets:
            return self._packets[0][0]
        return self._end[0] if self._end is not None else math.inf
