"""Consent: before its first run of a scenario, a party is shown what it asks for, and somebody approves it.

What was approved is remembered in `approved.json`, beside the keys, by the scenario's digest and by what the digest
leaves out: where this party's own data are and how they are written. Any change of either asks anew.
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
FEWEST_DIGITS: Final = 16
SCHEMA: Final = 1
_DIGEST = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}")


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


def consent_digest(scenario: Asking, me: str, approved: Sequence[Approval] = ()) -> str:
    """What is to be approved: the scenario's digest, the same at every party.

    Where that was approved once, but with other data of this party, the digest is one that covers them too: else
    whoever edits `data` would need no new approval.
    """
    before = [one for one in approved if (one.party, one.digest) == (me, scenario.digest)]
    if not before or any(one.own == _own(scenario, me) for one in before):
        return scenario.digest
    return hashlib.sha256(f"{scenario.digest}/{me}/{_own(scenario, me)}".encode()).hexdigest()


def obtain(
    scenario: Asking,
    me: str,
    folder: Path,
    given: str | None,
    show: Callable[[Sequence[str]], None],
    ask: Callable[[], bool] | None,
) -> None:
    """See to it that this party's run of the scenario is approved; remembers it if it is new.

    Args:
        given: the digest of `--approve`, or its first digits.
        show: shows what is asked for; takes lines on what was changed since an earlier approval.
        ask: asks at a terminal; None where there is none.

    Raises:
        UsageError: it is not approved, or another scenario is.
    """
    approved = read_approvals(folder)
    digest = consent_digest(scenario, me, approved)
    if given is not None:
        _check_given(given, digest, scenario)
    own = _own(scenario, me)
    if any((one.party, one.digest, one.own) == (me, scenario.digest, own) for one in approved):
        return
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


def _check_given(given: str, digest: str, scenario: Asking) -> None:
    if not _DIGEST.fullmatch(given.lower()):
        raise UsageError(
            f"--approve needs at least the first {FEWEST_DIGITS} digits of a digest", f"here it is {digest}"
        )
    if not digest.startswith(given.lower()):
        raise UsageError(
            f"--approve names another scenario than {scenario.path} is now",
            f"look at it again without --approve; its digest is {digest}",
        )


def _changes(scenario: Asking, earlier: Approval | None, own: str) -> list[str]:
    if earlier is None:
        return []
    lines = differences(scenario.agreed(), earlier.agreed)
    if own != earlier.own:
        lines.append("where the data of this party are, or how they are written")
    return lines


def _own(scenario: Asking, me: str) -> str:
    """A digest of what a party's own entry says that the parties need not agree on."""
    return hashlib.sha256(json.dumps(scenario.own_affair(me), sort_keys=True).encode()).hexdigest()
