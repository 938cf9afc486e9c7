"""The clients that one process hosts: their rows, their part in each round, and what they report at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import Logger
from typing import Final

import numpy as np

from mpc.errors import DataError, ProtocolError, TooFewError
from mpc.faults.fault import Fault
from mpc.randomness.streams import Stream, os_entropy
from mpc.ring.array import Array
from mpc.star.client import StarClient
from mpc.star.stage import ClientProgram
from parties.base.memory import measured
from parties.tasks.federated.clients.data import OwnRows, own_rows, rows_of
from parties.tasks.federated.clients.faults import Draw, draw_of
from parties.tasks.federated.clients.learner import Learner, learners_of
from parties.tasks.federated.clients.work import Done, check_cells, check_message, work_of
from parties.tasks.federated.costs import MB
from parties.tasks.federated.settings import FederatedScenario, Round
from parties.tasks.star.base import NO_TRIALS, Membership, Trials
from parties.tasks.star.clients import NoisyVectors, make_clients, run_noted
from parties.tasks.star.noise import Charging, client_charge
from parties.tasks.star.rows import ClientRows
from parties.trust.rounds import AgreedRounds
from protocols.aggregation.settings import Occasion
from protocols.federated.messages import PHASES, Message, Phase, release_key
from protocols.federated.noisy import NoisyLayout
from protocols.federated.programs import Contribution, federated_client, plain_client

_PLACE_BYTES: Final = 5  # the phase, and the logical round


def round_name(session: bytes, phase: Phase, t: int) -> bytes:
    """The session as a round's start tells it: with the round's phase and logical number."""
    return session + bytes([PHASES.index(phase)]) + t.to_bytes(4, "little")


def clients_of(
    scenario: FederatedScenario, members: Mapping[str, Membership], log: Logger, trials: Trials = NO_TRIALS
) -> dict[str, StarClient]:
    """The clients of this process, ready to join."""
    rows, draw, rounds = rows_of(scenario), draw_of(scenario), _rounds_of(scenario)
    learner = learners_of(scenario)

    def make(name: str, number: int, member: Membership) -> StarClient:
        part = FederatedPart(scenario, name, number, member, rows, log, trials, draw, rounds, learner(name))
        return FederatedClient(part, scenario)

    return make_clients(scenario, members, log, make)


RoundOf = Callable[[Phase, int], Round]


def _rounds_of(scenario: FederatedScenario) -> RoundOf:
    """The facts of a round, worked out once for all clients of a process."""
    last: Round | None = None

    def round_of(phase: Phase, t: int) -> Round:
        nonlocal last
        if last is None or (last.phase, last.t) != (phase, t):
            last = scenario.round_without_model(phase, t)
        return last

    return round_of


class FederatedClient(StarClient):
    """A client, and its part in the study."""

    def __init__(self, part: FederatedPart, scenario: FederatedScenario) -> None:
        self.part = part
        super().__init__(
            part.program,
            scenario.meeting,
            part.fault,
            scenario.star_rounds,
            enters=part.enters,
        )


@dataclass
class Spent:
    """What a client's own work took, over all rounds: the most of one of them.

    Args:
        rounds: how many it worked in.
        seconds: of processor time.
        memory: bytes that were allocated at the same time; 0 where they are not measured, for there is no limit.
        clipped: how many updates were longer than the agreed norm.
    """

    rounds: int = 0
    seconds: float = 0.0
    memory: int = 0
    clipped: int = 0


class FederatedPart:
    """One client's part: its rows, and the program for each round that asks it.

    Attributes:
        last: what it made of the last round's message, with the models of its own.
        spent: what its work took.
    """

    def __init__(
        self,
        scenario: FederatedScenario,
        name: str,
        number: int,
        member: Membership,
        rows: ClientRows,
        log: Logger,
        trials: Trials,
        draw: Draw,
        rounds: RoundOf,
        learner: Learner | None = None,
    ) -> None:
        self._scenario = scenario
        self._trials = trials
        self._draw = draw
        self._rounds = rounds
        self._learner = learner
        self._fault: Fault | None = None
        self._vectors = NoisyVectors()
        self._session = b""  # a noisy round keeps that in which its noise was drawn: a restarted server has another
        self._asked: dict[int, int] = {}  # of each round, the key of its message: a server has no second try
        self.name = name
        self._number = number
        self._member = member
        self._log = log
        self.rows: OwnRows = own_rows(scenario, name, rows.of(name, 1), number)
        check_cells(scenario, name, self.rows)
        self.last: Done | None = None
        self.spent = Spent()
        if self.rows.clipped:
            log.warning("%s: %d values were outside the agreed range, and were clipped", name, self.rows.clipped)

    def program(self, started: bytes, number: int, attempt: int) -> ClientProgram:
        """This client's program for an attempt at a round; one that does not ask it is over at once.

        Raises:
            ProtocolError: the server asks for what was not agreed.
        """
        scenario = self._scenario
        session, phase, t = _place(scenario, started, number, attempt)
        agreed = self._rounds(phase, t)
        if not self._vectors.has((phase, t)):
            self._session = session
        self._fault = self._draw(agreed.members, t, attempt).get(self._number)
        if self._number not in agreed.members:
            return _nothing()
        noted, journal = self._member.note(self._session, _round_text(phase, t), self.rows)

        def work(message: Message) -> Contribution:
            return self._work(message, agreed)

        if scenario.plain:
            return run_noted(noted, plain_client(self._number, agreed.longest, work))
        occasion = Occasion(started, number, attempt)
        trust = self._member.trust
        return run_noted(
            noted, federated_client(self._number, agreed.longest, occasion, work, os_entropy, journal, trust)
        )

    def fault(self, round_: int) -> Fault | None:
        """The fault on purpose in the present attempt."""
        return self._fault

    def enters(self, stage: str) -> None:
        """Report that this client comes to a stage."""
        self._trials.enters(self.name, stage)
        if self._fault is not None and self._fault.stage == stage:
            self._trials.strikes(self._fault.kind)

    def _work(self, message: Message, agreed: Round) -> Contribution:
        scenario = self._scenario
        check_message(scenario, message, agreed)
        self._member.journal.bind(self.rows.digest)
        key = release_key(message)
        if self._asked.setdefault(agreed.t, key) != key:
            raise ProtocolError(
                f"the server asks for round {agreed.t} with another model than before",
                "a server that is started again has the same one; nothing was sent for this one",
                party="server",
            )
        most_mb, most_seconds = scenario.task.most_memory_mb, scenario.task.most_seconds
        began = time.thread_time()
        with measured(most_mb is not None) as peak:
            done = self._done(message)
        layout = scenario.layout(message.phase, message.weights)
        vector: Array
        if isinstance(layout, NoisyLayout):
            vector = self._noisy(layout, done.values[layout.name], message)
        elif scenario.plain:
            vector = np.concatenate([np.asarray(done.values[part.name]).reshape(-1) for part in layout.parts])
        else:
            vector, _ = layout.encode(done.values)
        took = time.thread_time() - began
        self.spent.memory = max(self.spent.memory, peak.bytes)
        if most_mb is not None and peak.bytes > most_mb * MB:
            raise _too_much(f"{peak.bytes / MB:.1f} MB of memory", f"most_memory_mb is {most_mb:g}")
        if most_seconds is not None and took > most_seconds:
            raise _too_much(f"{took:.2g} s", f"most_seconds is {most_seconds:g}")
        self.spent.rounds += 1
        self.spent.seconds = max(self.spent.seconds, took)
        self.spent.clipped += done.clipped and scenario.privacy is None  # an exact number, which nobody pays for
        self.last = done
        if self._member.noting is not None:  # on a machine of its own
            for kind, gained in done.gains.items():
                self._log.info("its own model (%s) gains %+.4f over that of all on held-out rows", kind, gained)
        return Contribution(agreed.members, agreed.settings, vector)

    def _done(self, message: Message) -> Done:
        """The client's work. With [privacy] it is zeros if the training diverged: an error would tell of the data."""
        try:
            return work_of(self._scenario, self._number, self.rows, message, self._learner)
        except DataError as error:
            if self._scenario.privacy is None:
                raise
            self._log.warning("%s: %s; zeros are in its place", self.name, error.message)
            return Done({"update": np.zeros(self._scenario.size)})

    def _noisy(self, layout: NoisyLayout, values: Array, message: Message) -> Array:
        """The round's vector with noise. A round has one, whatever its model: others can open it once it was sent."""
        privacy, place = self._scenario.privacy, (message.phase, message.t)
        assert privacy is not None

        def charge(ledger: Charging) -> None:
            ledger(self._session, _round_text(*place), self.rows, client_charge(layout.how, privacy.delta))

        def make() -> Array:
            return layout.encode(values, self._scenario.signs(*place), Stream(os_entropy("noise")))

        draw = _round_text(*place) if message.phase == "train" else message.phase
        return self._vectors.of(self._member, place, draw, charge, make)


def _round_text(phase: Phase, t: int) -> str:
    """A round in journal, list of releases and ledger."""
    return f"{phase} {t}"


def _too_much(what: str, most: str) -> TooFewError:
    """The error with which a client leaves a round; it takes part in the next one."""
    return TooFewError(f"its work on a round took {what}, and {most}: it left the round", "give it a lighter study")


async def _nothing() -> None:
    """The part of a client that a round does not ask."""


def _place(scenario: FederatedScenario, started: bytes, number: int, attempt: int) -> tuple[bytes, Phase, int]:
    """The session, phase and logical round that a round's start tells.

    Raises:
        ProtocolError: they are none of the agreed ones.
    """
    session, place = started[:-_PLACE_BYTES], started[-_PLACE_BYTES:]
    rounds = AgreedRounds(2**32, scenario.task.attempts)
    rounds.place(session, number, attempt)
    if place[0] < len(PHASES):
        phase, t = PHASES[place[0]], int.from_bytes(place[1:], "little")
        if scenario.expects(phase, t):
            return session, phase, t
    raise ProtocolError("the server asks for a round that was not agreed", "nothing was sent", party="server")
