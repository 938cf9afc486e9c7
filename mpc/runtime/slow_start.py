"""How long a message takes to leave on a TCP connection that has not carried much yet, for estimates of time."""

from __future__ import annotations

from typing import Final

FIRST_WINDOW: Final = 14_600
"""Bytes that a new connection sends before it waits for the first acknowledgement: ten segments (RFC 6928)."""


class Way:
    """One direction of a connection. What it sends without waiting doubles each round trip that uses it up.

    It is taken not to shrink again: messages that follow each other within a fraction of a second keep it.

    Args:
        round_trip: seconds.
        bandwidth: bytes a second.
        slow_start: whether it begins small, as TCP does (RFC 5681); else the bandwidth is there from the first byte.
    """

    def __init__(self, round_trip: float, bandwidth: float, *, slow_start: bool) -> None:
        self._round_trip = round_trip
        self._bandwidth = bandwidth
        self._window = float(FIRST_WINDOW) if slow_start else float("inf")

    def transfer(self, size: int) -> float:
        """Seconds from the message's first byte to its last at the sender."""
        left, waited = float(size), 0.0
        while left > self._window and self._window < self._round_trip * self._bandwidth:
            left -= self._window
            waited += self._round_trip
            self._window *= 2
        return waited + left / self._bandwidth
