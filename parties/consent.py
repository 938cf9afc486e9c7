"""Consent: before its first run of a scenario, a party is shown what it asks for, and somebody approves it.

Two digests: the scenario's, which is the same at every party and is compared by telephone, and the approval's, which
covers what the scenario's leaves out, too: this party's own data and query, how they are written, where its share of a
model is, and the roster's file. `--approve` takes the approval's. What was approved is remembered in `approved.json`,
beside the keys. Any change of what it covers asks anew.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from mpc.errors import UsageError
from parties.private_files import locked, read_private, replace_file
from parties.scenario import differences

FILE: Final = "approved.json"
SCHEMA: Final = 1
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_PURPOSE: Final = "beaverlodge approval 1"


class Asking(Protocol):
    """A scenario, as far as it is approved: what all agree on, and what is one party's own affair."""

    @property
    def name(self) -> str: ...

    @property
    def path(self) -> Path: ...

    @property
    def digest(self) -> str: ...

    def agreed(self) -> dict[str, Any]: ...

    def own_affair(self, me: str) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Approval:
    """What was approved for which party, and when. `own` is what the scenario's digest leaves out."""

    digest: str
    own: str
    party: str
    scenario: str
    when: str
    agreed: dict[str, Any]


def consent_digest(scenario: Asking, me: str) -> str:
    """What `me` approves, in hexadecimal: the scenario, and what of it is this party's own affair."""
    return hashlib.sha256(f"{_PURPOSE}/{scenario.digest}/{me}/{_own(scenario, me)}".encode()).hexdigest()


def obtain(
    scenario: Asking,
    me: str,
    folder: Path,
    given: str | None,
    show: Callable[[Sequence[str]], None],
    ask: Callable[[], bool] | None,
) -> bool:
    """See to it that this party's run of the scenario is approved; remembers it, and returns True, if that is new.

    Args:
        given: the digest of `--approve`, all of it.
        show: shows what is asked for; takes lines on what was changed since an earlier approval.
        ask: asks at a terminal; None where there is none.

    Raises:
        UsageError: it is not approved, or another scenario is.
    """
    approved = read_approvals(folder)
    digest = consent_digest(scenario, me)
    if given is not None:
        _check_given(given, digest, scenario, me)
    own = _own(scenario, me)
    if any((one.party, one.digest, one.own) == (me, scenario.digest, own) for one in approved):
        return False
    earlier = next((one for one in reversed(approved) if (one.party, one.scenario) == (me, scenario.name)), None)
    show(_changes(scenario, earlier, own))
    if given is None and not (ask is not None and ask()):
        since = "" if earlier is None else f"; it was changed since the approval of {earlier.when[:10]}"
        raise UsageError(
            f"{me} has not approved the scenario '{scenario.name}'{since}",
            f"if you agree to what is shown, start it once with --approve {digest}",
            party=me,
        )
    remember(scenario, me, folder)
    return True


def remember(scenario: Asking, me: str, folder: Path) -> None:
    """Note that `me` approves the scenario as it is now.

    Raises:
        UsageError: it cannot be noted.
    """
    when = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    new = Approval(scenario.digest, _own(scenario, me), me, scenario.name, when, scenario.agreed())
    with locked(folder):
        content = {"schema": SCHEMA, "approved": [asdict(one) for one in (*read_approvals(folder), new)]}
        replace_file(folder / FILE, (json.dumps(content, indent=1) + "\n").encode())


def read_approvals(folder: Path) -> list[Approval]:
    """What was approved so far, in that order.

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
    texts = (one.digest, one.own, one.party, one.scenario, one.when)
    if not all(isinstance(text, str) for text in texts) or not isinstance(one.agreed, dict):
        raise ValueError("not an approval")
    return one


def _check_given(given: str, digest: str, scenario: Asking, me: str) -> None:
    if not _DIGEST.fullmatch(given.lower()):
        raise UsageError("--approve needs a whole digest, of 64 digits", f"here it is {digest}")
    if given.lower() == scenario.digest:
        raise UsageError(
            "--approve has the scenario's digest, which leaves out the data and the query of each party",
            f"if you agree to what is shown without --approve, start it once with --approve {digest}",
            party=me,
        )
    if given.lower() != digest:
        raise UsageError(
            f"--approve names another scenario, or other data of {me}, than {scenario.path} now has",
            f"look at it again without --approve; the digest to approve is {digest}",
            party=me,
        )


def _changes(scenario: Asking, earlier: Approval | None, own: str) -> list[str]:
    if earlier is None:
        return []
    lines = differences(scenario.agreed(), earlier.agreed)
    if own != earlier.own:
        lines.append("this party's own data or query, how they are written, its share of a model, or the roster's file")
    return lines


def _own(scenario: Asking, me: str) -> str:
    """A digest of what a party's own entry says that the parties need not agree on."""
    affair = json.dumps(scenario.own_affair(me), sort_keys=True)
    return hashlib.sha256(f"{_PURPOSE}/{affair}".encode()).hexdigest()
