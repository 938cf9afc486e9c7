"""A protocol with all that it says of itself, and the four checks that hold it to that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mpc.testing import Faults, Input, Viewed, check_correct, check_cost, check_faults, check_view
from mpc.testing.cases.inputs import complete
from mpc.testing.cases.programs import taken_case
from mpc.testing.views.by_round import check_rounds
from mpc.testing.views.structure import Structure, check_masks

Secrets = Sequence[tuple[Sequence[Any], Sequence[Any]]]


Checks = tuple[Literal["correct", "cost", "faults"], ...]


@dataclass(frozen=True)
class Cost:
    """Rounds; bytes from an owner to each other one, and from the helper: with these sizes, among so many owners."""

    rounds: int
    bytes: int
    dealt: int
    sizes: dict[str, int] = field(default_factory=dict)
    owners: tuple[int, ...] = (2, 3)


@dataclass(frozen=True)
class View:
    """How the views of coalitions are looked at.

    Args:
        owners: among how many.
        soak_from: among so many or more, only the soak looks.
        secrets: for a number of owners, pairs with equal outputs, where something is revealed.
        kept: the results whose shares are stored.
        addends: what is revealed is a sum, so that all owners but one know all by right.
    """

    owners: tuple[int, ...] = (2, 3)
    soak_from: int = 3
    secrets: Callable[[int], Secrets] | None = None
    sizes: dict[str, int] = field(default_factory=dict)
    structure_sizes: dict[str, int] = field(default_factory=dict)
    words: int | None = None
    shift: float = 0.3
    structure: bool | Literal["by round"] = True
    kept: tuple[int, ...] = ()
    addends: bool = False


@dataclass(frozen=True)
class Case:
    """A protocol, what it should compute, and what it says of its cost and of what others see.

    Args:
        fixed: sizes that a public choice in the protocol settles.
        long: checks that are the soak's.
    """

    protocol: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: list[Input]
    error: Any
    cost: Cost
    view: View = field(default_factory=View)
    fixed: dict[str, int] = field(default_factory=dict)
    owners: tuple[int, ...] = (2, 3, 4, 5)
    bias: float | None = None
    many: int = 0
    examples: int = 20
    every: int = 5
    long: Checks = ()


def each_in_turn(n: int, *inputs: tuple[Any, Any]) -> Secrets:
    """Every owner has the first of each pair, and then one of the owners, each in turn, has the second instead."""
    same = [[one] * n for one, _ in inputs]
    return [(same, [[b if i == k else a for i in range(n)] for a, b in inputs]) for k in range(n)]


def two_others_trade(*inputs: Sequence[Any]) -> Secrets:
    """For each of three owners, the two others have what the other one had: all sums stay."""
    orders = ((1, 0, 2), (2, 1, 0), (0, 2, 1))
    return [(inputs, [[one[i] for i in order] for one in inputs]) for order in orders]


def hold_to_correct(it: Case, times: int = 1) -> None:
    """It gives what its reference gives, in lockstep and over sockets; for so many times as many examples."""
    saw = check_correct(
        it.protocol,
        it.reference,
        it.inputs,
        error=it.error,
        sizes=it.fixed,
        owners=it.owners,
        examples=times * it.examples,
        bias=it.bias,
        many=it.many,
    )
    assert saw.examples >= 2 * it.examples // 3 or not it.cost.sizes
    assert saw.sockets == 1


def hold_to_cost(it: Case) -> None:
    """It costs what it says."""
    of, sizes = it.cost, {**it.fixed, **it.cost.sizes}
    cost = check_cost(
        it.protocol, it.inputs, rounds=of.rounds, bytes=of.bytes, dealt=of.dealt, sizes=sizes, owners=of.owners
    )
    assert cost.rounds == len(cost.labels) == of.rounds


def hold_to_view(it: Case, owners: int) -> Viewed:
    """No coalition sees more than it says, and each was looked at, but for those that know all by right."""
    view = it.view
    saw = check_view(
        it.protocol,
        it.inputs,
        owners=owners,
        secrets=view.secrets(owners) if view.secrets else None,
        sizes={**it.fixed, **view.sizes},
        structure_sizes={**it.fixed, **view.structure_sizes},
        words=view.words,
        structure=view.structure,
        kept=view.kept,
    )
    print(saw)
    assert saw.shift < view.shift
    many = owners - view.addends
    assert [who for who in saw.untested if who.count("owner") < many] == []
    assert [who for who in saw.coalitions if who.count("owner") >= many] == []
    if view.structure is True:
        assert saw.structure is not None and saw.structure.words >= (0 if view.secrets else it.cost.rounds)
    return saw


def hold_to_masks(it: Case, owners: int, *, by_round: bool = False) -> Structure:
    """Every word that is sent has a mask of its own, or is revealed as it should be: `hold_to_view` but statistics.

    Args:
        by_round: by few runs a round, as of a case of long protocols.
    """
    small = complete(it.inputs, {**it.fixed, **it.view.structure_sizes}, 2)
    case = taken_case(it.protocol, it.inputs, owners, small, "masks")
    assert it.view.secrets or case.plan.reveals == ()
    saw = (check_masks if it.view.structure is True and not by_round else check_rounds)(case, (), 0)
    assert saw.words >= (0 if it.view.secrets else it.cost.rounds)
    return saw


def hold_to_faults(it: Case, one_in: int = 12) -> Faults:
    """It recovers or is refused, whatever happens to a message or a party; of its frames, one in so many are tried."""
    every = one_in * it.every
    saw = check_faults(it.protocol, it.inputs, owners=2, sizes={**it.fixed, **it.cost.sizes}, every=every, several=2)
    assert saw.tried > 11 * saw.frames // every
    assert saw.recovered["delayed"] == saw.recovered["repeated"] == -(-saw.frames // every)
    return saw
