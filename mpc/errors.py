"""The errors that a user can meet: one base class with a message, a hint and an exit code.

A message is lower case, names the party, file or column it is about, and the hint says what to do.
`message` and `hint` stay in the local log; a peer is told no more than `code`, the party and the stage.
"""

from __future__ import annotations

from typing import ClassVar


class BeaverlodgeError(Exception):
    """What went wrong (`message`), what to do (`hint`), and the process's `exit_code`.

    Args:
        message: one sentence, lower case, without a full stop.
        hint: what the reader can do about it; may be empty.
        party: the party that the error is about, where there is one.
        told_by: the peer that reported it, where it was not found here.
    """

    exit_code: ClassVar[int] = 70
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, hint: str = "", *, party: str | None = None, told_by: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.party = party
        self.told_by = told_by

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(BeaverlodgeError):
    """A wrong command line, a scenario that is not valid, or a port in use."""

    exit_code = 2
    code = "usage"


class DataError(BeaverlodgeError):
    """An owner's data cannot be read or are not fit for the task."""

    exit_code = 3
    code = "data"


class PeerLostError(BeaverlodgeError):
    """A peer is unreachable, was lost, or did not answer in time."""

    exit_code = 4
    code = "peer-lost"


class DisagreementError(BeaverlodgeError):
    """Peers disagree (plan, version, scenario) or one is refused (keys)."""

    exit_code = 5
    code = "disagreement"


class ProtocolError(BeaverlodgeError):
    """A protocol's check failed: a malformed or tampered message, or a value out of range."""

    exit_code = 6
    code = "protocol"


class TooFewError(BeaverlodgeError):
    """Too few participants are left."""

    exit_code = 7
    code = "too-few"


class InternalError(BeaverlodgeError):
    """A bug of ours."""

    exit_code = 70
    code = "internal"


class InterruptedRun(BeaverlodgeError):
    """The user pressed Ctrl-C."""

    exit_code = 130
    code = "interrupted"


ERRORS: tuple[type[BeaverlodgeError], ...] = (
    UsageError,
    DataError,
    PeerLostError,
    DisagreementError,
    ProtocolError,
    TooFewError,
    InternalError,
    InterruptedRun,
)


def error_of_code(code: str) -> type[BeaverlodgeError]:
    """The error class that a peer's `code` names; an unknown code is an `InternalError`."""
    return next((kind for kind in ERRORS if kind.code == code), InternalError)
