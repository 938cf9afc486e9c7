"""An owner's ledger of epsilon: `budget.jsonl`, beside its keys.

One ledger is for all data of the owner, whichever scenario, kind of task, columns or peers: a patient may be in any of
them, and a digest of the rows would be another one after each correction, and for each choice of columns. So whatever
is released with [privacy] adds up. Each charge has the digest of its rows, so that its owner sees which data it was.

A run is charged for all that its plan releases, before its first share of it leaves, and under a lock of the folder:
two runs at once cannot both take the last of a budget. A charge is a line that is on the disk before the run goes on.
It is never taken back, whatever becomes of the run. A last line that a crash cut off was never waited for, so nothing
was released under it; it is removed by the next.

What the runs cost together is computed anew from all charges (protocols/privacy/accounting.py), at the budget's delta.
That is less than the sum of their epsilons.

A ledger that was put back, as from a backup, lacks what was charged since. If `releases.jsonl` has a private run that
the ledger lacks, every run is refused. Where both were put back together, nothing here can know it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from mpc.errors import BudgetError, UsageError
from parties.base.private_files import append_line, lock_folder, make_folder, read_lines
from parties.trust.consent import user_name
from parties.trust.releases import Release, now
from protocols.privacy.accounting import AnyMechanism, Excess, Mechanism, VectorMechanism, epsilon_of

FILE: Final = "budget.jsonl"
DELTA: Final = 1e-5
"""The delta of a budget, unless its owner says another: tens of runs of the usual 1e-6."""

Unit = Literal["patient", "client"]


@dataclass(frozen=True)
class Charge:
    """The cost of a run: what it releases, and its own epsilon and delta.

    Args:
        unit: who is protected: a patient, which is a row, or a client, which is all that its owner has.
    """

    mechanisms: tuple[AnyMechanism, ...]
    epsilon: float
    delta: float
    unit: Unit = "patient"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Budget(_Line):
    """The most that all releases together may cost, from now on."""

    entry: Literal["budget"] = "budget"
    epsilon: Annotated[float, Field(gt=0.0)]
    delta: Annotated[float, Field(ge=1e-9, le=1e-2)]
    time: str
    by: str


class _Numbers(_Line):
    variance: Annotated[int, Field(ge=1)]
    sensitivity: Annotated[int, Field(ge=1)]
    times: Annotated[int, Field(ge=1)]

    @property
    def mechanism(self) -> AnyMechanism:
        return Mechanism(self.variance, self.sensitivity, self.times)


class _Vectors(_Line):
    variance: Annotated[int, Field(ge=1)]
    squared: Annotated[int, Field(ge=1)]
    times: Annotated[int, Field(ge=1)]
    rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0

    @property
    def mechanism(self) -> AnyMechanism:
        return VectorMechanism(self.variance, self.squared, self.times, self.rate)


class _More(_Line):
    epsilon: Annotated[float, Field(ge=0.0)]
    factor: Annotated[float, Field(ge=1.0)]
    delta: Annotated[float, Field(ge=0.0)]
    times: Annotated[int, Field(ge=1)]

    @property
    def mechanism(self) -> AnyMechanism:
        return Excess(self.epsilon, self.factor, self.delta, self.times)


def _line_of(one: AnyMechanism) -> _Numbers | _Vectors | _More:
    if isinstance(one, Mechanism):
        return _Numbers(variance=one.variance, sensitivity=one.sensitivity, times=one.times)
    if isinstance(one, Excess):
        return _More(epsilon=one.epsilon, factor=one.factor, delta=one.delta, times=one.times)
    return _Vectors(variance=one.variance, squared=one.squared, times=one.times, rate=one.rate)


class Charged(_Line):
    """A run that was charged."""

    entry: Literal["charge"] = "charge"
    epsilon: float
    delta: float
    unit: Unit = "patient"
    releases: Annotated[tuple[_Numbers | _Vectors | _More, ...], Field(min_length=1, strict=False)]
    time: str
    session: str
    party: str
    scenario: str
    digest: str
    data: str

    @model_validator(mode="before")
    @classmethod
    def _of_one_noise(cls, line: object) -> object:
        """Lines were once of one mechanism each, whose numbers they had beside the others."""
        if not isinstance(line, dict) or "releases" in line or "variance" not in line:
            return line
        old = {key: line[key] for key in ("variance", "sensitivity", "times") if key in line}
        return {**{key: value for key, value in line.items() if key not in old}, "releases": (old,)}

    @property
    def mechanisms(self) -> tuple[AnyMechanism, ...]:
        """The mechanisms that it released."""
        return tuple(one.mechanism for one in self.releases)


_LINES: Final = TypeAdapter[Budget | Charged](Annotated[Budget | Charged, Field(discriminator="entry")])


@dataclass(frozen=True)
class Account:
    """A ledger as it was read: the budget in force, None if none was set, and all charges, oldest first."""

    budget: Budget | None
    charges: tuple[Charged, ...]

    def spent(self, delta: float, more: Iterable[Charge] = ()) -> float:
        """The epsilon at `delta` of all charges, and of `more`, together.

        Raises:
            UsageError: dp-accounting is not installed.
        """
        near = 1.0 if self.budget is None else self.budget.epsilon
        together: list[Charge | Charged] = [*self.charges, *more]
        unit = unit_of(together)
        return epsilon_of((each for one in together for each in _costs(one, unit)), delta, near=near)


def unit_of(charges: Iterable[Charge | Charged]) -> Unit:
    """The unit that a ledger with these charges protects: clients, if all of them do; else patients."""
    units = {one.unit for one in charges}
    return "client" if units == {"client"} else "patient"


def without(charge: Charge, charged: Iterable[Charged]) -> Charge:
    """The rest of a charge whose vectors were charged one by one."""
    paid: Counter[AnyMechanism] = Counter()
    for one in charged:
        for each in one.mechanisms:
            paid[replace(each, times=1)] += each.times
    left = [(one, one.times - paid[replace(one, times=1)]) for one in charge.mechanisms]
    return replace(charge, mechanisms=tuple(replace(one, times=times) for one, times in left if times > 0))


def runs_of(charges: Iterable[Charged]) -> list[list[Charged]]:
    """The charges of each run, in the order of the first ones: the rounds of a session are of one run."""
    found: dict[tuple[str, str], list[Charged]] = {}
    for one in charges:
        found.setdefault((one.session.partition("/")[0], one.party), []).append(one)
    return list(found.values())


def _costs(one: Charge | Charged, unit: Unit) -> Iterable[AnyMechanism]:
    """What a charge costs a patient, or a client.

    A vector of a client's has a length of D or less whatever its data are, so that a patient of the client changes it
    by 2 D or less: from one such vector to another.
    """
    if one.unit == unit:
        return one.mechanisms
    twice: list[AnyMechanism] = []
    for each in one.mechanisms:
        if isinstance(each, Mechanism):
            twice.append(replace(each, sensitivity=2 * each.sensitivity))
        elif isinstance(each, VectorMechanism):
            twice.append(replace(each, squared=4 * each.squared))
        else:
            raise AssertionError("a client's noise is that of vectors")
    return twice


class Ledger:
    """The ledger in one folder.

    Raises:
        UsageError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        self.path = folder / FILE
        self._folder = folder

    def read(self) -> Account:
        """The account as it is now.

        Raises:
            UsageError: the file cannot be read, others can open it, or a line of it is none of a ledger.
        """
        try:
            lines = read_lines(self.path)
        except FileNotFoundError:
            lines = []
        budget, charges = None, []
        for number, text in enumerate(lines, start=1):
            try:
                line = _LINES.validate_json(text)
            except ValueError:  # pydantic's errors are such
                hint = "put back the file as it was: without it nobody knows what was spent"
                raise UsageError(f"{self.path}, line {number}: this is no line of a ledger", hint) from None
            if isinstance(line, Budget):
                budget = line
            else:
                charges.append(line)
        return Account(budget, tuple(charges))

    def set_budget(self, epsilon: float, delta: float) -> Account:
        """Set the budget, from now on; returns the account with it.

        Raises:
            UsageError: as of `read`, or it cannot be written.
        """
        line = Budget(epsilon=epsilon, delta=delta, time=now(), by=user_name())
        with lock_folder(self._folder):
            self.read()
            append_line(self.path, line.model_dump_json().encode())
            return self.read()

    def check(self, party: str, charge: Charge, released: Sequence[Release] = ()) -> Account:
        """Refuse a run that would cost more than is left; returns the account.

        Args:
            released: this owner's list of releases, all of whose private runs must be in the ledger.

        Raises:
            BudgetError: it would; or the ledger is an older one than the list.
            UsageError: as of `read`.
        """
        account = self.read()
        known = {one.session for one in account.charges}
        if lost := [one for one in released if one.epsilon and one.session not in known]:
            message = f"{self.path} lacks the run '{lost[0].scenario}' of {lost[0].time[:10]}, which releases.jsonl has"
            raise BudgetError(message, "an older ledger was put back: find the newest one", party=party)
        budget = account.budget
        if budget is None:
            return account
        after = account.spent(budget.delta, [charge])
        if after > budget.epsilon:
            before, count = account.spent(budget.delta), len(runs_of(account.charges))
            by = "1 run" if count == 1 else f"{count} runs"
            raise BudgetError(
                f"{party}'s budget is epsilon = {budget.epsilon:g} at delta = {budget.delta:g}: "
                f"{before:.3g} was spent by {by}, and with this one it would be {after:.3g}",
                "ask for a smaller epsilon, or for less; `mpc budget` shows what was spent, and changes the budget",
                party=party,
            )
        return account

    def charge(self, run: Release, charge: Charge, released: Sequence[Release] = (), *, again: bool = False) -> None:
        """Charge a run, once; it is on the disk at return. A run that was charged already is not charged again.

        Args:
            again: whether it is, nevertheless: noise was drawn for it once more.

        Raises:
            BudgetError: it would cost more than is left; nothing is charged then, and nothing may be released.
            UsageError: as of `read`, or it cannot be written.
        """
        with lock_folder(self._folder):
            if not again and any((one.session, one.party) == (run.session, run.party) for one in self.read().charges):
                return
            self.check(run.party, charge, released)
            line = Charged(
                epsilon=charge.epsilon,
                delta=charge.delta,
                unit=charge.unit,
                releases=tuple(_line_of(one) for one in charge.mechanisms),
                time=now(),
                session=run.session,
                party=run.party,
                scenario=run.scenario,
                digest=run.digest,
                data=run.data,
            )
            append_line(self.path, line.model_dump_json().encode())
