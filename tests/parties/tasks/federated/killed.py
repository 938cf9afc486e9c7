"""A study in one thread whose server and clients are killed at chosen events, and started again from what they kept.

The server is `serve`, over a star whose messages go from program to program. An event is a message, a write of the
server's state, or a round number that it takes; before any of them the server, or a client, can be killed. All secrets
come from a test seed, by client, session, round and attempt: what is used twice shows.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from logging import getLogger
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from mpc.errors import BeaverlodgeError, TooFewError
from mpc.randomness.streams import Entropy, derive
from mpc.ring.array import Array
from mpc.star.admission import StarCounts
from mpc.star.lockstep import StarMessage, run_star
from mpc.star.stage import ClientProgram, ServerProgram
from parties.base.reporter import Reporter
from parties.scenario.star import ClientsSpec
from parties.tasks.federated.clients import hosted as client_side
from parties.tasks.federated.clients.hosted import FederatedClient, FederatedPart, clients_of
from parties.tasks.federated.scenario_file import read_federated
from parties.tasks.federated.server import serve as server_side
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.star import rows as star_rows
from parties.tasks.star import server as star_server
from parties.tasks.star.base import Membership, Seat, server_state
from parties.trust import rounds
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import RoundNumbers
from parties.trust.sealed_state import SealedState
from protocols.aggregation import client as aggregation
from protocols.aggregation.parts.masks import add_mask
from protocols.aggregation.settings import Journal, Occasion, Trust
from protocols.federated.messages import Message
from protocols.federated.programs import Contribution, Work, federated_client

CLIENTS = 5
SECRET = b"s" * 32

TEXT = """
schema = 1
name = "killed"
seed = 3
[parties.server]
role = "server"
[clients]
count = {clients}
data = "rows.csv"
by = "who"
[task]
kind = "federated"
features = ["x"]
target = "y"
batch_size = 4
min_cell = 3
corrupt = 0.0
dropout = 0.2
min_cohort = 3
{task}
"""


def _once(read: Callable[..., Any]) -> Callable[..., Any]:
    """`read`, once for all clients as long as rows.csv stays what it is: they are started hundreds of times."""
    known: dict[tuple[bytes, tuple[str, ...]], Any] = {}

    def reads(scenario: FederatedScenario, spec: ClientsSpec, columns: Sequence[str], place: int) -> Any:
        key = (scenario.directory / "rows.csv").read_bytes(), tuple(columns)
        if key not in known:
            known[key] = read(scenario, spec, columns, place)
        return known[key]

    return reads


_READ_ONCE = _once(star_rows._shared)


class Killed(BaseException):
    """The server's process ends, without another word."""


def study(folder: Path, task: str) -> FederatedScenario:
    """A study of CLIENTS clients with a few rows each."""
    draw = np.random.default_rng(5)
    lines = []
    for k in range(1, CLIENTS + 1):
        for x in draw.normal(size=10 + k):
            lines.append(f"client_{k},{x:.3f},{int(draw.random() < 1 / (1 + np.exp(-2 * x)))}\n")
    (folder / "rows.csv").write_text("who,x,y\n" + "".join(lines))
    rounds = "" if "rounds" in task else "rounds = 3\n"
    raw = tomllib.loads(TEXT.format(clients=CLIENTS, task=rounds + task))
    return read_federated(folder / "killed.toml", raw)


@dataclass
class Uses:
    """What was used once or more in all runs of a study.

    Attributes:
        numbers: the star's rounds that the server took.
        occasions: (session, round, attempt) that it began.
        secrets: of each client's, the seeds that it drew, by label.
        masks: (client, key) of each mask that was added.
        released: (client, its vector) -> the sets of survivors that it released for.
        vectors: (client, phase, logical round) -> its vectors.
    """

    numbers: Counter[int] = field(default_factory=Counter)
    occasions: Counter[tuple[bytes, int, int]] = field(default_factory=Counter)
    secrets: Counter[bytes] = field(default_factory=Counter)
    masks: Counter[tuple[int, bytes]] = field(default_factory=Counter)
    released: dict[tuple[int, bytes], set[bytes]] = field(default_factory=dict)
    vectors: dict[tuple[int, str, int], set[bytes]] = field(default_factory=dict)

    def check(self) -> None:
        """Nothing that has to be fresh was there before; a client has one vector in a round, and it is in one sum."""
        for counts in (self.numbers, self.occasions, self.secrets, self.masks):
            assert set(counts.values()) <= {1}, "used twice"
        assert all(len(sets) == 1 for sets in self.released.values()), "two sums of one vector"
        assert all(len(made) == 1 for made in self.vectors.values()), "two vectors, as with other noise"


@dataclass
class Study:
    """A study, whose files outlive its processes.

    Args:
        kills: event -> the clients that are killed before it; None among them is the server.
        away: clients that are not there after the server's first start.
        between: what happens when the server was killed.

    Attributes:
        events: what happened, in words.
        starts: of the server.
        failed: errors that clients failed with.
    """

    scenario: FederatedScenario
    folder: Path
    kills: dict[int, Collection[int | None]] = field(default_factory=dict)
    away: frozenset[int] = frozenset()
    between: Callable[[], object] = lambda: None
    events: list[str] = field(default_factory=list)
    starts: int = 0
    uses: Uses = field(default_factory=Uses)
    failed: list[BeaverlodgeError] = field(default_factory=list)
    parts: dict[int, FederatedPart] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        for i in range(CLIENTS):
            self.start_client(i)

    def start_client(self, i: int) -> None:
        """A client's process starts: what it knows is in its journal's file."""
        name = self.scenario.client_names[i]
        member = Membership(RoundJournal(self.folder / f"{name}.rounds", sync=False))
        with patch.object(star_rows, "_shared", _READ_ONCE):
            (one,) = clients_of(self.scenario, {name: member}, getLogger("test")).values()
        assert isinstance(one, FederatedClient)
        self.parts[i] = one.part

    def event(self, what: str) -> None:
        """Something is about to happen: whose time it is, ends."""
        kills = self.kills.get(len(self.events), ())
        self.events.append(what)
        self.dead.update(i for i in kills if i is not None)
        if None in kills:
            raise Killed

    def run(self) -> dict[str, Any]:
        """Start the server until it ends by itself; returns its result."""
        with self._watched():
            while True:
                self.starts += 1
                with suppress(Killed):
                    return server_side.serve(self.scenario, self._seat(), Reporter(_nothing), getLogger("test"), _meet)
                self.between()

    def _seat(self) -> Seat:
        numbers = RoundNumbers(self.folder / "server.rounds", self.scenario.digest)

        def use(number: int) -> None:
            self.event("takes a number")
            self.uses.numbers[number] += 1
            numbers.use(number)
            self.event("took it")

        state = server_state(self.scenario, self.folder, SECRET)
        network: Any = self
        return Seat(network, numbers.next, use, self.folder, 0.0, tuple, {}, state=state)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Every write of the state is an event, and all that is to be used once is noted."""
        write = SealedState.write

        def writes(state: SealedState, name: str, content: bytes) -> None:
            self.event("writes its state")
            write(state, name, content)
            self.event("wrote it")

        def client(
            me: int,
            longest: int,
            occasion: Occasion,
            work: Work,
            entropy: Entropy,
            journal: Journal,
            trust: Trust | None = None,
        ) -> ClientProgram:
            def draws(label: str) -> bytes:
                place = occasion.session + bytes([occasion.round, occasion.attempt, me])
                secret = derive(b"test seed", label, place)
                self.uses.secrets[secret] += 1
                return secret

            vector = b""

            def works(message: Message) -> Contribution:
                nonlocal vector
                adds = work(message)
                vector = adds.vector.tobytes()
                self.uses.vectors.setdefault((me, message.phase, message.t), set()).add(vector)
                return adds

            def noted(key: int, survivors: bytes) -> None:
                journal(key, survivors)
                self.uses.released.setdefault((me, vector), set()).add(survivors)

            return self._masking(me, federated_client(me, longest, occasion, works, draws, noted, trust))

        def masks(total: Array, key: bytes, *, minus: bool = False) -> None:
            self.uses.masks[self._at_work, key] += 1
            add_mask(total, key, minus=minus)

        with (
            patch.object(SealedState, "write", writes),
            patch.object(star_server, "StarServer", _Star),
            patch.object(client_side, "federated_client", client),
            patch.object(rounds, "os_entropy", lambda label: b"0" * 32),
            patch.object(aggregation, "add_mask", masks),
            patch("os.fsync", _nothing),
        ):
            yield

    _at_work: int = -1

    async def _masking(self, me: int, program: Any) -> None:
        """The program; the client whose turn it is adds the masks that are added."""
        sent: Any = None
        while True:
            self._at_work = me
            try:
                exchange = program.send(sent)
            except StopIteration:
                return
            sent = await exchange


class _Star:
    """What `serve` needs of a star's server, in one thread."""

    def __init__(self, network: Any, *more: object) -> None:
        self.study: Study = network
        self.counts, self.reached = StarCounts(), ""

    def join(self) -> frozenset[int]:
        """Who was killed is back, unless it stays away."""
        study = self.study
        for i in study.dead:
            study.start_client(i)
        study.dead.clear()
        if study.starts > 1:
            study.dead |= study.away
        return frozenset(study.parts) - study.dead

    def run(self, program: ServerProgram, session: bytes, number: int, attempt: int, members: Any = None) -> Any:
        """One attempt, with all that live; who was killed in the attempt before is back."""
        study = self.study
        self.join()
        study.uses.occasions[session, number, attempt] += 1
        clients = {
            i: partial(part.program, session, number, attempt) for i, part in study.parts.items() if i not in study.dead
        }

        def tap(message: StarMessage) -> bytes | None:
            study.event(f"{'from' if message.up else 'to'} {message.client} {message.label}")
            return None if message.client in study.dead else message.body

        out = run_star(program, clients, tap)
        study.failed += [error for error in out.failed.values() if not isinstance(error, TooFewError)]
        if out.error is not None:
            raise out.error
        return out.result

    def part(self, code: str | None = None) -> None:
        """The clients hear of the end."""


def _nothing(*_: object) -> None: ...


def _meet() -> None: ...
