"""A scenario: who takes part, on which data, and what they compute; read from a TOML file.

It holds everything that the parties must agree on, and nothing secret. `read_scenario` returns a frozen `Scenario`,
or raises one `UsageError` that names every mistake in the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from mpc.errors import InternalError, UsageError, plain_text
from parties.base.bugs import reason_of
from parties.scenario.checks import check_links, check_roles, check_text_settings
from parties.scenario.faults import FaultsSpec, check_faults, check_owners_faults, read_faults
from parties.scenario.models import (
    Head,
    ModelTask,
    PartySpec,
    RosterSpec,
    SessionSpec,
    SqlSource,
    Task,
    TestingSpec,
    split_address,
)
from parties.scenario.network import NetworkSpec, check_network, read_network
from parties.scenario.partition import task_of
from parties.scenario.privacy import PrivacySpec
from parties.scenario.problems import (
    Model,
    Problem,
    Reading,
    check_keys,
    drop_invalid,
    nearest,
    read_or_refuse,
    read_table,
    show_value,
)
from parties.scenario.program import ProgramFile
from parties.scenario.task import Readers, check_shares, make_private, read_task
from parties.scenario.toml_text import parse_toml, read_text_file

__all__ = [
    "ModelTask",
    "NetworkSpec",
    "PartySpec",
    "RosterSpec",
    "Scenario",
    "SessionSpec",
    "SqlSource",
    "TestingSpec",
    "differences",
    "read_scenario",
    "split_address",
]

OneTask = TypeVar("OneTask", bound=Task)

SCHEMA = 1
MOST_PARTIES = 64

_LOCAL_SETTINGS = {"data", "encoding", "decimal", "thousands", "model"}
PARTY_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
NAME_HINT = "use small letters, digits and _, starting with a letter, at most 63"
_STAR_ROLES = ("server", "client")
_HEAD_KEYS = ("schema", "name", "seed")
_TABLE_KEYS = ("parties", "task", "privacy", "network", "faults", "session", "testing", "roster")
_ELSEWHERE: Mapping[str, Sequence[str]] = {
    "the top of the file": _HEAD_KEYS,
    "[parties.NAME]": tuple(PartySpec.model_fields),
    "[privacy]": tuple(PrivacySpec.model_fields),
    "[network]": tuple(NetworkSpec.model_fields),
    "[faults]": tuple(FaultsSpec.model_fields),
    "[session]": tuple(SessionSpec.model_fields),
    "[testing]": tuple(TestingSpec.model_fields),
    "[roster]": tuple(RosterSpec.model_fields),
}


def read_scenario(path: Path, readers: Readers, kinds: Sequence[str]) -> Scenario:
    """Read and check a scenario file for owners and a helper.

    Args:
        readers: how each kind of task is read.
        kinds: all kinds that a file may name.

    Raises:
        UsageError: the file cannot be read, or is not a valid scenario; all problems are named together.
    """
    return check_scenario(path, read_toml(path), readers, kinds)


def check_scenario(path: Path, raw: Mapping[str, Any], readers: Readers, kinds: Sequence[str]) -> Scenario:
    """The scenario of a file's tables, as `read_scenario` checks them; `path` is where its paths start from."""
    check_schema(path, raw)
    return read_or_refuse(str(path), _read_tables(path, raw, readers, kinds))


def _read_tables(
    path: Path, raw: Mapping[str, Any], readers: Readers, kinds: Sequence[str]
) -> Reading[Scenario | None]:
    known = (*_HEAD_KEYS, *_TABLE_KEYS)
    elsewhere = {**_ELSEWHERE, "[task]": tuple(key for one in readers.values() for key in one.model.model_fields)}
    yield from check_keys("the top of the file", raw, known, elsewhere)
    head_values = {key: value for key, value in raw.items() if key in _HEAD_KEYS}
    head = yield from read_table(Head, head_values, "the top of the file:", {})
    of_stars = [name for name in kinds if name not in readers]
    parties = yield from _read_parties(raw.get("parties"), elsewhere, of_stars)
    task = yield from drop_invalid(read_task(raw.get("task"), elsewhere, readers, kinds))
    network = (yield from read_network(raw["network"], elsewhere)) if "network" in raw else None
    faults = (yield from read_faults(raw["faults"], elsewhere)) if "faults" in raw else None
    session = yield from _read_optional(SessionSpec, raw, "session", elsewhere)
    testing = yield from _read_optional(TestingSpec, raw, "testing", elsewhere)
    roster = yield from _read_optional(RosterSpec, raw, "roster", elsewhere)
    privacy = yield from _read_optional(PrivacySpec, raw, "privacy", elsewhere)
    if parties is not None:
        yield from check_roles(parties)
        yield from check_links(parties)
        yield from check_text_settings(parties)
        if network is not None:
            yield from check_network(network, parties)
        if faults is not None:
            yield from check_faults(faults, parties)
            yield from check_owners_faults(faults)
    if task is not None:
        reader = readers[task.kind]
        if parties is not None and not reader.shares(task):
            yield from check_shares(parties)
        if privacy is not None:
            task = yield from make_private(reader, task, privacy, parties, readers)
        task = yield from reader.settle(task, parties)
    if head is None or task is None or parties is None:
        return None
    return Scenario(
        name=head.name,
        seed=head.seed,
        parties=parties,
        task=task,
        privacy=privacy,
        network=network,
        faults=faults,
        session=session or SessionSpec(),
        testing=testing,
        roster=roster,
        path=path,
    )


def differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Where two agreed dictionaries differ: one line a key, dotted, with both values.

    `theirs` may come from a peer: it is only ever printed, escaped and cut short.
    """
    return list(_compare(mine, theirs, ""))


class Scenario(BaseModel):
    """A whole scenario file, checked. The parties agree on all of it but paths and the form of data."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    seed: int
    parties: dict[str, PartySpec]
    task: SerializeAsAny[Task]
    privacy: PrivacySpec | None = None
    network: NetworkSpec | None
    faults: FaultsSpec | None = None
    session: SessionSpec
    testing: TestingSpec | None
    roster: RosterSpec | None = None
    path: Path
    data_from: str | None = None
    """The file or option that says where this party's data are, if not the scenario file."""
    program: ProgramFile | None = None
    """The protocol that the command line named; a scenario file never does."""
    given: dict[str, tuple[str, ...]] = Field(default={}, repr=False)
    """By owner, the ring elements in hexadecimal of each input that is `given`; a party's process has its own alone."""

    @property
    def owners(self) -> tuple[str, ...]:
        """The data owners' names, in the order of the file."""
        return tuple(name for name, party in self.parties.items() if party.role == "owner")

    @property
    def helper(self) -> str:
        """The helper's name."""
        return next(name for name, party in self.parties.items() if party.role == "helper")

    @property
    def vertical(self) -> bool:
        """Whether the owners have other columns of the same rows."""
        return self.task.partition == "vertical"

    def task_as(self, model: type[OneTask]) -> OneTask:
        """The task, in a scenario that is known to be of this kind."""
        if not isinstance(self.task, model):
            raise InternalError(
                f'kind = "{self.task.kind}" is taken for {model.__name__}', "please report this as a bug"
            )
        return self.task

    @property
    def model_task(self) -> ModelTask:
        """The task of a scenario that fits a model, of whichever kind, to a target."""
        return self.task_as(ModelTask)

    def task_of(self, owner: str) -> ModelTask:
        """The model task for one owner's table: where columns are split, with that owner's `features`."""
        return task_of(self.model_task, self.parties[owner])

    @property
    def stated_keys(self) -> dict[str, str | None]:
        """Every party's public_key, where the scenario itself states it."""
        return {name: party.public_key for name, party in self.parties.items()}

    def local_settings(self, me: str) -> dict[str, Any]:
        """The settings of a party's own entry that the others need not agree on."""
        roster = self.roster.file if self.roster is not None else None
        return {**self.parties[me].model_dump(mode="json", include=_LOCAL_SETTINGS), "roster": roster}

    @property
    def directory(self) -> Path:
        """The folder that the file's relative paths start from."""
        return self.path.parent

    def data_source(self, name: str) -> str | SqlSource:
        """The `data` of a party, as the file has it.

        Raises:
            UsageError: the scenario has no such party, or does not say where its data are.
        """
        party = self.parties.get(name)
        if party is None:
            raise UsageError(f"{self.path}: there is no party '{name}'", f"the parties are {', '.join(self.parties)}")
        if party.data is None:
            raise UsageError(
                f"{self.path}: [parties.{name}] does not say where its data are",
                'add data = "file.csv"' if party.role == "owner" else "only owners have data",
                party=name,
            )
        return party.data

    def agreement(self) -> dict[str, Any]:
        """All that the parties must agree on, as plain JSON values."""
        left_out: Any = {"parties": {"__all__": _LOCAL_SETTINGS}, "roster": {"file"}}
        left_out |= dict.fromkeys(("path", "data_from", "privacy", "network", "faults", "program", "given"), True)
        values = self.model_dump(mode="json", exclude=left_out)
        network = self.network.agreement() if self.network is not None else None
        # The owners' order matters, and a JSON object has none.
        named = {} if self.program is None else {"program": self.program.facts}
        named |= {} if self.privacy is None else {"privacy": self.privacy.model_dump(mode="json", exclude_none=True)}
        named |= {} if self.faults is None else {"faults": self.faults.model_dump(mode="json")}
        return {"schema": SCHEMA, "party_order": list(self.parties), **values, "network": network, **named}

    @property
    def digest(self) -> str:
        """SHA-256 of `agreement()`, in hexadecimal: equal at two parties that mean the same run."""
        canonical = json.dumps(self.agreement(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables, unchecked.

    Raises:
        UsageError: the file cannot be read or is not TOML.
    """
    try:
        content = read_text_file(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such scenario file", "check the path") from None
    except IsADirectoryError:
        raise UsageError(f"{path}: this is a folder, not a scenario file", "name a .toml file in it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: the scenario file cannot be read ({reason_of(error)})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: the scenario file is not UTF-8 text (line {line})", "save it as UTF-8") from None
    try:
        return parse_toml(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deeply"
        hint = "correct that line"
        if "\\" in reason:
            hint = "in a path, write / or put it in single quotes: 'data\\file.csv'"
        elif "overwrite" in reason or "twice" in reason:
            hint = "that line gives a setting or a table a second time"
        raise UsageError(f"{path}: not valid TOML: {reason[:1].lower()}{reason[1:]}", hint) from None


def check_schema(path: Path, raw: Mapping[str, Any]) -> None:
    """Refuse a file of another schema (UsageError)."""
    hint = f'write "schema = {SCHEMA}" at the top of the file'
    if "schema" not in raw:
        guess = nearest("schema", raw)
        if guess is not None:
            hint = f"did you mean 'schema' where it says '{guess}'?"
        raise UsageError(f"{path}: the file does not say which schema it follows", hint)
    if type(raw["schema"]) is not int or raw["schema"] != SCHEMA:
        raise UsageError(f"{path}: schema {show_value(raw['schema'])} is not known to this version", hint)


Elsewhere = Mapping[str, Sequence[str]]


def _read_optional(model: type[Model], raw: Mapping[str, Any], key: str, elsewhere: Elsewhere) -> Reading[Model | None]:
    return (yield from read_table(model, raw[key], f"[{key}]", elsewhere)) if key in raw else None


def _read_parties(raw: object, elsewhere: Elsewhere, of_stars: Sequence[str]) -> Reading[dict[str, PartySpec] | None]:
    if not isinstance(raw, Mapping) or not raw:
        yield Problem("the file names no parties", "add a table [parties.NAME] for each of them")
        return None
    if len(raw) > MOST_PARTIES:
        yield Problem(f"the file names {len(raw)} parties", f"at most {MOST_PARTIES} can take part")
        return None
    parties: dict[str, PartySpec] = {}
    for name, values in raw.items():
        party = yield from drop_invalid(_read_party(name, values, elsewhere, of_stars))
        if party is not None:
            parties[name] = party
    return parties if len(parties) == len(raw) else None


def _read_party(name: str, raw: object, elsewhere: Elsewhere, of_stars: Sequence[str]) -> Reading[PartySpec | None]:
    table = f"[parties.{name}]"
    if not PARTY_NAME.fullmatch(name):
        yield Problem(f"{show_value(name)} cannot be a party's name", NAME_HINT)
        return None
    if isinstance(raw, Mapping):
        if raw.get("role") in _STAR_ROLES:
            kinds = " or ".join(f'"{kind}"' for kind in of_stars)
            message = f'[parties.{name}] role = "{raw["role"]}" is for kind = {kinds}'
            yield Problem(message, 'a training has "owner" or "helper"')
            return None
        if isinstance(raw.get("data"), Mapping):
            source = yield from read_table(SqlSource, raw["data"], f"[parties.{name}.data]", {})
            raw = {**raw, "data": source}
    party = yield from read_table(PartySpec, raw, table, elsewhere)
    if party is not None and party.role == "helper":
        for key in ("data", "encoding", "decimal", "thousands", "features", "rows", "model"):
            if key in party.model_fields_set:
                yield Problem(f"{table} has {key}, but a helper has none", f"remove '{key}' there")
    return party


def _compare(mine: object, theirs: object, key: str) -> Iterator[str]:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for name in [*mine, *(name for name in theirs if name not in mine)]:
            inner = f"{key}.{plain_text(name, 60)}" if key else plain_text(name, 60)
            yield from _compare(mine.get(name, _ABSENT), theirs.get(name, _ABSENT), inner)
    elif mine != theirs or type(mine) is not type(theirs):
        yield f"{key}: {_value(mine)} here, {_value(theirs)} there"


_ABSENT = object()


def _value(value: object) -> str:
    if value is _ABSENT:
        return "absent"
    if isinstance(value, Mapping):
        return "a table"
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
