"""Events that a party's process sends to the launcher that started it: JSON objects, one a line, through a pipe.

Pure: bytes in, checked events out. The parent trusts nothing in a line until `decode_event` has passed it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

from mpc.errors import BeaverlodgeError, error_of_code

EVENTS_FD: Final = "BEAVERLODGE_EVENTS_FD"
"""Environment variable: the number of the descriptor that a child writes its events to."""

LAUNCHER_PID: Final = "BEAVERLODGE_LAUNCHER_PID"
"""Environment variable: the process id of the launcher, by which a child knows whether it is still there."""

MAX_EVENT_BYTES: Final = 256 * 1024 * 1024

Event = Mapping[str, Any]

_FIELDS: Final[Mapping[str, Mapping[str, tuple[type, ...]]]] = {
    "listening": {"endpoint": (str, NoneType)},
    "stage": {"stage": (str,), "done": (int, NoneType), "total": (int, NoneType)},
    "log": {"level": (str,), "text": (str,)},
    "fault": {"number": (int,), "peer": (str, NoneType)},
    "done": {"result": (dict,)},
    "failed": {"error": (dict,), "exit_code": (int,), "first_hand": (bool,)},
}
_ERROR_FIELDS: Final[Mapping[str, tuple[type, ...]]] = {
    "code": (str,),
    "party": (str, NoneType),
    "message": (str,),
    "hint": (str, NoneType),
}


class MalformedEvent(ValueError):
    """A line from a child is no event; the message says why."""


def encode_event(event: Event) -> bytes:
    """The line for an event, ending in a newline."""
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def decode_event(line: bytes) -> Event:
    """The event in a line, with every field that the launcher relies on checked for its type.

    Raises:
        MalformedEvent: the line is not JSON, not an object, of no known kind, or lacks a field.
    """
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        raise MalformedEvent("not JSON") from None
    if not isinstance(event, dict):
        raise MalformedEvent("not an object")
    kind = event.get("event")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise MalformedEvent("of no known kind")
    _check_fields(event, _FIELDS[kind], f"{kind!r} event")
    if kind == "failed":
        _check_fields(event["error"], _ERROR_FIELDS, "error of a 'failed' event")
    return event


def describe_error(error: BeaverlodgeError) -> dict[str, str | None]:
    """The fields of an error, as a `failed` event and the run's record hold them."""
    message = "; ".join((error.message, *error.points))
    return {"code": error.code, "party": error.party, "message": message, "hint": error.hint}


def error_from(fields: Mapping[str, Any], *, reporter: str) -> BeaverlodgeError:
    """The error that `describe_error` described, as `reporter` met it.

    Its message always names a party, unless all owners found it together.
    """
    message = fields["message"]
    party = fields.get("party")
    if reporter not in message and (party is None or party not in message):
        message = f"{reporter}: {message}"
    kind = error_of_code(fields["code"])
    if fields.get("joint"):
        return kind(fields["message"], fields.get("hint") or "", joint=True)
    return kind(message, fields.get("hint") or "", party=party or reporter)


def _check_fields(holder: Event, fields: Mapping[str, tuple[type, ...]], what: str) -> None:
    for field, kinds in fields.items():
        if not isinstance(holder.get(field), kinds):
            raise MalformedEvent(f"the {what} has no valid {field!r}")


class LineBuffer:
    """Cuts a stream that comes in arbitrary pieces into whole lines."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._rest = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes, without their newlines.

        Raises:
            MalformedEvent: the line under way is longer than the limit.
        """
        # Only the new piece is searched, so that the time for a line is in proportion to its size.
        head, newline, tail = piece.partition(b"\n")
        self._rest += head
        if len(self._rest) > self._limit:
            self._rest.clear()
            raise MalformedEvent(f"a line of more than {self._limit} bytes")
        if not newline:
            return []
        first = bytes(self._rest)
        *others, rest = tail.split(b"\n")
        self._rest = bytearray(rest)
        return [first, *others]
