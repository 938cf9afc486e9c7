"""Frames between a server and its clients: a header of 48 bytes, as long as that of other links, then the message.

    magic 2 | version 1 | kind 1 | round 4 | attempt 2 | stage 4 | payload bytes 8 | instance 16 | zero 10

The first three bytes mean the same in every version, so that two parties of different ones learn that. `instance` is
of a client's process, drawn at its start, in all that it sends: of two processes with one key, the server hears one.
Frames carry no tag: each goes over one encrypted connection between the two ends that it is for (CURVE), and what
must be bound to a round is bound by the protocol itself.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

from mpc.errors import BeaverlodgeError, DisagreementError, ProtocolError, error_of_code
from mpc.links.session import Frame
from mpc.links.wire import SAME_VERSION, STAR_MAGIC, STAR_VERSION, label_code
from mpc.runtime.round import HEADER_BYTES

MAGIC, VERSION = STAR_MAGIC, STAR_VERSION
_HEADER = struct.Struct("<2sBBIHIQ16s10x")
assert _HEADER.size == HEADER_BYTES

INSTANCE_BYTES: Final = 16
NO_INSTANCE: Final = bytes(INSTANCE_BYTES)
"""The instance in a server's frames, which go to the process at the connection."""

WORD_BYTES: Final = 256
"""The longest message outside of stages: digests, sessions, codes."""

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
HERE = 11  # server: nothing is due of you in what you asked about; wait for the next START
KINDS = range(JOIN, HERE + 1)


@dataclass(frozen=True, slots=True)
class StarHeader:
    """A frame's header; `stage` is the code of its stage's label."""

    kind: int
    round: int = 0
    attempt: int = 0
    stage: int = 0
    instance: bytes = NO_INSTANCE

    @property
    def place(self) -> tuple[int, int, int]:
        """The message and the attempt that it is about."""
        return self.round, self.attempt, self.stage


def frame(
    kind: int,
    body: bytes = b"",
    *,
    round: int = 0,
    attempt: int = 0,
    label: str = "",
    instance: bytes = NO_INSTANCE,
) -> Frame:
    """A frame."""
    stage = label_code(label) if label else 0
    return Frame(_HEADER.pack(MAGIC, VERSION, kind, round, attempt, stage, len(body), instance), body)


def read_header(head: Any, body: Any, sender: str) -> StarHeader:
    """The header of a frame.

    Raises:
        DisagreementError: it is one of another version.
        ProtocolError: it is no frame of ours, or not as long as it says.
    """
    if len(head) > len(MAGIC) and head[:2] == MAGIC and (theirs := head[2]) != VERSION:
        raise DisagreementError(
            f"{sender} sends messages of version {theirs}, and this party's are of version {VERSION}",
            SAME_VERSION,
            party=sender,
        )
    if len(head) == HEADER_BYTES:
        magic, _version, kind, round_, attempt, stage, length, instance = _HEADER.unpack(head)
        if magic == MAGIC and kind in KINDS and length == len(body):
            return StarHeader(kind, round_, attempt, stage, instance)
    raise ProtocolError(f"{sender} sent a frame that is not ours", "check that all run the same version", party=sender)


def read_code(body: Any) -> type[BeaverlodgeError]:
    """The error that an ABORT names, as far as it is one of ours; nothing else of its text is used."""
    return error_of_code(bytes(body[:WORD_BYTES]).decode("ascii", "replace"))
