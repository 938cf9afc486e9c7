"""The clients that one process hosts: their vectors, programs and journals; and what they report at the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from logging import Logger

from mpc.errors import DataError
from mpc.randomness.streams import os_entropy
from mpc.ring.array import Array
from mpc.star.client import StarClient, always
from mpc.star.stage import ClientProgram
from parties.scenario.problems import quote
from parties.tasks.secure_sum.ends.data import numbers_of
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.base import NO_TRIALS, Membership, Trials
from parties.tasks.star.clients import unfit, within
from parties.tasks.star.noise import client_charge
from parties.tasks.star.rows import ClientRows, Values
from parties.trust.rounds import AgreedRounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.settings import Journal, Occasion, Settings


def clients_of(
    scenario: SumScenario, members: Mapping[str, Membership], log: Logger, trials: Trials = NO_TRIALS
) -> dict[str, StarClient]:
    """The clients of this process, ready to join; a client with unfit data reports only that to the server."""
    numbers = {name: number for number, name in enumerate(scenario.client_names)}
    settings, rows = scenario.settings, ClientRows(scenario, scenario.read_columns)
    clients = {}
    for name, member in members.items():
        part = _Part(scenario, settings, name, numbers[name], member, rows, log)
        try:
            part.prepare()
        except DataError as error:
            log.error("%s: %s", name, error)
            clients[name] = unfit(error)
            continue
        fault, enters = always(trials.faults.get(name)), partial(trials.enters, name)
        clients[name] = StarClient(part.program, scenario.meeting, fault, scenario.task.rounds, enters=enters)
    return clients


class _Part:
    """One client's part: its numbers, round by round, and the program that adds them up."""

    def __init__(
        self,
        scenario: SumScenario,
        settings: Settings,
        name: str,
        number: int,
        member: Membership,
        rows: ClientRows,
        log: Logger,
    ) -> None:
        self._scenario = scenario
        self._settings = settings
        self._name = name
        self._number = number
        self._member = member
        self._rows = rows
        self._log = log
        self._agreed = AgreedRounds(scenario.task.rounds, scenario.task.attempts)
        self._place = 0
        self._noisy: tuple[int, Array] | None = None
        self._values: Values
        self._numbers: Array

    def prepare(self, place: int = 1) -> None:
        """Read the rows of a round, if they are not there yet.

        Raises:
            DataError: they cannot be read, or hold what the scenario refuses.
        """
        if place == self._place:
            return
        self._values = self._rows.of(self._name, place)
        numbers = numbers_of(self._scenario, self._name, self._values)
        self._numbers, self._place = numbers.vector, place
        if numbers.clipped:
            text = "%s: %d cells were outside the agreed range, and were clipped"
            self._log.warning(text, self._name, numbers.clipped)
        if numbers.withheld:
            text = "%s: fewer rows than %d in cells of %s: it adds nothing for them, or the commonest value"
            self._log.warning(text, self._name, self._scenario.task.min_cell, quote(numbers.withheld))

    def program(self, session: bytes, number: int, attempt: int) -> ClientProgram:
        """This client's program for an attempt at a round; its rows are read before anything is sent."""
        self.prepare(self._agreed.place(session, number, attempt))
        journal: Journal = self._member.journal
        noted: AbstractContextManager[object] = nullcontext()
        if self._member.noting is not None:
            noted, journal = self._member.noting(session, str(number), self._values, journal)
        occasion = Occasion(session, number, attempt)

        async def take_part() -> None:
            vector = self._numbers if self._scenario.privacy is None else self._with_noise(session, number)
            await aggregation_client(
                self._number, self._settings, occasion, vector, os_entropy, journal, self._member.trust
            )

        return within(noted, take_part())

    def _with_noise(self, session: bytes, number: int) -> Array:
        """The round's vector with noise: the same in all attempts at the round.

        Two of other noise would have a mean with less of it. So noise is drawn once for a round, and the journal and
        the client's ledger have the draw before anything is sent. A client that was started again no longer has the
        noise, and leaves the round.
        """
        from parties.tasks.secure_sum.private import noisy_vector

        assert self._scenario.privacy is not None
        if self._noisy is None or self._noisy[0] != number:
            self._member.journal.draw(f"round {number}")
            if self._member.charge is not None:
                charge = client_charge(self._scenario.noise, self._scenario.privacy.delta)
                self._member.charge(session, str(number), self._values, charge)
            self._noisy = number, noisy_vector(self._scenario, self._numbers, number)
        return self._noisy[1]
