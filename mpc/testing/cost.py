"""check_cost: the rounds and bytes that a protocol declares are those of its plan, and those of every run of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpc.errors import DataError, ProtocolError
from mpc.runtime.inputs import Input, Sizes
from mpc.runtime.lockstep import Message, Outcome, run_lockstep
from mpc.testing.cases.failure import CheckFailed, refusals
from mpc.testing.cases.inputs import Values, complete, constants, randoms
from mpc.testing.cases.programs import HELPER, Case, Protocol
from mpc.testing.faults.check import play_smoothly

_SEEDS = 3


@dataclass(frozen=True)
class Cost:
    """The cost of a run: rounds, bytes of payload from an owner to each other owner, bytes of corrections dealt."""

    rounds: int
    bytes: int
    dealt: int
    labels: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.rounds} rounds, {self.bytes} bytes to each other owner, {self.dealt} bytes of corrections"


def check_cost(
    protocol: Protocol,
    inputs: Sequence[Input],
    *,
    rounds: int,
    bytes: int,
    dealt: int | None = None,
    owners: Sequence[int] = (2, 3),
    sizes: Sizes | None = None,
    seed: int = 0,
) -> Cost:
    """Compare what a protocol declares with its plan, and the plan with runs on the edges of its range and inside.

    Every message's label and length are compared, in lockstep; and the frames' rounds, number and bytes that each
    party counts over links in virtual time. The helper must receive nothing. A run that the protocol ends with a
    `DataError` or a `ProtocolError`, as its values are none that it takes, must be as planned until then.

    Args:
        bytes: payload that one owner sends to each other owner, over all rounds.
        dealt: bytes of corrections that the helper sends to the last owner.
        sizes: of the inputs' named sizes; 2, 3, ... in order of appearance where left out.

    Raises:
        CheckFailed: what is declared, planned and measured is not the same.
    """
    known = complete(inputs, sizes, 2)
    cost = Cost(0, 0, 0, ())
    for n in owners:
        runs: list[Values] = [constants(inputs, known, n, value) for value in (0, 1 << 200, -(1 << 200))]
        runs += [randoms(inputs, known, n, f"cost/{seed}/{k}") for k in range(_SEEDS)]
        first = Case(protocol, tuple(inputs), n, known, runs[0])
        cost = _declared(first, rounds, bytes, dealt)
        whole: list[Case] = []
        for k, values in enumerate(runs):
            case = Case(protocol, tuple(inputs), n, known, values)
            if case.plan != first.plan:
                raise CheckFailed(f"with {n} owners the plan depends on the inputs' values")
            if _measured(case, seed + k):
                whole.append(case)
        if not whole:
            raise CheckFailed(f"with {n} owners the protocol refuses all values that were tried")
        _counted(whole[0], seed)
    return cost


def _declared(case: Case, rounds: int, sent: int, dealt: int | None) -> Cost:
    plan = case.plan
    labels = tuple(one.label for one in plan.rounds)
    planned = Cost(len(plan.rounds), sum(one.payload for one in plan.rounds), sum(plan.windows), labels)
    each = f"with {case.n} owners the plan has"
    if planned.rounds != rounds:
        raise CheckFailed(f"{each} {planned.rounds} rounds ({', '.join(labels)}), not the declared {rounds}")
    if planned.bytes != sent:
        sizes = ", ".join(f"{one.label}: {one.payload}" for one in plan.rounds)
        raise CheckFailed(f"{each} {planned.bytes} bytes to each other owner ({sizes}), not the declared {sent}")
    if dealt is not None and planned.dealt != dealt:
        raise CheckFailed(f"{each} {planned.dealt} bytes of corrections, not the declared {dealt}")
    return planned


def _measured(case: Case, seed: int) -> bool:
    """Check one run in lockstep, message by message; returns whether it went to its end."""
    plan, messages = case.plan, list[Message]()

    def watch(message: Message) -> bytes:
        messages.append(message)
        if message.receiver == HELPER:
            raise CheckFailed(f"{message.sender} sends '{message.label}' to the helper, which dealt the masks")
        return message.body

    outcome: Outcome | None = None
    with refusals(f"a run with {case.n} owners"):
        try:
            outcome = run_lockstep(case.factories, plan, entropy=case.entropy(seed), tap=watch)
            plan = outcome.plan  # of the ways that it took
        except (DataError, ProtocolError):
            pass
    for name in plan.owners:
        sent = [(m.label, m.receiver, len(m.body)) for m in messages if m.sender == name]
        peers = [peer for peer in plan.owners if peer != name]
        wanted = [(one.label, peer, one.payload) for one in plan.rounds for peer in peers]
        for k, (planned, measured) in enumerate(zip(wanted, sent, strict=False)):
            if planned != measured:
                raise CheckFailed(
                    f"round {k // len(peers)} of {name} should be '{planned[0]}', {planned[2]} bytes to {planned[1]}; "
                    f"it is '{measured[0]}', {measured[2]} bytes to {measured[1]}"
                )
        if outcome is not None and len(sent) != len(wanted):
            label, peer, _ = max(sent, wanted, key=len)[min(len(sent), len(wanted))]
            raise CheckFailed(
                f"{name} sent {len(sent)} messages where {len(wanted)} are planned; the first that differs is "
                f"'{label}' to {peer}: does the program's flow depend on a value?"
            )
    if outcome is None:
        return False
    windows = [len(m.body) for m in messages if m.sender == HELPER]
    if windows != list(plan.windows):
        raise CheckFailed(f"the helper sent windows of {windows} bytes instead of {list(plan.windows)}")
    if outcome.reveals != plan.reveals:
        raise CheckFailed(f"revealed was {outcome.reveals}, planned {plan.reveals}")
    return True


def _counted(case: Case, seed: int) -> None:
    """One run over links in virtual time: what each party's trace counts."""
    for name, did in play_smoothly(case, case.entropy(seed)).items():
        plan = case.plan.on(did.ways)
        rounds = 0 if name == HELPER else len(plan.rounds)
        planned = (rounds, plan.messages_sent[name], plan.bytes_sent[name])
        if (did.rounds, did.messages, did.bytes_sent) != planned:
            raise CheckFailed(
                f"over links {name} counted {did.rounds} rounds, {did.messages} frames and {did.bytes_sent} bytes; "
                f"planned are {planned[0]}, {planned[1]} and {planned[2]}"
            )
