"""Probes, by which `mpc doctor` asks who is at a link's other end and how fast the link is, outside every session.

A probe is a frame of its own type: a JSON object, a zero byte, and filler. A channel that waits for a party, and meets
that party's doctor instead, answers the probes and goes on waiting; no sequence number moves. No probe holds data.

    about?     version, the scenario's public facts, what is being done
    echo? n    the same, at once: the round trip
    take? n    with `TRANSFER_BYTES` of filler; the answer says that it came: the way to the answering side
    send? n    the answer has as much filler: the way back

What is answered is bounded (`Answerer`): a question takes few bytes, and who asks need not read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mpc.links.session import HELLO_KEY, Frame
from mpc.links.wire import PROBE, TYPE_AT, seal, tag_is_right
from mpc.runtime.round import HEADER_BYTES

DOCTOR = "/doctor"
"""The suffix of a party's name for a connection of its doctor; no party's name has a stroke in it."""

DOCTORS_ROUTE = b"doctor"
"""The beginning of the routing ids of doctors' connections."""

TRANSFER_BYTES = 1_000_000
"""The bytes of the timed transfer, each way."""

ANSWERS_A_SECOND = 50
BYTES_A_SECOND = 2 * TRANSFER_BYTES + (1 << 16)
MOST_BYTES = 8 * TRANSFER_BYTES
"""The most bytes of answers to one peer until `Answerer.begin_again`: the most kept for one that does not read."""

TOTAL_BYTES = 32 * TRANSFER_BYTES
"""The most bytes of answers to all connected peers together (`Answered`)."""

_LONGEST = 1 << 20  # of a probe's JSON


def probe(fields: Mapping[str, Any], filler: int = 0) -> Frame:
    """A probe with these fields, and so many bytes of filler."""
    body = json.dumps(fields).encode() + b"\0" + bytes(filler)
    return Frame(seal(PROBE, 0, 0, 0, body, HELLO_KEY), body)


def is_probe(head: memoryview) -> bool:
    """Whether a frame is a probe, and so nothing of a session."""
    return len(head) == HEADER_BYTES and head[TYPE_AT] == PROBE


def read_probe(head: memoryview, body: memoryview) -> dict[str, Any]:
    """A probe's fields; empty if it makes no sense. What is in them is the peer's word, and to be checked."""
    if not tag_is_right(head, body, HELLO_KEY):
        return {}
    try:
        fields = json.loads(bytes(body[:_LONGEST]).split(b"\0", 1)[0])
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


@dataclass
class Answered:
    """Bytes of the answers to all peers of a party whose connections stand: no more than `TOTAL_BYTES`."""

    bytes: int = 0


class Answerer:
    """Answers the probes of one connection, within `ANSWERS_A_SECOND`, `BYTES_A_SECOND` and `MOST_BYTES`.

    Probes above these limits get no answer.

    Args:
        about: facts about this side.
        total: the answers to all peers.
    """

    def __init__(self, about: Mapping[str, Any], total: Answered) -> None:
        self._about = dict(about)
        self._total = total
        self._second = -math.inf  # when the second began that is counted
        self._answers = self._bytes = 0  # in it
        self._all_bytes = 0

    def answer(self, fields: Mapping[str, Any], now: float, **more: Any) -> Frame | None:
        """The answer; None for what is no question, or one too many.

        Args:
            now: the time at which the probe came, in seconds.
            more: further facts about this side, if these are asked for.
        """
        answer = self._answer(fields, more)
        return None if answer is None else self._bounded(answer, now)

    def begin_again(self) -> None:
        """The connection is gone, and with it whatever waited for the peer."""
        self._total.bytes -= self._all_bytes
        self._all_bytes = 0

    def _bounded(self, answer: Frame, now: float) -> Frame | None:
        """The answer, or None if it is one too many."""
        if now - self._second >= 1.0:
            self._second, self._answers, self._bytes = now, 0, 0
        if self._answers >= ANSWERS_A_SECOND or self._all_bytes + answer.size > MOST_BYTES:
            return None
        if self._answers and self._bytes + answer.size > BYTES_A_SECOND:
            return None
        if self._total.bytes + answer.size > TOTAL_BYTES:
            return None
        self._answers += 1
        self._bytes += answer.size
        self._all_bytes += answer.size
        self._total.bytes += answer.size
        return answer

    def _answer(self, fields: Mapping[str, Any], more: Mapping[str, Any]) -> Frame | None:
        match fields:
            case {"is": "about?"}:
                return probe({**self._about, **more, "is": "about"})
            case {"is": "echo?", "n": int(number)}:
                return probe({"is": "echo", "n": number})
            case {"is": "take?", "n": int(number)}:
                return probe({"is": "took", "n": number})
            case {"is": "send?", "n": int(number)}:
                return probe({"is": "sent", "n": number}, TRANSFER_BYTES)
            case _:
                return None


class Doctors:
    """Answers the doctors of peers, which take no part: who is here at any time, measurements only while it waits.

    Args:
        say: told once of each.
        about: what they are told of this side; may be set later.
        looking_at: what a peer looks at, in words.
    """

    def __init__(self, say: Callable[[str], None], about: Mapping[str, Any], looking_at: str) -> None:
        self.about = about
        self._say = say
        self._looking_at = looking_at
        self._answerers: dict[str, Answerer] = {}
        self._total = Answered()

    def answer(self, peer: str, head: memoryview, body: memoryview, now: float, *, waiting: bool) -> Frame | None:
        """The answer to a probe; None for no answer."""
        party = peer.removesuffix(DOCTOR)
        if party not in self._answerers:
            self._answerers[party] = Answerer(self.about, self._total)
            self._say(f"{party} looks at {self._looking_at} with `mpc doctor`, and is answered")
        fields = read_probe(head, body)
        if not waiting and fields.get("is") != "about?":
            return None
        return self._answerers[party].answer(fields, now, doing="waiting" if waiting else "running")

    def left(self, peer: str) -> None:
        """A connection is gone, perhaps a doctor's."""
        if peer.endswith(DOCTOR) and (answerer := self._answerers.get(peer.removesuffix(DOCTOR))):
            answerer.begin_again()


def a_number(value: Any) -> float | None:
    """A peer's word for a number, if it is one that can be: finite, and not below zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
