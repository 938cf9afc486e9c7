"""Which public key belongs to which party: in the scenario itself, or in a roster that an administrator signed.

A roster is a TOML file with a signature beside it (FILE.sig). The scenario names the file and the administrator's
public text, so that keys change without a change of the scenario.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mpc.errors import DisagreementError, UsageError
from parties.base.bugs import reason_of
from parties.base.private_files import replace_file
from parties.scenario.models import RosterSpec
from parties.scenario.paths import resolve_inside
from parties.scenario.problems import Problem, Reading, check_keys, read_or_refuse, read_table, show_value
from parties.scenario.toml_text import parse_toml, read_text_file
from parties.trust import keys

SCHEMA: Final = 1
_PURPOSE: Final = b"beaverlodge roster 1\n"
_TABLES: Final = ("schema", "valid_until", "revoked", "parties")

Moment = dt.date | dt.datetime


def _check_key(text: str) -> str:
    keys.curve_key(text)
    return text


PublicKey = Annotated[str, AfterValidator(_check_key)]


class Keyed(Protocol):
    """A scenario's settings of its parties' keys."""

    @property
    def roster(self) -> RosterSpec | None: ...

    @property
    def directory(self) -> Path: ...

    @property
    def stated_keys(self) -> Mapping[str, str | None]: ...


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Entry(_Table):
    """One party's key."""

    public_key: PublicKey = Field(description="the text that `mpc keygen` prints")
    valid_until: Moment | None = Field(default=None, description="a date such as 2027-01-31, without quotes")


class _Head(_Table):
    valid_until: Moment | None = Field(default=None, description="a date such as 2027-01-31, without quotes")
    revoked: Annotated[tuple[PublicKey, ...], Field(strict=False)] = Field(
        default=(), description="a list of texts that `mpc keygen` printed"
    )


class Roster(BaseModel):
    """A roster, checked except for its signature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    valid_until: Moment | None
    revoked: tuple[str, ...]
    parties: Mapping[str, Entry]

    def is_over(self, now: dt.datetime | None = None) -> bool:
        """Whether it has expired."""
        return self.valid_until is not None and is_over(self.valid_until, now or _now())


def signature_path(path: Path) -> Path:
    """The path of a roster's signature."""
    return path.with_name(path.name + ".sig")


def sign_roster(path: Path, admin: str, folder: Path) -> tuple[Path, str, Roster]:
    """Sign a roster as `admin`, whose key file is in `folder`; returns the signature's path, public text and roster.

    Raises:
        UsageError: the roster is not valid, the key file cannot be used, or the signature cannot be written.
    """
    content = _read(path, "roster", "check the path")
    roster = read_roster(path, content)
    pair = keys.load_pair(admin, folder)
    signature = base64.b64encode(pair.signing.sign(_PURPOSE + content)).decode()
    where = signature_path(path)
    replace_file(where, (json.dumps({"signed_by": pair.text, "signature": signature}, indent=2) + "\n").encode())
    where.chmod(0o644)  # it goes to every party with the roster
    return where, pair.text, roster


def public_texts(scenario: Keyed, now: dt.datetime | None = None) -> dict[str, str]:
    """The public text of every party: the scenario's, else the signed roster's.

    Raises:
        UsageError: a key is missing or not valid, or the roster cannot be read.
        DisagreementError: the roster's signature is not the administrator's, or a key is revoked or expired.
    """
    roster = load_roster(scenario, now) if scenario.roster is not None else None
    texts = {name: _public_text(stated, name, roster) for name, stated in scenario.stated_keys.items()}
    holders: dict[bytes, str] = {}
    for name, text in texts.items():
        # The key of a link identifies the sender: two parties may not share it, even if their texts differ.
        other = holders.setdefault(keys.curve_key(text), name)
        if other != name:
            raise UsageError(f"{other} and {name} have the same public_key", "give each its own with `mpc keygen`")
    if roster is not None:
        for name, text in texts.items():
            _check_valid(roster, name, text, now or _now())
    return texts


def load_roster(scenario: Keyed, now: dt.datetime | None = None) -> Roster:
    """Load the roster that a scenario names; nothing of it is used before its signature was checked.

    Raises:
        UsageError: it or its signature cannot be read.
        DisagreementError: it is not signed by the key that the scenario names, or it has expired.
    """
    assert scenario.roster is not None
    hint = "put the roster and its signature into the scenario's folder"
    path = resolve_inside(scenario.directory, scenario.roster.file, "[roster] file", hint)
    content = _read(path, "roster")
    _check_signature(path, content, scenario.roster.signed_by)
    roster = read_roster(path, content)
    if roster.is_over(now):
        raise DisagreementError(
            f"{path} was valid until {roster.valid_until}", "ask the administrator who signs it for a new one"
        )
    return roster


def read_roster(path: Path, content: bytes) -> Roster:
    """Read a roster's content.

    Raises:
        UsageError: it is not a valid roster; all problems are named together.
    """
    try:
        raw = parse_toml(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the roster is not valid TOML: {str(error).lower()}", "correct that line") from None
    return read_or_refuse(str(path), _read_tables(path, raw))


def _read_tables(path: Path, raw: Mapping[str, Any]) -> Reading[Roster | None]:
    yield from check_keys("the top of the file", raw, _TABLES, {"[parties.NAME]": tuple(Entry.model_fields)})
    if type(raw.get("schema")) is not int or raw["schema"] != SCHEMA:
        yield Problem("the roster does not say which schema it follows", f"write schema = {SCHEMA} at its top")
    values = {key: value for key, value in raw.items() if key in _Head.model_fields}
    head = yield from read_table(_Head, values, "the top of the file:", {})
    parties = yield from _read_parties(raw.get("parties"))
    if head is None:
        return None
    return Roster(path=path, valid_until=head.valid_until, revoked=head.revoked, parties=parties)


def _read_parties(raw: object) -> Reading[dict[str, Entry]]:
    if not isinstance(raw, Mapping) or not raw:
        yield Problem("the roster names no parties", "add a table [parties.NAME] for each of them")
        return {}
    elsewhere = {"the top of the file": _TABLES}
    found: dict[str, Entry] = {}
    for name, values in raw.items():
        entry = yield from read_table(Entry, values, f"[parties.{name}]", elsewhere)
        if entry is not None:
            found[name] = entry
    return found


def _check_signature(path: Path, content: bytes, signed_by: str) -> None:
    where = signature_path(path)
    try:
        public = keys.signing_key(signed_by)
    except ValueError:
        raise UsageError("[roster] signed_by is no public key", "`mpc keygen` prints the administrator's") from None
    try:
        fields = json.loads(_read(where, "signature"))
        signer, signature = fields["signed_by"], base64.b64decode(fields["signature"], validate=True)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise UsageError(f"{where} is not a signature of `mpc roster sign`", "get it again, with the roster") from None
    try:
        public.verify(signature, _PURPOSE + content)
    except InvalidSignature:
        if signer != signed_by:
            message = f"{path} is signed by another than the scenario's [roster] signed_by"
            raise DisagreementError(message, f"the signature says that it is by {show_value(signer)}") from None
        raise DisagreementError(
            f"{path} is not what its signature {where.name} is for",
            "one of the two was changed, or is older than the other: get both again",
        ) from None


def _public_text(text: str | None, name: str, roster: Roster | None) -> str:
    entry = roster.parties.get(name) if roster is not None else None
    if text is None and entry is None:
        if roster is None:
            hint = f"`mpc keygen {name}` prints it; it belongs in every party's copy"
            raise UsageError(f"[parties.{name}] has no public_key", hint)
        raise UsageError(f"neither the scenario nor {roster.path} has a public_key of {name}", "add it to the roster")
    if text is None:
        assert entry is not None
        return entry.public_key
    try:
        keys.curve_key(text)
    except ValueError:
        raise UsageError(f"[parties.{name}] public_key is not one", "`mpc keygen` prints it") from None
    if roster is not None and entry is not None and entry.public_key != text:
        message = f"the scenario and {roster.path} have different public keys of {name}"
        raise UsageError(message, f"remove the one in [parties.{name}]: the roster's is enough")
    return text


def _check_valid(roster: Roster, name: str, text: str, now: dt.datetime) -> None:
    # A revoked key stays revoked in a text that combines it with another key.
    lost = {half for revoked in roster.revoked for half in _halves(revoked)}
    if lost & _halves(text):
        message = f"the key of {name} is revoked in {roster.path}"
        raise DisagreementError(message, f"{name} makes a new one with `mpc keygen`, and the roster lists that")
    entry = roster.parties.get(name)
    if entry is not None and entry.valid_until is not None and is_over(entry.valid_until, now):
        message = f"the key of {name} was valid until {entry.valid_until} ({roster.path})"
        raise DisagreementError(message, "the administrator gives it more time, or lists a new key, and signs again")


def _halves(text: str) -> set[bytes]:
    return {keys.curve_key(text), keys.signing_key(text).public_bytes_raw()}


def is_over(until: Moment, now: dt.datetime) -> bool:
    """Whether a time is past. A date lasts until its end; without a time zone it is in UTC."""
    if isinstance(until, dt.datetime):
        return now > (until if until.tzinfo else until.replace(tzinfo=dt.UTC))
    return now.astimezone(dt.UTC).date() > until


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _read(path: Path, what: str, hint: str = "check `file` in [roster]") -> bytes:
    try:
        return read_text_file(path)
    except FileNotFoundError:
        hint = "sign the roster with `mpc roster sign`" if what == "signature" else hint
        raise UsageError(f"there is no {what} {path}", hint) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"the {what} {path} cannot be read: {reason_of(error)}", hint) from None
