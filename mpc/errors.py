"""The errors that a user can meet: one base class with a message, a hint and an exit code.

A message is lower case, names the party, file or column it is about, and the hint says what to do.
`message` and `hint` stay in the local log; a peer is told no more than `code`, the party and the stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


def plain_text(value: object, longest: int | None = None) -> str:
    """A text as one line on which no terminal, log or page acts, whoever wrote it.

    Control characters, line breaks of every kind, marks that change the direction of writing, and whatever else is not
    printable are written as Python escapes them, such as `\\x1b`.

    Args:
        value: a text, or anything that has one.
        longest: how many characters it may have; three dots tell that more was there.
    """
    text = value if isinstance(value, str) else str(value)
    if longest is not None:
        text = text[: longest + 1]
    if not text.isprintable():
        text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
    return text if longest is None or len(text) <= longest else f"{text[: max(0, longest - 3)]}..."


class BeaverlodgeError(Exception):
    """What went wrong (`message`), what to do (`hint`), and the process's `exit_code`.

    All texts are made plain here, each to one line: names of columns, files and parties in them come from others.

    Args:
        message: one sentence, lower case, without a full stop.
        hint: what the reader can do about it; may be empty.
        points: where a file has several mistakes, each of them.
        party: the party that the error is about, where there is one.
        told_by: the peer that reported it, where this party did not find it itself.
        joint: whether all owners find it alike, in values of all of them: then it is about no single party.
    """

    exit_code: ClassVar[int] = 70
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        party: str | None = None,
        told_by: str | None = None,
        points: Sequence[str] = (),
        joint: bool = False,
    ) -> None:
        self.message = plain_text(message)
        self.hint = plain_text(hint)
        self.points = tuple(map(plain_text, points))
        self.party = party
        self.told_by = told_by
        self.joint = joint
        super().__init__(self.message)

    def __str__(self) -> str:
        return "; ".join(text for text in (self.message, *self.points, self.hint) if text)


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


class AlreadyHereError(DisagreementError):
    """A peer is in a run with another process that has this party's key."""

    code = "already-here"


class BudgetError(DisagreementError):
    """A run would release more of an owner's data than its budget of epsilon has left."""

    code = "budget"


class ProtocolError(BeaverlodgeError):
    """A protocol's check failed: a malformed or tampered message, or a value out of range."""

    exit_code = 6
    code = "protocol"


class TooFewError(BeaverlodgeError):
    """Too few participants are left."""

    exit_code = 7
    code = "too-few"


class RecordError(BeaverlodgeError):
    """A run was carried out, but its result cannot be written here."""

    exit_code = 8
    code = "record"


class RunsFailed(BeaverlodgeError):
    """Some runs of a sweep failed; the others are done."""

    exit_code = 9
    code = "runs-failed"


class ContradictedError(BeaverlodgeError):
    """An audit found that a claim of epsilon cannot be true."""

    exit_code = 10
    code = "contradicted"


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
    AlreadyHereError,
    BudgetError,
    ProtocolError,
    TooFewError,
    RecordError,
    RunsFailed,
    ContradictedError,
    InternalError,
    InterruptedRun,
)


def error_of_code(code: str) -> type[BeaverlodgeError]:
    """The error class that a peer's `code` names; an unknown code is an `InternalError`."""
    return next((kind for kind in ERRORS if kind.code == code), InternalError)
