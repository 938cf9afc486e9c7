"""Probes: how `mpc doctor` asks who is at a link's other end and how fast the link is, outside every session.

A probe is a frame of its own type: a JSON object, a zero byte, and filler. A channel that waits for a party, and meets
that party's doctor instead, answers the probes and goes on waiting; no sequence number moves. No probe holds data.

    about                     version, the scenario's public facts, what is being done
    echo    n                 the same, at once: the round trip
    piece   n of train        one of many; after the last the receiver says how long they took to come: one way's rate
    send    pieces            asks for such a train, the other way
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from mpc.session import HELLO_KEY, Frame
from mpc.wire import HEADER_BYTES, PROBE, peek_type, seal, tag_is_right

DOCTOR = "/doctor"
"""What a transport adds to a party's name for a connection of its doctor; no party's name has a stroke in it."""

DOCTORS_ROUTE = b"doctor"
"""How the routing ids of doctors' connections begin."""

PIECE_BYTES = 32_000
MOST_PIECES = 1024
_LONGEST = 1 << 20  # of a probe's JSON


def probe(fields: Mapping[str, Any], filler: int = 0) -> Frame:
    """A probe with these fields, and so many bytes of filler."""
    body = json.dumps(fields).encode() + b"\0" + bytes(filler)
    return Frame(seal(PROBE, 0, 0, 0, body, HELLO_KEY), body)


def train(number: int, pieces: int) -> list[Frame]:
    """Frames to measure one way's rate with."""
    return [probe({"is": "piece", "train": number, "n": n, "of": pieces}, PIECE_BYTES) for n in range(pieces)]


def is_probe(head: memoryview) -> bool:
    """Whether a frame is a probe, and so nothing of a session."""
    return len(head) == HEADER_BYTES and peek_type(head) == PROBE


def read_probe(head: memoryview, body: memoryview) -> dict[str, Any]:
    """A probe's fields; empty if it makes no sense. What is in them is the peer's word, and to be checked."""
    if not tag_is_right(head, body, HELLO_KEY):
        return {}
    try:
        fields = json.loads(bytes(body[:_LONGEST]).split(b"\0", 1)[0])
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


class Answerer:
    """Answers the probes of one peer.

    Args:
        about: what to tell of this side.
    """

    def __init__(self, about: Mapping[str, Any]) -> None:
        self._about = dict(about)
        self._train: tuple[int, int, float] | None = None  # of the train that comes: number, pieces so far, beginning

    def answer(self, fields: Mapping[str, Any], now: float, **more: Any) -> list[Frame]:
        """What to send back; nothing for what is no question.

        Args:
            now: when the probe came, in seconds.
            more: what else to tell of this side, if that is asked.
        """
        match fields:
            case {"is": "about?"}:
                return [probe({**self._about, **more, "is": "about"})]
            case {"is": "echo?", "n": int(number)}:
                return [probe({"is": "echo", "n": number})]
            case {"is": "send?", "train": int(number), "pieces": int(pieces)} if 0 < pieces <= MOST_PIECES:
                return train(number, pieces)
            case {"is": "piece", "train": int(number), "n": int(place), "of": int(pieces)}:
                return self._piece(number, place, pieces, now)
            case _:
                return []

    def _piece(self, number: int, place: int, pieces: int, now: float) -> list[Frame]:
        if self._train is None or self._train[0] != number or place == 0:
            self._train = (number, 0, now)
        _, so_far, began = self._train
        self._train = (number, so_far + 1, began)
        if place + 1 < pieces:
            return []
        # The first piece says when the train began to come: its own way does not count.
        return [probe({"is": "came", "train": number, "bytes": so_far * PIECE_BYTES, "seconds": now - began})]


def a_number(value: Any) -> float | None:
    """A peer's word for a number, if it is one that can be: finite, and not below zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
