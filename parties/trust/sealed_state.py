"""A party's state from one run to the next: sealed, replaced whole or not at all, and used once where it must be.

A state is one file. Its first line says what it is, of which party and study, and its generation: the number of times
that it was written. The rest is encrypted with AES-256-GCM under a key that is derived (HKDF) from the party's secret
and that line, with the line as associated data. A write makes a new file, waits until it is on the disk, puts it in the
old one's place, and then adds a line to the list of generations beside it: the generation, and the SHA-256 of the file.
A crash between the two leaves a file that is one generation ahead of its list, which the next reader completes.

A file that was cut, changed, written for another study or party, or is older than its list says is refused. Not
detected: an old file that is put back together with the list of its time, and the removal of both. That is what a
restored backup of the whole folder does. So a protocol must not rest on this file alone where others can remember, too.

An entry that is used once (`add`, `take`) is removed on the disk before its bytes are returned. A crash may lose it,
and never gives it twice. Each write costs as much as the whole file, so `take` takes several at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict, NonNegativeInt

from mpc.errors import UsageError
from mpc.randomness.streams import derive
from parties.base.private_files import append_line, lock_folder, read_lines, read_private, replace_file

SCHEMA: Final = 1
NONCE_BYTES: Final = 12


def seal(key: bytes, content: bytes, about: bytes) -> bytes:
    """Encrypt under a 32-byte key, bound to `about`: a random nonce of NONCE_BYTES, and what AES-256-GCM gives."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """The content that `seal` encrypted; None if anything of it, the key or `about` is another."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about)
    except (InvalidTag, ValueError):  # ValueError: it is shorter than a nonce
        return None


class _Line(BaseModel):
    """A generation in the list; no digest: the state was ended, and `note` says what is to be known of that."""

    model_config = ConfigDict(extra="forbid")

    generation: NonNegativeInt
    sha256: str | None
    note: str = ""


@dataclass(frozen=True)
class _Content:
    """What is in a file: entries that are kept, those that are used once, and the names of those that were."""

    kept: Mapping[str, bytes] = field(default_factory=dict)
    unused: Mapping[str, bytes] = field(default_factory=dict)
    used: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SealedState:
    """A party's state in a study.

    Args:
        path: the file, in a folder that only its owner can change.
        what: it is, such as "state of a federated server": part of its key.
        party, study: whose it is, and the digest of the study.
        secret: the party's, of its identity.
        hint: what to do where the state cannot be used.
    """

    path: Path
    what: str
    party: str
    study: str
    secret: bytes = field(repr=False)
    hint: str = "put back the file and its list as they were"

    @property
    def list_path(self) -> Path:
        """The list of the state's generations."""
        return self.path.with_name(f"{self.path.name}.list")

    def read(self, name: str) -> bytes | None:
        """An entry that is kept; None if there is none.

        Raises:
            UsageError: the file is missing, was changed, is another's or an older one, or cannot be read.
        """
        with lock_folder(self.path.parent):
            return self._load()[1].kept.get(name)

    def write(self, name: str, content: bytes) -> None:
        """Set an entry that is kept; it is on the disk at return.

        Raises:
            UsageError: as of `read`, or the file cannot be written.
        """
        with lock_folder(self.path.parent):
            generation, found = self._load()
            self._store(generation + 1, _Content({**found.kept, name: content}, found.unused, found.used))

    def add(self, entries: Mapping[str, bytes]) -> None:
        """Add entries that are used once; they are on the disk at return.

        Raises:
            UsageError: as of `write`; or there is, or was, an entry of that name.
        """
        with lock_folder(self.path.parent):
            generation, found = self._load()
            for name in entries:
                if name in found.unused or name in found.used:
                    raise self._refuse(f"has, or had, an entry '{name}', and each is used once")
            self._store(generation + 1, _Content(found.kept, {**found.unused, **entries}, found.used))

    def take(self, names: Iterable[str]) -> list[bytes]:
        """Take entries that are used once: they are gone from the disk at return, and never given again.

        Raises:
            UsageError: as of `write`, or an entry was used already, or never added: then none is taken.
        """
        wanted = list(dict.fromkeys(names))
        with lock_folder(self.path.parent):
            generation, found = self._load()
            for name in wanted:
                if name not in found.unused:
                    raise self._refuse(f"has no entry '{name}': it was used already, or never added")
            rest = {name: content for name, content in found.unused.items() if name not in wanted}
            self._store(generation + 1, _Content(found.kept, rest, found.used | set(wanted)))
        return [found.unused[name] for name in wanted]

    def end(self, note: str = "") -> None:
        """Remove the state, which is not needed any more; its list stays, so that the file cannot be put back.

        Raises:
            UsageError: as of `write`.
        """
        with lock_folder(self.path.parent):
            generation, _ = self._load()
            if self.path.exists():
                self._note(generation + 1, None, note)
                self.path.unlink()

    def ended(self) -> str | None:
        """What was noted at the end; None while the state goes on, or has not begun.

        Raises:
            UsageError: as of `read`.
        """
        with lock_folder(self.path.parent):
            self._load()
            last = self._last()
        return last.note if last.generation and last.sha256 is None else None

    def remove(self) -> None:
        """Remove the file and its list, where nothing is to be remembered of the state."""
        for path in (self.path, self.list_path):
            path.unlink(missing_ok=True)

    def _load(self) -> tuple[int, _Content]:
        """The present generation, and its content; completes what a crash left."""
        last = self._last()
        for left in self.path.parent.glob(f".{self.path.name}.*"):  # a write that a crash cut off
            left.unlink(missing_ok=True)
        try:
            content = read_private(self.path)
        except FileNotFoundError:
            if last.sha256 is not None:
                raise self._refuse(f"is missing, and was written {last.generation} times") from None
            return last.generation, _Content()
        head, _, sealed = content.partition(b"\n")
        generation = self._generation(head)
        opened = unseal(self._key(head), sealed, head)
        if opened is None:
            raise self._refuse(f"does not open: it was changed, or sealed under another key than that of {self.party}")
        digest = hashlib.sha256(content).hexdigest()
        if last.sha256 is None and 0 < generation == last.generation - 1:  # a crash within `end`
            self.path.unlink()
            return last.generation, _Content()
        if generation == last.generation + 1:
            self._note(generation, digest)
        elif generation > last.generation:
            raise self._refuse(f"was written {generation} times, and its list {self.list_path.name} was cut or lost")
        elif generation < last.generation or digest != last.sha256:
            raise self._refuse(f"is an old one that was put back: it was written {last.generation} times by its list")
        return generation, _unpack(opened)

    def _store(self, generation: int, content: _Content) -> None:
        fields = {"what": self.what, "schema": SCHEMA, "party": self.party, "study": self.study}
        head = json.dumps({**fields, "generation": generation}).encode()
        whole = head + b"\n" + seal(self._key(head), _pack(content), head)
        replace_file(self.path, whole)
        self._note(generation, hashlib.sha256(whole).hexdigest())

    def _note(self, generation: int, digest: str | None, note: str = "") -> None:
        line = _Line(generation=generation, sha256=digest, note=note)
        append_line(self.list_path, line.model_dump_json(exclude_defaults=True).encode())

    def _last(self) -> _Line:
        """The latest generation in the list."""
        last = _Line(generation=0, sha256=None)
        try:
            for text in read_lines(self.list_path):
                line = _Line.model_validate_json(text)
                if line.generation != last.generation + 1:
                    raise ValueError("a generation is missing")
                last = line
        except FileNotFoundError:
            pass
        except ValueError:  # pydantic's errors are such, too
            raise self._refuse(f"cannot be used: its list {self.list_path.name} was changed") from None
        return last

    def _key(self, head: bytes) -> bytes:
        return derive(self.secret, f"sealed state/{self.what}", hashlib.sha256(head).digest())

    def _generation(self, head: bytes) -> int:
        """The generation in the first line, if that is of this state."""
        try:
            fields = json.loads(head)
            said = fields["what"], fields["schema"]
            of, generation = (fields["party"], fields["study"]), fields["generation"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise self._refuse(f"is no {self.what}") from None
        if said != (self.what, SCHEMA) or not isinstance(generation, int):
            raise self._refuse(f"is no {self.what} of this version")
        if of != (self.party, self.study):
            raise self._refuse("belongs to another party or study")
        return generation

    def _refuse(self, how: str) -> UsageError:
        return UsageError(f"{self.path} {how}", self.hint, party=self.party)


def _pack(content: _Content) -> bytes:
    sizes = [{name: len(one) for name, one in entries.items()} for entries in (content.kept, content.unused)]
    index = json.dumps({"kept": sizes[0], "unused": sizes[1], "used": sorted(content.used)}).encode()
    return b"".join((index, b"\n", *content.kept.values(), *content.unused.values()))


def _unpack(packed: bytes) -> _Content:
    """The content that `_pack` packed; it was sealed, so nobody else can have made it."""
    index, _, rest = packed.partition(b"\n")
    fields: dict[str, Any] = json.loads(index)
    start, entries = 0, []
    for sizes in (fields["kept"], fields["unused"]):
        found = {}
        for name, size in sizes.items():
            found[name] = rest[start : start + size]
            start += size
        entries.append(found)
    return _Content(entries[0], entries[1], frozenset(fields["used"]))
