"""A small training over a network in virtual time: every fault at every message, every death, and several at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Any, Literal

import pytest

from mpc.errors import BeaverlodgeError, InternalError
from mpc.faults.fault import Fault
from mpc.links.wire import label_code
from mpc.runtime.party import Party
from mpc.testing.cases.programs import Case, same_results
from mpc.testing.faults.check import HARMLESS, KINDS, Meddler, fault_at, play
from mpc.testing.faults.virtual import End, Smooth
from protocols.rows.results import Trained
from protocols.training.rows_job import training_job
from tests.helpers import example_tables, job
from tests.tiers import SOAK, Tell

pytestmark = pytest.mark.soak

DEATH = "sender dies"
FAULTS = tuple(kind for kind in KINDS if kind != DEATH)
CHOICES = {"truncated": 6, "header altered": 8, "payload altered": 6}  # bits or lengths that are tried at each frame
SEVERAL = 40  # runs with several faults in one test
LONGEST = 120.0  # virtual seconds for each fault: only a hang takes so long
LEAVING = label_code("done")  # what is lost while all take their leave cannot be told from a death
FINE = ("recovered", "refused")

TRAININGS: dict[str, tuple[int, Literal["primal", "dual"], dict[str, Any]]] = {
    "two owners": (2, "primal", {}),
    "two owners, dual form": (2, "dual", {}),
    "three owners": (3, "primal", {"standardise": False}),
}
"""Owners, the form, and other settings."""


@dataclass(frozen=True)
class Training:
    """A small training, and how it goes without faults: what each party gets, and each frame's sender and label."""

    case: Case
    results: Mapping[str, Any] = field(repr=False)
    frames: tuple[tuple[str, int], ...] = field(repr=False)

    def run(self, *faults: Fault) -> tuple[str, Mapping[str, End]]:
        """One run with these faults: `recovered`, `refused`, or else what is wrong; and how each party ended."""
        ends, net = play(self.case, Meddler(faults), self.case.entropy(1), horizon=LONGEST * (1 + len(faults)))
        if net.hanging:
            return f"hung: {', '.join(net.hanging)}", ends
        outcome = "recovered"
        for name, end in ends.items():
            if end.error is not None:
                outcome = "refused"
                if not isinstance(end.error, BeaverlodgeError) or isinstance(end.error, InternalError):
                    return f"a bug at {name}: {type(end.error).__name__}: {end.error}", ends
                if end.error.party not in ends:
                    return f"the error of {name} names no party: {end.error}", ends
            elif end.died:
                outcome = "refused"
            elif not same_results(end.value.result, self.results[name]):
                return f"wrong: another result at {name}", ends
        return outcome, ends


@lru_cache
def training(name: str) -> Training:
    """One of the trainings above."""
    owners, form, changes = TRAININGS[name]
    own, how = job(example_tables((9, 7, 6)[:owners], 2, seed=3), epochs=1, batch_size=8, form=form, **changes)

    async def program(p: Party) -> Trained | None:
        return await training_job(p, None if p.dry else own[p.name], how)

    case = Case(program, (), owners, {}, ())
    ends, net = play(case, Smooth(), case.entropy(1))
    assert not net.hanging and all(end.error is None for end in ends.values()), ends
    frames = tuple((one.sender, int.from_bytes(one.frame.head[4:8], "little")) for one in net.sent)
    return Training(case, {name: end.value.result for name, end in ends.items()}, frames)


def place(name: str, fault: Fault) -> str:
    """What a fault is, in words that are enough to have it again."""
    assert fault.frame is not None
    sender = training(name).frames[fault.frame][0]
    return f"{name}: {fault.kind} of {fault.seconds:g} s, frame {fault.frame} of {sender}, {fault.place}"


def judge(tell: Tell, sweep: str, outcomes: Mapping[str, str]) -> None:
    """Tells the counts of a sweep's runs, and fails with those that went wrong."""
    counts = Counter(outcome.partition(":")[0] for outcome in outcomes.values())
    recovered, refused, wrong, hung = (counts.pop(one, 0) for one in ("recovered", "refused", "wrong", "hung"))
    others = {"otherwise_amiss": sum(counts.values())} if counts else {}
    tried = len(outcomes)
    tell(sweep, tried=tried, recovered=recovered, refused_by_name=refused, wrong=wrong, hung=hung, **others)
    amiss = [f"{case} (seed {SOAK.seed()}): {outcome}" for case, outcome in outcomes.items() if outcome not in FINE]
    assert not amiss, "\n".join(amiss[:10])


@pytest.mark.parametrize("kind", FAULTS)
@pytest.mark.parametrize("name", TRAININGS)
def test_one_fault_at_every_message(name: str, kind: str, tell: Tell) -> None:
    one = training(name)
    draw = Random(f"{SOAK.seed()}/{name}/{kind}")
    every = [
        fault_at(kind, number, draw.getrandbits(40))
        for number in range(len(one.frames))
        for _ in range(CHOICES.get(kind, 1))
    ]
    outcomes = {}
    for fault in SOAK.chosen(f"{name}/{kind}", every):
        outcome, ends = one.run(fault)
        if outcome == "refused" and kind in HARMLESS and one.frames[fault.frame or 0][1] != LEAVING:
            outcome = f"not lived through: {[end.error for end in ends.values() if end.error]}"
        outcomes[place(name, fault)] = outcome
    judge(tell, f"faults at every message of a small training, {kind}", outcomes)


@pytest.mark.parametrize("name", TRAININGS)
def test_death_before_every_message(name: str, tell: Tell) -> None:
    one = training(name)
    outcomes = {}
    for number in SOAK.chosen(f"{name}/deaths", range(len(one.frames))):
        fault = fault_at(DEATH, number)
        outcome, ends = one.run(fault)
        named = {end.error.party for end in ends.values() if isinstance(end.error, BeaverlodgeError)}
        if outcome == "refused" and named > {one.frames[number][0]}:
            outcome = f"another is named: {named}"
        outcomes[place(name, fault)] = outcome
    judge(tell, "death of each party before each of its messages", outcomes)


@pytest.mark.parametrize("block", range(5))
@pytest.mark.parametrize("name", TRAININGS)
def test_several_faults_in_one_run(name: str, block: int, tell: Tell) -> None:
    one = training(name)
    outcomes = {}
    for number in SOAK.chosen(f"{name}/several/{block}", range(block * SEVERAL, (block + 1) * SEVERAL)):
        draw = Random(f"{SOAK.seed()}/{name}/{number}")
        kinds = HARMLESS if number % 2 else KINDS  # of all kinds, hardly a run recovers
        frames = sorted(draw.sample(range(len(one.frames)), draw.randint(2, 6)))
        faults = [fault_at(draw.choice(kinds), frame, draw.getrandbits(40)) for frame in frames]
        outcomes["; ".join(place(name, fault) for fault in faults)], _ = one.run(*faults)
    judge(tell, "runs with two to six random faults", outcomes)


def test_the_trainings_differ_in_size() -> None:
    sizes = [len(training(name).frames) for name in TRAININGS]
    assert sorted({*sizes}) == sorted(sizes) and min(sizes) > 80
