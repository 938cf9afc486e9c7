"""A protocol with all that it says of itself, and the four checks that hold it to that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mpc.testing import Faults, Input, Viewed, check_correct, check_cost, check_faults, check_view

Secrets = Sequence[tuple[Sequence[Any], Sequence[Any]]]


@dataclass(frozen=True)
class Spoken:
    """A protocol, what it should compute, and what it says of its cost at the given sizes.

    `secrets` gives, for a number of owners, pairs with equal outputs, where something is revealed. `addends` says that
    what is revealed is a sum, so that all owners but one know all by right.
    """

    protocol: Callable[..., Any]
    twin: Callable[..., Any]
    inputs: list[Input]
    error: Any
    rounds: int
    bytes: int
    dealt: int
    sizes: dict[str, int] = field(default_factory=dict)
    fixed: dict[str, int] = field(default_factory=dict)  # sizes that a public choice in the protocol settles
    secrets: Callable[[int], Secrets] | None = None
    view_sizes: dict[str, int] = field(default_factory=dict)
    structure_sizes: dict[str, int] = field(default_factory=dict)
    owners: tuple[int, ...] = (2, 3, 4, 5)
    cost_owners: tuple[int, ...] = (2, 3)
    addends: bool = False
    words: int | None = None
    shift: float = 0.3
    structure: bool | Literal["by round"] = True
    public: tuple[str, ...] = ()
    kept: tuple[int, ...] = ()  # the results whose shares are stored
    bias: float | None = None
    many: int = 0
    examples: int = 30
    every: int = 5


def hold_to_correct(it: Spoken, times: int = 1) -> None:
    """It gives what its twin gives, in lockstep and over sockets; for so many times as many examples."""
    examples = times * it.examples
    saw = check_correct(
        it.protocol,
        it.twin,
        it.inputs,
        error=it.error,
        sizes=it.fixed,
        owners=it.owners,
        examples=examples,
        bias=it.bias,
        many=it.many,
    )
    assert saw.examples >= 2 * it.examples // 3 or not it.sizes
    assert saw.sockets == 1


def hold_to_cost(it: Spoken) -> None:
    """It costs what it says."""
    cost = check_cost(
        it.protocol,
        it.inputs,
        rounds=it.rounds,
        bytes=it.bytes,
        dealt=it.dealt,
        sizes={**it.fixed, **it.sizes},
        owners=it.cost_owners,
    )
    assert cost.rounds == len(cost.labels) == it.rounds


def hold_to_view(it: Spoken, owners: int) -> Viewed:
    """No coalition sees more than it says, and each was looked at, but for those that know all by right."""
    saw = check_view(
        it.protocol,
        it.inputs,
        owners=owners,
        secrets=it.secrets(owners) if it.secrets else None,
        sizes={**it.fixed, **it.view_sizes},
        structure_sizes={**it.fixed, **it.structure_sizes},
        words=it.words,
        structure=it.structure,
        public=it.public,
        kept=it.kept,
    )
    print(saw)
    assert saw.shift < it.shift
    many = owners - it.addends
    assert [who for who in saw.untested if who.count("owner") < many] == []
    assert [who for who in saw.coalitions if who.count("owner") >= many] == []
    return saw


def hold_to_faults(it: Spoken, one_in: int = 4) -> Faults:
    """It recovers or is refused, whatever happens to a message or a party; of its frames, one in so many are tried."""
    every = one_in * it.every
    saw = check_faults(it.protocol, it.inputs, owners=2, sizes={**it.fixed, **it.sizes}, every=every, several=2)
    assert saw.tried > 11 * saw.frames // every
    assert saw.recovered["delayed"] == saw.recovered["repeated"] == -(-saw.frames // every)
    return saw
