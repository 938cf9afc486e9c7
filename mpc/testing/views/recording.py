"""One lockstep run with each party's view, knowledge and texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mpc.errors import BeaverlodgeError, DataError, ProtocolError
from mpc.randomness.correlation import Kind
from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import run_programs
from mpc.runtime.round import Blob
from mpc.testing.cases.failure import CheckFailed, refusals
from mpc.testing.cases.programs import HELPER, Case
from mpc.testing.views.draws import Bump, Dealer, Draws, Shake
from mpc.testing.views.noting import Diary, Note, NotingParty, check_zeros, watched


@dataclass(frozen=True)
class Sending:
    """One array that one owner sent another: its round, its place in it, and whether it is a declared output."""

    round: int
    place: int
    label: str
    sender: str
    receiver: str
    spec: Spec
    value: Array
    revealed: bool
    own: Array | None = None  # of a value revealed to each owner: the part that the sender keeps

    @property
    def where(self) -> str:
        return f"round {self.round} '{self.label}'"


@dataclass(frozen=True)
class Recording:
    """One run: the messages, each owner's values and texts, and the draws of the masks.

    `drawn` has, for each owner and each of its rounds, the number of correlations drawn before it sent.
    """

    sendings: tuple[Sending, ...]
    notes: Mapping[str, tuple[Note, ...]]
    said: Mapping[str, tuple[str, ...]]
    kinds: tuple[Kind, ...]
    drawn: Mapping[str, tuple[int, ...]]


def record(case: Case, draws: Draws, bump: Bump | Shake | None = None, *, may_refuse: bool = False) -> Recording:
    """One run of a case in one thread.

    Args:
        may_refuse: whether the protocol may end with a `DataError` or a `ProtocolError`; earlier messages count

    Raises:
        CheckFailed: the runtime refuses the protocol, the helper is sent something, or a share leaves its owner under
            no zeros of its own.
    """
    dealer = Dealer(draws, bump)
    diaries = {name: Diary() for name in case.owners}

    def start(name: str) -> tuple[NotingParty, Any]:
        party = NotingParty(case, name, dealer, draws, diaries[name])
        return party, case.program(party)

    with refusals(f"a run with {case.n} owners"):
        try:
            run_programs({name: watched(partial(start, name), diary) for name, diary in diaries.items()})
        except BeaverlodgeError:
            if not may_refuse or not any(_is_refusal(diary) for diary in diaries.values()):
                raise
    for k, name in enumerate(case.owners):
        for number, (one, parts) in enumerate(zip(case.inputs, case.values, strict=True)):
            if one.of_all or case.giver(number) == k:
                value = parts[k] if one.of_all else parts[0]
                diaries[name].notes.append(Note(f"input {number} of {name}", one.ring, value))
        check_zeros(name, diaries[name])
        if diaries[name].error is None and not any(map(_is_refusal, diaries.values())):
            _check_reveals(case, name, diaries[name])
    return Recording(
        tuple(_sendings(diaries)),
        {name: tuple(diary.notes) for name, diary in diaries.items()},
        {name: diary.said() for name, diary in diaries.items()},
        tuple(dealer.kinds),
        {name: tuple(diary.drawn) for name, diary in diaries.items()},
    )


def _check_reveals(case: Case, name: str, diary: Diary) -> None:
    """Check that an owner's reveals, and their recipients, are those of the plan."""
    planned = [(one.what, one.to, one.shape) for one in case.plan.on(diary.watch.ways).reveals]
    made = [(one.what, one.to, one.shape) for one in diary.watch.reveals]
    if made != planned:
        raise CheckFailed(f"{name} reveals {made}, where the plan has {planned}")


def _is_refusal(diary: Diary) -> bool:
    return isinstance(diary.error, DataError | ProtocolError)


def _sendings(diaries: Mapping[str, Diary]) -> list[Sending]:
    found = []
    for sender, diary in diaries.items():
        for number, (one, revealed) in enumerate(diary.rounds):
            for receiver, arrays in one.send.items():
                if receiver == HELPER:
                    raise CheckFailed(
                        f"round {number} '{one.label}': {sender} sends to the helper, which dealt the masks and so "
                        f"could take them off"
                    )
                for place, array in enumerate(
                    (np.frombuffer(arrays, np.uint8),) if isinstance(arrays, bytes) else arrays
                ):
                    spec = _declared(diaries[receiver], number, sender, place, array)
                    value = spec.ring.from_bytes(np.ascontiguousarray(array).tobytes(), spec.shape)
                    own = diary.own.get(diary.revealing[id(array)][1]) if id(array) in revealed else None
                    found.append(
                        Sending(number, place, one.label, sender, receiver, spec, value, id(array) in revealed, own)
                    )
    return found


def _declared(receiver: Diary, number: int, sender: str, place: int, array: Array) -> Spec:
    """The receiver's declaration of an array; bytes, where it has none."""
    if number < len(receiver.rounds):
        specs = receiver.rounds[number][0].recv.get(sender, ())
        if not isinstance(specs, Blob) and place < len(specs) and specs[place].nbytes == array.nbytes:
            return specs[place]
    return Spec((array.nbytes,), 0, B8)


def same_to_all(sendings: Sequence[Sending]) -> list[list[Sending]]:
    """The arrays of one round, each with all its receivers together: what differs between receivers stays apart."""
    groups: list[list[Sending]] = []
    for one in sendings:
        for group in groups:
            first = group[0]
            alike = (first.round, first.place, first.sender) == (one.round, one.place, one.sender)
            if alike and first.spec == one.spec and np.array_equal(first.value, one.value):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups
