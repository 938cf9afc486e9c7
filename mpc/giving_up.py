"""What a party that gives up tells its peers, and what they make of it: code, party and stage, nothing else."""

from __future__ import annotations

import json

from mpc.errors import AlreadyHereError, BeaverlodgeError, PeerLostError, error_of_code

_LONGEST = 64  # characters of each field


def last_words(error: BeaverlodgeError, stage: str, me: str) -> bytes:
    """What this party tells all others of the error that ends its run."""
    about_another = error.told_by is not None or isinstance(error, PeerLostError)
    origin = error.party if about_another and error.party else me
    return json.dumps({"code": error.code, "stage": stage, "origin": origin}).encode()


def already_here(me: str, stage: str) -> bytes:
    """What this party tells a second process with the key of a peer that it is in a run with."""
    return json.dumps({"code": AlreadyHereError.code, "stage": stage, "origin": me}).encode()


def error_told(peer: str, body: bytes, parties: set[str]) -> BeaverlodgeError:
    """The error of a peer, with nothing of its text trusted beyond a known code, a party's name and a short stage."""
    try:
        fields = json.loads(body)
        code, stage, origin = (str(fields[key])[:_LONGEST] for key in ("code", "stage", "origin"))
    except (ValueError, KeyError, TypeError, RecursionError):
        code, stage, origin = "protocol", "unknown", peer
    stage = stage if stage.isprintable() else "unknown"
    origin = origin if origin in parties else peer
    kind = error_of_code(code)
    if kind is AlreadyHereError:
        return kind(
            f"{peer} is in a run with another process that has this party's key",
            "see whether this party was started twice; a second one is let in once the first is gone",
            party=peer,
            told_by=peer,
        )
    if kind is PeerLostError and origin != peer:
        return kind(
            f"{peer} lost contact with {origin} in stage '{stage}' (peer-lost)",
            f"see whether {origin} still runs, and its log",
            party=origin,
            told_by=peer,
        )
    return kind(
        f"{origin} stopped the run in stage '{stage}' ({kind.code})",
        f"the log of {origin} says why",
        party=origin,
        told_by=peer,
    )
