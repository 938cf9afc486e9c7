"""An owner's share of a model that nobody sees, as a file: readable by its owner only, and sealed under its key.

Its readable part is what the share is bound to (`Bound`): whose it is, of which model, trained by which scenario, with
whom, on which features. The rest is encrypted with AES-256-GCM, with that part as associated data. The key is derived
(HKDF) from the owner's identity, the key file of `mpc keygen`; after `mpc run`, whose identities are thrown away, from
a key file beside the share. The journal of the rows that were scored (score_journal.py) is beside it as well. The share
seals that journal's tally, and opens only with that journal or a continuation of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from mpc.errors import UsageError
from mpc.randomness.streams import derive, os_entropy
from mpc.ring.array import Array
from mpc.sharing.share import Share
from parties.base.private_files import create_private, lock_folder, make_folder, read_private, replace_file
from parties.scenario.file import Scenario
from parties.scenario.paths import resolve_inside
from parties.trust import score_journal
from parties.trust.score_journal import ScoreJournal, Tally
from parties.trust.sealed_state import NONCE_BYTES, seal, unseal
from protocols.evaluation.shared_model import kept_scale
from protocols.rows.kept_model import SharedModel, Units

SCHEMA: Final = 2
_CHAINED: Final = 1  # the schema of shares that seal the last code of their journal
ENDING: Final = ".share"
_WHAT: Final = "share of a model"


@dataclass(frozen=True)
class Vault:
    """The secret that seals a party's shares, and their folder.

    Args:
        party: whose it is.
        folder: of the run's record.
        secret: of the party's identity; None where that is thrown away.
        keys: the owners' public texts; empty where identities are thrown away.
    """

    party: str
    folder: Path
    secret: bytes | None = field(default=None, repr=False)
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """The public part of a share, to which its sealed part is bound: it cannot be changed.

    Args:
        model: the model's id.
        scenario: the digest of the scenario that trained it.
        owners: who else has a share; where columns are split, in their order.
        keys: the owners' public texts, where the training had such.
        columns: each owner's features, where columns are split; empty where all owners have all.
        terms, categories, dates: how this owner's features come from its columns.
        sealed_by: the key that opens it: the identity's, or that of the file beside it.
    """

    model: str
    scenario: str
    party: str
    owners: tuple[str, ...]
    keys: Mapping[str, str]
    partition: str
    standardise: bool | str
    features: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    terms: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    dates: Literal["refuse", "days"]
    sealed_by: Literal["identity", "file"]

    @property
    def split(self) -> bool:
        """Whether every owner has other columns."""
        return self.partition == "vertical"

    @property
    def own_features(self) -> tuple[str, ...]:
        """The features that this owner has."""
        return self.columns.get(self.party, ()) if self.split else self.features

    @property
    def content(self) -> bytes:
        """A canonical encoding of all fields."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    def key(self, secret: bytes, use: str) -> bytes:
        """The key for one use of this share."""
        return derive(secret, f"{_WHAT}/{use}", hashlib.sha256(self.content).digest())


@dataclass(frozen=True)
class OpenShare:
    """An opened share, and the journal of the rows that were scored with it."""

    path: Path
    bound: Bound
    model: SharedModel = field(repr=False)
    journal: ScoreJournal = field(repr=False)
    secret: bytes = field(repr=False)

    def count(self, session: str, rows: Mapping[str, int], most: int) -> None:
        """Record a run's rows in the journal, and the journal's tally in the share; both are on the disk at return.

        Raises:
            UsageError: an owner would pass `most`, or a file cannot be read or written.
        """
        with lock_folder(self.path.parent):
            tally = self.journal.note(session, rows, most)
            replace_file(self.path, _seal(self.bound, self.model, tally, self.secret))


def share_path(scenario: Scenario, me: str, folder: Path) -> Path:
    """The path of a party's share: its `model` (a folder unless it ends in .share), else in the run's folder.

    Raises:
        UsageError: `model` leads out of the study's folder, and out of where records go.
    """
    named = scenario.parties[me].model
    path = folder
    if named is not None:
        hint = "shares are kept in the scenario's folder, or where records go: move it there, or name another place"
        path = resolve_inside(scenario.directory, named, f"[parties.{me}] model", hint, records=True)
    return path if path.suffix == ENDING and named is not None else path / f"{me}{ENDING}"


def key_path(path: Path) -> Path:
    """The path of the key of a share that no identity seals."""
    return path.with_name(f"{path.name}.key")


def journal_path(path: Path) -> Path:
    """The path of a share's journal of scored rows."""
    return path.with_name(f"{path.name}.scored")


def check_room(path: Path, me: str) -> None:
    """Refuse a path for a new share where there is one already.

    Raises:
        UsageError: there is one.
    """
    for there in (path, key_path(path), journal_path(path)):
        if there.exists():
            hint = "a share that is overwritten is a model that is lost: move it away, or name another folder"
            raise UsageError(f"{there} is there already", hint, party=me)


def write_share(path: Path, bound: Bound, model: SharedModel, vault: Vault) -> None:
    """Write a new share with its journal, and with its key if no identity seals it.

    Raises:
        UsageError: a file is there already, or cannot be written.
    """
    check_room(path, bound.party)
    if not path.parent.is_dir():
        make_folder(path.parent)
    try:
        secret = vault.secret
        if secret is None:
            secret = os_entropy("share")
            create_private(key_path(path), secret.hex().encode() + b"\n")
        create_private(path, _seal(bound, model, score_journal.create(journal_path(path)), secret))
    except FileExistsError as error:
        raise UsageError(f"{error.filename} is there already", "name another folder", party=bound.party) from None


def read_bound(path: Path, me: str) -> Bound:
    """The public part of a share, as its file has it; only `open_share` verifies it.

    Raises:
        UsageError: the file is missing, is no share, or others can open it.
    """
    return _parse(path, me)[0]


def open_share(path: Path, me: str, vault: Vault) -> OpenShare:
    """Open this party's share of a model.

    Raises:
        UsageError: a file is missing, was changed, or belongs to another party; or the key is not the one that sealed
            it.
    """
    bound, sealed = _parse(path, me)
    if bound.party != me:
        raise UsageError(f"{path} is the share of {bound.party}, not of {me}", "name this party's own", party=me)
    secret = _secret(path, bound, vault)
    content = unseal(bound.key(secret, "content"), sealed, bound.content)
    if content is None:
        raise UsageError(
            f"{path} does not open: it was changed, or is sealed under another key",
            f"put back the file that the training wrote, and the key file of {me} that was used then",
            party=me,
        )
    fields = json.loads(content)
    journal = ScoreJournal(journal_path(path), _tally(fields["scored"], path, bound, secret))
    journal.scored()  # refuses another share's journal
    return OpenShare(path, bound, _model(fields, len(bound.features)), journal, secret)


def _tally(sealed: Any, path: Path, bound: Bound, secret: bytes) -> Tally:
    if isinstance(sealed, dict):
        return Tally(**sealed)
    lines, last = sealed
    return score_journal.check_chain(journal_path(path), lines, last, bound.key(secret, "journal"), bound.model)


def _secret(path: Path, bound: Bound, vault: Vault) -> bytes:
    if bound.sealed_by == "identity":
        if vault.secret is None:
            hint = f"use `mpc party ... --as {bound.party}`: `mpc run` makes keys that it throws away"
            raise UsageError(f"{path} is sealed under the key file of {bound.party}", hint, party=bound.party)
        return vault.secret
    try:
        return bytes.fromhex(read_private(key_path(path)).decode())
    except FileNotFoundError:
        hint = "it was written with the share, and nothing else opens it"
        raise UsageError(f"there is no key file {key_path(path)}", hint, party=bound.party) from None
    except ValueError:
        raise UsageError(f"{key_path(path)} is no key of a share", "put it back", party=bound.party) from None


def _seal(bound: Bound, model: SharedModel, tally: Tally, secret: bytes) -> bytes:
    units = model.units
    content = {
        "weights": _text(model.weights.value, "<u8"),
        "mean": _text(units.mean, "<f8"),
        "scale": _text(units.scale, "<f8"),
        "shift": _text(units.shift.value, "<u8"),
        "shift_scale": units.shift.scale,
        "centre": _text(units.centre, "<f8"),
        "slack": units.slack,
        "scored": {"lines": tally.lines, "rows": dict(tally.rows)},
    }
    whole = seal(bound.key(secret, "content"), json.dumps(content).encode(), bound.content)
    nonce, sealed = whole[:NONCE_BYTES].hex(), _base64(whole[NONCE_BYTES:])
    fields = {"schema": SCHEMA, "what": _WHAT, **asdict(bound), "nonce": nonce, "sealed": sealed}
    return (json.dumps(fields, indent=1) + "\n").encode()


def _model(content: Mapping[str, Any], features: int) -> SharedModel:
    weights = Share(_array(content["weights"], "<u8"), kept_scale(features))
    mean, scale, centre = (_array(content[key], "<f8") for key in ("mean", "scale", "centre"))
    shift = Share(_array(content["shift"], "<u8"), content["shift_scale"])
    return SharedModel(weights, Units(mean, scale, shift, centre, content["slack"]))


def _parse(path: Path, me: str) -> tuple[Bound, bytes]:
    try:
        fields = json.loads(read_private(path))
    except FileNotFoundError:
        hint = (
            f"`model` in [parties.{me}] names the file, or the folder of the run that trained the model: of its --out, "
            "where that was given"
        )
        raise UsageError(f"there is no share of a model {path}", hint, party=me) from None
    except (ValueError, RecursionError):
        fields = None
    try:
        if not isinstance(fields, dict) or fields.pop("what") != _WHAT:
            raise ValueError("another file")
        if fields.pop("schema") not in (_CHAINED, SCHEMA):
            raise ValueError("another version's")
        sealed = bytes.fromhex(fields.pop("nonce")) + base64.b64decode(fields.pop("sealed"), validate=True)
        bound = _bound(fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{path} is no share of a model", "name the file that the training wrote", party=me) from None
    return bound, sealed


def _bound(fields: Mapping[str, Any]) -> Bound:
    lists = {key: _texts(fields[key]) for key in ("owners", "features", "terms")}
    named = {key: {str(name): _texts(of) for name, of in fields[key].items()} for key in ("columns", "categories")}
    keys = {str(name): str(text) for name, text in fields["keys"].items()}
    bound = Bound(**{**fields, **lists, **named, "keys": keys})
    texts = (bound.model, bound.scenario, bound.party, bound.partition, bound.dates, bound.sealed_by)
    if not all(isinstance(text, str) for text in texts) or not bound.features:
        raise ValueError("not what a share is bound to")
    return bound


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise TypeError("not a list of texts")
    return tuple(values)


def _text(values: Array, kind: str) -> str:
    return _base64(np.ascontiguousarray(values, dtype=kind).tobytes())


def _array(text: str, kind: str) -> Array:
    return np.frombuffer(base64.b64decode(text), dtype=kind).astype(kind[1:], copy=True)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
