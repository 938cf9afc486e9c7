"""The message of a party that gives up, and its peers' reading of it: code, stage, and lost peer, nothing else.

A peer is believed about itself alone. That it lost another peer is its claim, and is reported as such; all else in its
message is about itself, whatever it writes. Codes and stages are of closed sets: no text of a peer's is ever shown.
"""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Final

from mpc.errors import ERRORS, AlreadyHereError, BeaverlodgeError, PeerLostError, ProtocolError

STAGES: Final = frozenset({"start", "data", "connecting", "handshake", "running", "dealing", "done"})
"""The stages of every run; a program's own stages are in its plan."""

_LONGEST: Final = 1 << 12  # bytes
_KINDS: Final = {kind.code: kind for kind in ERRORS}


def last_words(error: BeaverlodgeError, stage: str, me: str) -> bytes:
    """The message to all peers about the error that ends this party's run; about a lost peer, also who reported it."""
    lost = isinstance(error, PeerLostError) or error.told_by is not None
    origin = error.party if lost and error.party else me
    code = error.code if origin == me else PeerLostError.code
    hearsay = {"by": error.told_by} if error.told_by not in (None, origin) else {}
    return json.dumps({"code": code, "stage": stage, "origin": origin, **hearsay}).encode()


def already_here(me: str, stage: str) -> bytes:
    """The message to a second process with the key of a peer that is in the run already."""
    return json.dumps({"code": AlreadyHereError.code, "stage": stage, "origin": me}).encode()


@dataclass(frozen=True)
class Words:
    """The message of a peer that gives up, as far as it makes sense.

    Args:
        kind: the class of its error.
        where: the stage, in words.
        lost: the other party with which it claims to have lost contact, if any.
        by: the party from which it claims to know that; None if it saw so itself.
    """

    kind: type[BeaverlodgeError]
    where: str
    lost: str | None
    by: str | None = None


def read_words(peer: str, body: bytes, parties: Set[str], stages: Set[str]) -> Words:
    """Read a peer's message.

    Args:
        parties: all of them.
        stages: the program's stages beside `STAGES`.
    """
    fields = _fields(body)
    kind = _KINDS.get(_text(fields.get("code")), ProtocolError)
    stage, origin = _text(fields.get("stage")), _text(fields.get("origin"))
    where = f"in stage '{stage}'" if stage in STAGES or stage in stages else "in an unknown stage"
    if kind is not PeerLostError or origin not in parties - {peer}:
        return Words(kind, where, None)
    by = _text(fields.get("by"))
    return Words(kind, where, origin, by if by in parties - {peer, origin} else None)


def error_of_peer(peer: str, words: Words, me: str) -> BeaverlodgeError:
    """The error to end with where a peer gave up; at most one of the peer and the party it names is this party."""
    kind, where, lost, by = words.kind, words.where, words.lost, words.by
    if kind is AlreadyHereError:
        return kind(
            f"{peer} is in a run with another process that has this party's key",
            "see whether this party was started twice; a second one is let in once the first is gone",
            party=peer,
            told_by=peer,
        )
    if lost is None:
        return kind(
            f"{peer} stopped the run {where} ({kind.code})", f"the log of {peer} says why", party=peer, told_by=peer
        )
    if by is not None:
        return kind(
            f"{peer} gave up {where}, for {by}, as it says, told it that {lost} is lost (peer-lost)",
            f"see the logs of {', '.join(name for name in (peer, by, lost) if name != me)}",
            party=by if lost == me else lost,
            told_by=peer,
        )
    return kind(
        f"{peer} says that it lost contact with {lost}, {where} (peer-lost)",
        f"see the logs of {peer} and {lost}, and the network between them"
        if lost == me
        else f"see whether {lost} still runs, and its log",
        party=peer if lost == me else lost,
        told_by=peer,
    )


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body) if len(body) <= _LONGEST else None
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
