"""A scenario for a server and many clients: who takes part, and where each client's data are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializeAsAny

from mpc.faults.fault import Kind
from parties.base.version import VERSION
from parties.scenario.faults import FaultsSpec
from parties.scenario.file import SCHEMA
from parties.scenario.models import RosterSpec, SessionSpec, Table, Task, Text, check_address
from parties.scenario.network import NetworkSpec
from parties.scenario.program import ProgramFile
from parties.scenario.step import StepFile

ROUND: Final = "{round}"
"""In a path of data, the place of the round's number."""

HOSTED: Final = "clients"
"""What [network] calls the hosted clients, all together."""

RATE = "a number from 0 to 0.45"
Rate = Annotated[float, Field(ge=0.0, le=0.45)]


class StarParty(Table):
    """The server, a client with a process of its own, or the helper. Only the server listens, and has an address."""

    role: Literal["server", "client", "helper"] = Field(description='"server", "client" or "helper"')
    data: Text | None = Field(default=None, description="a file's path")
    address: Annotated[str, AfterValidator(check_address)] | None = Field(
        default=None, description='"host:port", such as "10.0.0.5:7101" or "[::1]:7101"'
    )
    public_key: Text | None = Field(default=None, description="the text that `mpc keygen` prints")


def _check_cluster(value: str) -> str:
    if value != "local" and "://" not in value:
        raise ValueError("no address of a scheduler")
    return value


class ClientsSpec(Table):
    """Many clients, hosted in a few processes, each with its own connection, keys and data; or in the server's; or on a
    cluster.

    `data` contains {client}, for the client's name; or one file holds all clients' rows, and the column `by` names the
    client of each; or `split` deals that file's rows out, by the scenario's public seed
    (protocols/federated/draws/split.py).
    """

    count: Annotated[int, Field(ge=1, le=1_000_000)] = Field(description="a whole number from 1 to 1000000")
    processes: Annotated[int, Field(ge=0, le=64)] = Field(default=2, description="a whole number from 0 to 64")
    data: Text | None = Field(
        default=None, description="a file's path, with {client} in it, or with `by` or `split` one file for all"
    )
    by: Text | None = Field(default=None, description="the name of the column that says whose row it is")
    cluster: Annotated[str, AfterValidator(_check_cluster)] | None = Field(
        default=None, description='"local", or a Dask scheduler\'s address, such as "tcp://10.0.0.5:8786"'
    )
    split: Literal["labels", "quantity"] | None = Field(default=None, description='"labels" or "quantity"')
    alpha: Annotated[float, Field(gt=0.0, le=1e6)] | None = Field(
        default=None, description="a number above 0, up to 1000000"
    )


class StarTask(Task):
    """The [task] of any kind for a server and clients."""

    if TYPE_CHECKING:  # each kind has these as settings of its own, in its own order

        @property
        def rounds(self) -> int: ...
        @property
        def server(self) -> str: ...


class StarScenario(BaseModel):
    """A whole scenario file for a server and its clients, checked; each kind of task adds what follows from its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    parties: dict[str, StarParty]
    clients: ClientsSpec | None
    task: SerializeAsAny[StarTask]
    session: SessionSpec
    roster: RosterSpec | None = None
    network: NetworkSpec | None = None
    faults: FaultsSpec | None = None
    path: Path
    data_from: str | None = None
    program: ProgramFile | None = None
    given: Mapping[str, Any] = {}  # client -> the arrays that the caller of `beaverlodge.simulate` has for it
    step: StepFile | None = None
    """The learner that a client's owner named on the command line; no fact that others agree on, as `start`."""
    start: Path | None = None
    """A file of the weights that the server starts from."""

    @property
    def takes_step(self) -> bool:
        """Whether clients may train by learners of their own."""
        return False

    @property
    def needs_step(self) -> bool:
        """Whether clients can train by nothing else."""
        return False

    @property
    def star_rounds(self) -> int:
        """The rounds that a client goes through, if none is left out."""
        return self.task.rounds

    @property
    def asks_each(self) -> bool:
        """Whether every client is asked in each of these rounds."""
        return True

    @property
    def stages_waited(self) -> int:
        """The stages that may pass before a client hears of the next that is its own."""
        return 2 if self.helper is None else 5

    @property
    def split_seed(self) -> bytes | None:
        """The public seed by which a split deals rows to hosted clients; None: the kind deals none."""
        return None

    @property
    def split_labels(self) -> str | None:
        """The column whose labels a split spreads unevenly, where the kind has one."""
        return None

    @property
    def split_text(self) -> str | None:
        """The rule by which rows are dealt to hosted clients, in words."""
        spec = self.clients
        if spec is None or spec.split is None:
            return None
        what = f"labels in '{self.split_labels}'" if spec.split == "labels" else "quantity"
        return f"rows dealt to {spec.count} clients by {what}, Dirichlet({spec.alpha:g})"

    @property
    def directory(self) -> Path:
        """The folder that the file's relative paths start from."""
        return self.path.parent

    @property
    def stated_keys(self) -> dict[str, str | None]:
        """Every party's public_key, where the scenario itself states it; the server's comes first."""
        names = (self.server, *self.star_names)
        return {name: self.parties[name].public_key if name in self.parties else None for name in names}

    @property
    def server(self) -> str:
        """The server's name."""
        return next(name for name, party in self.parties.items() if party.role == "server")

    @property
    def helper(self) -> str | None:
        """The helper's name, where there is one."""
        return next((name for name, party in self.parties.items() if party.role == "helper"), None)

    @property
    def own_process(self) -> tuple[str, ...]:
        """The clients with a process of their own."""
        return tuple(name for name, party in self.parties.items() if party.role == "client")

    @property
    def hosted_clients(self) -> tuple[str, ...]:
        """The clients that are hosted together."""
        count = self.clients.count if self.clients is not None else 0
        return tuple(f"client_{number:0{len(str(count))}d}" for number in range(1, count + 1))

    @property
    def client_names(self) -> tuple[str, ...]:
        """All clients; a client's number in the protocol is its place here."""
        return (*self.own_process, *self.hosted_clients)

    @property
    def star_names(self) -> tuple[str, ...]:
        """The parties that dial the server: the clients by number, then the helper, if there is one."""
        return (*self.client_names, *([self.helper] if self.helper is not None else []))

    @property
    def hosted_faults(self) -> dict[Kind, str]:
        """The faults of hosted clients, in words."""
        spec = self.faults.clients if self.faults is not None else None
        if spec is None:
            return {}
        total = len(self.hosted_clients)
        where = ", some in each stage" if spec.stage is None else f" in '{spec.stage}'"
        texts: dict[Kind, str] = {
            "vanish": f"{int(spec.vanish * total)} of {total} hosted clients vanish{where}",
            "delay": f"{int(spec.straggle * total)} of {total} hosted clients answer {spec.seconds:g} s late{where}",
        }
        return {kind: text for kind, text in texts.items() if not text.startswith("0 ")}

    @property
    def inside(self) -> tuple[str, ...]:
        """The clients without sockets: in the server's process, or on a cluster."""
        spec = self.clients
        return self.hosted_clients if spec is not None and (spec.processes == 0 or spec.cluster) else ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The processes of the hosted clients."""
        count = 0 if self.clients is None or self.inside else min(self.clients.processes, self.clients.count)
        return tuple(f"clients_{number + 1}" for number in range(count))

    @property
    def processes(self) -> dict[str, tuple[str, ...]]:
        """The clients of each process but the server's; the helper has one of its own."""
        alone = (*([self.helper] if self.helper is not None else []), *self.own_process)
        found: dict[str, tuple[str, ...]] = {name: (name,) for name in alone}
        return found | {host: self.hosted_clients[k :: len(self.hosts)] for k, host in enumerate(self.hosts)}

    @property
    def link_names(self) -> tuple[str, ...]:
        """Whose links [network] tells apart: the hosted clients together are 'clients'."""
        return (*self.parties, *((HOSTED,) if self.clients is not None else ()))

    @property
    def count(self) -> int:
        """How many clients there are."""
        return len(self.own_process) + (self.clients.count if self.clients is not None else 0)

    def agreement(self) -> dict[str, Any]:
        """All that server and clients must agree on, as plain JSON values."""
        values = self.model_dump(mode="json", include={"name", "task", "session"})
        parties = {name: party.model_dump(mode="json", exclude={"data"}) for name, party in self.parties.items()}
        return {
            "schema": SCHEMA,
            "party_order": list(self.parties),
            **values,
            "parties": parties,
            "clients": self.clients.count if self.clients is not None else 0,
            "roster": {"signed_by": self.roster.signed_by} if self.roster is not None else None,
            **({} if self.program is None else {"program": self.program.facts}),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of `agreement()`, in hexadecimal."""
        return hashlib.sha256(json.dumps(self.agreement(), sort_keys=True).encode()).hexdigest()

    @property
    def meeting(self) -> bytes:
        """A hash of the version and the digest, which a client sends when it joins."""
        return hashlib.sha256(f"{VERSION}/{self.digest}".encode()).digest()

    def local_settings(self, me: str) -> dict[str, Any]:
        """What a party's own entry says that the others need not agree on."""
        spec = self.clients if me not in self.parties else None
        data: dict[str, Any] = {}
        if me not in (self.server, self.helper) and self.has_data(me):
            data = {"data": self.data_of(me), "by": spec.by if spec is not None else None}
        if spec is not None and spec.split is not None:
            data |= {"split": spec.split, "alpha": spec.alpha}
        return {**data, "roster": self.roster.file if self.roster is not None else None}

    def has_data(self, client: str) -> bool:
        """Whether the scenario says where a client's data are."""
        if client in self.parties:
            return self.parties[client].data is not None
        return self.clients is not None and self.clients.data is not None

    def data_of(self, client: str, place: int | None = None) -> str:
        """Where a client's data are, for the round at this place (1, 2, ...): a path relative to the scenario file."""
        if client in self.parties:
            path = str(self.parties[client].data)
        else:
            assert self.clients is not None and self.clients.data is not None
            path = self.clients.data.replace("{client}", client)
        return path if place is None else path.replace(ROUND, str(place))
