"""What an attack is: given a study and maybe a run of it, it finds how much an onlooker gains."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

from mpc.randomness.streams import Stream

if TYPE_CHECKING:
    from numpy.random import Generator

    from parties.scenario.file import Scenario
    from parties.scenario.star import StarScenario
    from parties.tasks.audited.audit import Alone, Audit, Population, Trial
    from parties.tasks.audited.counts import Counted
    from parties.tasks.audited.updates import Updates


@dataclass(frozen=True)
class Effort:
    """How much work an audit is worth.

    Args:
        shadows: trainings on other draws of the rows.
        draws: of each mechanism, with and without a row; None: 10,000, or fewer where they would take long.
    """

    shadows: int = 256
    draws: int | None = None


ALL_ROWS: Final = "it takes the rows of all owners, and one owner's alone are here"
"""Why an attack is not tried with one owner's data."""


class Say(Protocol):
    """Shows the progress of an audit: a stage in a few words, and how much of how much is done."""

    def __call__(self, stage: str, done: int | None = None, total: int | None = None) -> None: ...


def say_nothing(stage: str, done: int | None = None, total: int | None = None) -> None:
    """`say` of an audit that nobody watches."""


@dataclass(frozen=True)
class Audited:
    """What is attacked.

    Args:
        scenario: whose data are all on this machine.
        audit: what its kind of task gives an audit.
        record: of the finished run that is attacked; None: a study, of which runs are made in the clear.
        owner: whose data alone are here, beside the record of its run; None: all owners' are.
        seed: public, of all draws of the audit: it comes out the same again.
        say: shows the progress.
        beside: records of other runs of it that the attacker has.
    """

    scenario: Scenario | StarScenario
    audit: Audit
    record: Mapping[str, Any] | None = None
    effort: Effort = Effort()
    seed: int = 1
    owner: str | None = None
    say: Say = field(default=say_nothing, repr=False)
    beside: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @cached_property
    def population(self) -> Population | None:
        """The rows that might be members; None where nothing is released that depends on them, or not all are here."""
        if self.owner is not None:
            return None
        return self.audit.population(self.scenario, self.record)

    @cached_property
    def alone(self) -> Alone | None:
        """The rows of the one owner whose data are here; None where nothing can be said with them."""
        if self.owner is None or self.record is None or self.audit.alone is None:
            return None
        return self.audit.alone(self.scenario, self.record, self.owner)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Its mechanisms; none without [privacy]."""
        return self.audit.trials(self.scenario)

    @cached_property
    def run_record(self) -> Mapping[str, Any]:
        """The record of the run; of a study, of a run of it in one thread."""
        if self.record is not None:
            return self.record
        from parties.report.record import record_of
        from parties.scenario.file import Scenario
        from parties.session.lockstep import run_in_one_thread

        assert isinstance(self.scenario, Scenario)
        self.say("a run of the study in one thread")
        return record_of(self.scenario, run_in_one_thread(self.scenario))

    @cached_property
    def counted(self) -> Counted:
        """What its counts and sums told, of a kind that has them; with those of other runs of equally many patients."""
        assert self.audit.counted is not None
        records = [self.run_record, *(one for one in self.beside if self.rows_of(one) == self.rows_of(self.run_record))]
        runs = self.audit.counted(self.scenario, records, self.owner)
        return replace(
            runs[0],
            facts=tuple(fact for run in runs for fact in run.facts),
            queries=tuple(one for run in runs for one in run.queries),
            moments=tuple(one for run in runs for one in run.moments),
            noisy=all(run.noisy for run in runs),
        )

    @staticmethod
    def rows_of(record: Mapping[str, Any]) -> Any:
        """The number of patients, as a record of counts says it; None with [privacy]."""
        return record["statistics"]["rows"]

    @cached_property
    def updates(self) -> Updates | None:
        """What clients of a federated training send; None where they send none."""
        return None if self.audit.updates is None else self.audit.updates(self.scenario)

    def rng(self, label: str) -> Generator:
        """Random numbers of one use: of the audit's own, never of a mechanism's noise."""
        from numpy.random import default_rng

        return default_rng(list(self._key(label)))

    def stream(self, label: str) -> Stream:
        """A stream of one use, such as a trial's noise."""
        return Stream(self._key(label))

    def _key(self, label: str) -> bytes:
        return hashlib.sha256(f"audit/{self.seed}/{label}".encode()).digest()


@dataclass(frozen=True)
class Figure:
    """A number that an attack gained, with its 95 % confidence interval, and what guessing would have given.

    Args:
        low, high: the interval's ends; None where it has none at that side.
        share: whether it is a part of 1, and read as a percentage.
        guess: None where there is nothing to compare it with.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    guess: float | None = None
    share: bool = False


@dataclass(frozen=True)
class Finding:
    """What an attack found.

    Args:
        attack: its name.
        what: what was attacked.
        against: as whom.
        figures: what it gained.
        sentence: what this means for a patient, in plain words.
        claim: the epsilon that the scenario claims, where this is a bound of it.
        contradicts: whether the claim cannot be true.
    """

    attack: str
    what: str
    against: str
    figures: tuple[Figure, ...]
    sentence: str
    claim: float | None = None
    contradicts: bool = False


@dataclass(frozen=True)
class Attack:
    """An attack.

    Args:
        name: as a heading.
        about: what it tries, in a sentence, with its source.
        applies: "" where it can be tried, else why not, in a sentence.
        run: what it found.
    """

    name: str
    about: str
    applies: Callable[[Audited], str]
    run: Callable[[Audited], tuple[Finding, ...]]
