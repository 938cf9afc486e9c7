"""The clients that one process hosts: their vectors, programs and journals; and what they report at the end."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from logging import Logger

from mpc.randomness.streams import os_entropy
from mpc.ring.array import Array
from mpc.star.client import StarClient, always
from mpc.star.stage import ClientProgram
from parties.scenario.problems import quote
from parties.tasks.secure_sum.ends.data import numbers_of
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.base import NO_TRIALS, Membership, Trials
from parties.tasks.star.clients import NoisyVectors, make_clients, run_noted
from parties.tasks.star.noise import Charging, client_charge
from parties.tasks.star.rows import ClientRows, Values
from parties.trust.rounds import AgreedRounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.settings import Occasion, Settings


def clients_of(
    scenario: SumScenario, members: Mapping[str, Membership], log: Logger, trials: Trials = NO_TRIALS
) -> dict[str, StarClient]:
    """The clients of this process, ready to join."""
    settings, rows = scenario.settings, ClientRows(scenario, scenario.read_columns)

    def make(name: str, number: int, member: Membership) -> StarClient:
        part = _Part(scenario, settings, name, number, member, rows, log)
        part.prepare()
        fault, enters = always(trials.faults.get(name)), partial(trials.enters, name)
        return StarClient(part.program, scenario.meeting, fault, scenario.task.rounds, enters=enters)

    return make_clients(scenario, members, log, make)


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
        self._noisy = NoisyVectors()
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
        noted, journal = self._member.note(session, str(number), self._values)
        occasion = Occasion(session, number, attempt)

        async def take_part() -> None:
            vector = self._numbers if self._scenario.privacy is None else self._with_noise(session, number)
            await aggregation_client(
                self._number, self._settings, occasion, vector, os_entropy, journal, self._member.trust
            )

        return run_noted(noted, take_part())

    def _with_noise(self, session: bytes, number: int) -> Array:
        """The round's vector with noise."""
        from parties.tasks.secure_sum.private import noisy_vector

        privacy = self._scenario.privacy
        assert privacy is not None

        def charge(ledger: Charging) -> None:
            ledger(session, str(number), self._values, client_charge(self._scenario.noise, privacy.delta))

        def make() -> Array:
            return noisy_vector(self._scenario, self._numbers, number)

        return self._noisy.of(self._member, number, f"round {number}", charge, make)
