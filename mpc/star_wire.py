"""Frames between a server and its clients: a header of 48 bytes, as long as that of other links, then the message.

    magic 2 | version 1 | kind 1 | round 4 | attempt 2 | stage 4 | payload bytes 8 | zero 26

Frames carry no tag: each goes over one encrypted connection between the two ends that it is for (CURVE), and what
must be bound to a round is bound by the protocol itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from mpc.errors import ProtocolError
from mpc.session import Frame
from mpc.wire import HEADER_BYTES, label_code

MAGIC = b"BS"
VERSION = 1
_HEADER = struct.Struct("<2sBBIHIQ26x")
assert _HEADER.size == HEADER_BYTES

JOIN = 1  # client: I am here, and this is the digest of what I take to be agreed
START = 2  # server: a round begins; the payload is the session
UP = 3  # client: its message of a stage
DOWN = 4  # server: the answer to it
PING = 5  # client: I have heard nothing for long; this is the stage that I wait in
AGAIN = 6  # server: your message did not come
QUIT = 7  # client: I leave; the payload is an error's code
BYE = 8  # server: all rounds are done
ABORT = 9  # server: there will be no result; the payload is an error's code
OUT = 10  # client: I take no further part in this attempt, but in later ones; the payload is an error's code
KINDS = range(JOIN, OUT + 1)


@dataclass(frozen=True, slots=True)
class StarHeader:
    """A frame's header; `stage` is the code of its stage's label."""

    kind: int
    round: int = 0
    attempt: int = 0
    stage: int = 0

    @property
    def place(self) -> tuple[int, int, int]:
        """Which message of which attempt it is about."""
        return self.round, self.attempt, self.stage


def frame(kind: int, body: bytes = b"", *, round: int = 0, attempt: int = 0, label: str = "") -> Frame:
    """A frame."""
    stage = label_code(label) if label else 0
    return Frame(_HEADER.pack(MAGIC, VERSION, kind, round, attempt, stage, len(body)), body)


def read_header(head: Any, body: Any, sender: str) -> StarHeader:
    """The header of a frame.

    Raises:
        ProtocolError: it is no frame of ours, or not as long as it says.
    """
    if len(head) == HEADER_BYTES:
        magic, version, kind, round_, attempt, stage, length = _HEADER.unpack(head)
        if magic == MAGIC and version == VERSION and kind in KINDS and length == len(body):
            return StarHeader(kind, round_, attempt, stage)
    raise ProtocolError(f"{sender} sent a frame that is not ours", "check that all run the same version", party=sender)
