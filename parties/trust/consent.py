"""Consent: before a party's first run of a scenario, somebody is shown what the scenario asks for, and approves it.

There are two digests. The scenario's is the same at every party and is compared by telephone. The approval's also
covers what the scenario's leaves out: this party's own data and query, their form, where its share of a model is, and
the roster's file. `--approve` takes the approval's. Approvals are kept in `approved.json`, beside the keys, with who
approved and until when; they can be revoked. Any change of what an approval covers needs a new one.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import pwd
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from mpc.errors import UsageError
from parties.base.private_files import lock_folder, read_private, replace_file
from parties.scenario.file import differences
from parties.trust.roster import is_over

FILE: Final = "approved.json"
SCHEMA: Final = 1
_LATER: Final = ("by", "until", "revoked")
_MOST_LISTED: Final = 5
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PURPOSE: Final = "beaverlodge approval 1"


class Approvable(Protocol):
    """What consent needs of a scenario: what all agree on, and one party's own settings."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def digest(self) -> str: ...

    def agreement(self) -> dict[str, Any]: ...

    def local_settings(self, me: str) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Approval:
    """One approval: of which scenario, for which party, when, by whom and until when.

    `own` is what the scenario's digest leaves out. `until` is a date, which counts to its end (UTC), or a time, and
    `revoked` when it was withdrawn; they, and `by`, are empty where there is none, as in lists of earlier versions.
    """

    digest: str
    own: str
    party: str
    scenario: str
    when: str
    agreed: dict[str, Any]
    by: str = ""
    until: str = ""
    revoked: str = ""

    @property
    def approves(self) -> str:
        """The digest that was approved."""
        return _approval_digest(self.digest, self.party, self.own)

    def end(self, now: dt.datetime) -> str:
        """Why it is no longer in force, in a few words; empty while it is."""
        if self.revoked:
            return f"was revoked on {self.revoked[:10]}"
        return f"was until {self.until}" if self.until and is_over(_moment(self.until), now) else ""


@dataclass(frozen=True)
class Terms:
    """Who approves, and until when: a date such as 2027-03-31, which counts to its end (UTC), or a time.

    Raises:
        UsageError: that is neither, or it is past.
    """

    by: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        hint = "write a date such as 2027-03-31, or a time such as 2027-03-31T12:00:00Z"
        try:
            over = bool(self.until) and is_over(_moment(self.until), _now())
        except ValueError:
            raise UsageError(f"'{self.until}' is neither a date nor a time", hint) from None
        if over:
            raise UsageError(f"an approval until {self.until} would be over already", hint)


def consent_digest(scenario: Approvable, me: str) -> str:
    """The digest that `me` approves, in hexadecimal: of the scenario and this party's own settings."""
    return _approval_digest(scenario.digest, me, _own_digest(scenario, me))


def obtain(
    scenario: Approvable,
    me: str,
    folder: Path,
    given: str | None,
    show: Callable[[Sequence[str]], None],
    ask: Callable[[], bool] | None,
    terms: Terms | None = None,
) -> bool:
    """Ensure that this party's run of the scenario is approved. Returns True if the approval is new; it is remembered.

    Args:
        given: the whole digest of `--approve`.
        show: shows what the scenario asks for; takes lines on changes since an earlier approval.
        ask: asks at a terminal; None where there is none.
        terms: of a new approval, in the place of one that there is; else who this process runs as, without an end.

    Raises:
        UsageError: it is not approved, or another scenario is.
    """
    approved = read_approvals(folder)
    digest = consent_digest(scenario, me)
    if given is not None:
        _check_given(given, digest, scenario, me)
    own = _own_digest(scenario, me)
    same = [one for one in approved if (one.party, one.digest, one.own) == (me, scenario.digest, own)]
    ended = same[-1].end(_now()) if same else ""
    if same and not ended and terms is None:
        return False
    earlier = next((one for one in reversed(approved) if (one.party, one.scenario) == (me, scenario.name)), None)
    show(_changes(scenario, earlier, own))
    if given is None and not (ask is not None and ask()):
        since = "" if earlier is None else f"; it was changed since the approval of {earlier.when[:10]}"
        if ended:
            since = f": the approval of {same[-1].when[:10]} {ended}"
        elif same:
            since = " on these terms"
        raise UsageError(
            f"{me} has not approved the scenario '{scenario.name}'{since}",
            f"if you agree to what is shown, run `mpc approve` with --digest, or `mpc party` with --approve {digest}",
            party=me,
        )
    remember(scenario, me, folder, terms)
    return True


def remember(scenario: Approvable, me: str, folder: Path, terms: Terms | None = None) -> None:
    """Record that `me` approves the scenario as it is now. Of several approvals of one scenario, the last counts.

    Raises:
        UsageError: it cannot be noted.
    """
    who, until = (terms.by if terms is not None else "") or user_name(), terms.until if terms is not None else ""
    when = _now().isoformat(timespec="seconds")
    agreement, own = scenario.agreement(), _own_digest(scenario, me)
    new = Approval(scenario.digest, own, me, scenario.name, when, agreement, who, until)
    with lock_folder(folder):
        _write(folder, [*read_approvals(folder), new])


def revoke(me: str, folder: Path, digest: str) -> list[Approval]:
    """Revoke the approvals of `me` in force that have this digest: the approval's or the scenario's.

    Returns:
        What was withdrawn. Runs that are under way go on.

    Raises:
        UsageError: there is none, or it cannot be noted.
    """
    now = _now()
    with lock_folder(folder):
        approved = read_approvals(folder)
        mine = [one for one in approved if one.party == me and not one.end(now)]
        found = [one for one in mine if digest.lower() in (one.approves, one.digest)]
        if not found:
            there = "; ".join(f"'{one.scenario}': {one.approves}" for one in mine[-_MOST_LISTED:])
            hint = f"in force are {there}" if there else f"no approval of {me} is in force"
            raise UsageError(f"{me} has approved nothing that has the digest {digest[:64]}", hint, party=me)
        when = now.isoformat(timespec="seconds")
        _write(folder, [replace(one, revoked=when) if one in found else one for one in approved])
    return found


def user_name() -> str:
    """The user that this process runs as: the name, or the number if there is no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _write(folder: Path, approved: Sequence[Approval]) -> None:
    """Write the list. Empty fields that an earlier version does not know are left out, so that it can read the list."""
    fields = [{key: value for key, value in asdict(one).items() if value or key not in _LATER} for one in approved]
    content = {"schema": SCHEMA, "approved": fields}
    replace_file(folder / FILE, (json.dumps(content, indent=1) + "\n").encode())


def read_approvals(folder: Path) -> list[Approval]:
    """All approvals so far, oldest first.

    Raises:
        UsageError: the file cannot be read, is not one, or others can open it.
    """
    path = folder / FILE
    try:
        fields = json.loads(read_private(path))
        if fields["schema"] != SCHEMA:
            raise ValueError("another version")
        return [_approval(one) for one in fields["approved"]]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError, RecursionError):
        raise UsageError(
            f"{path} is not a list of approvals", "remove it; scenarios are then asked for again"
        ) from None


def _approval(fields: Any) -> Approval:
    one = Approval(**fields)
    texts = (one.digest, one.own, one.party, one.scenario, one.when, one.by, one.until, one.revoked)
    if not all(isinstance(text, str) for text in texts) or not isinstance(one.agreed, dict):
        raise ValueError("not an approval")
    if one.until:
        _moment(one.until)
    return one


def _approval_digest(digest: str, me: str, own: str) -> str:
    return hashlib.sha256(f"{_PURPOSE}/{digest}/{me}/{own}".encode()).hexdigest()


def _moment(text: str) -> dt.date | dt.datetime:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return dt.datetime.fromisoformat(text)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _check_given(given: str, digest: str, scenario: Approvable, me: str) -> None:
    if not _DIGEST.fullmatch(given.lower()):
        raise UsageError("an approval needs a whole digest, of 64 digits", f"here it is {digest}")
    if given.lower() == scenario.digest:
        raise UsageError(
            "this is the scenario's digest, which leaves out the data and the query of each party",
            f"read what is shown without a digest; if you agree to it, approve it by {digest}",
            party=me,
        )
    if given.lower() != digest:
        raise UsageError(
            f"this digest is of another scenario, or of other data of {me}, than {scenario.path} now has",
            f"read it again without a digest; the one to approve is {digest}",
            party=me,
        )


def _changes(scenario: Approvable, earlier: Approval | None, own: str) -> list[str]:
    if earlier is None:
        return []
    lines = differences(scenario.agreement(), earlier.agreed)
    if own != earlier.own:
        lines.append("this party's own data or query, how they are written, its share of a model, or the roster's file")
    return lines


def _own_digest(scenario: Approvable, me: str) -> str:
    """The digest of a party's own settings, on which the parties need not agree."""
    affair = json.dumps(scenario.local_settings(me), sort_keys=True)
    return hashlib.sha256(f"{_PURPOSE}/{affair}".encode()).hexdigest()
