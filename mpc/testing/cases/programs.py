"""A protocol with its inputs as programs that owners run, and the totals of their results."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mpc.errors import DataError, ProtocolError
from mpc.randomness.streams import Entropy, insecure_entropy
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.runtime.inputs import Input, Sizes, shared_by_all
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from mpc.sharing.share import Public, Share
from mpc.testing.cases.failure import CheckFailed, refusals
from mpc.testing.cases.inputs import Values, constants, randoms

HELPER = "helper"
Protocol = Callable[..., Awaitable[Any]]
"""async (party, *inputs) -> a Share, a Public, a number or array that all owners know alike, or several of these in a
tuple, list or dict."""


@dataclass(frozen=True)
class Case:
    """One protocol on inputs of stated sizes and values, among n owners.

    Of the inputs that name no owner, the first comes from the owner whose number is `turn`, the next from the next.
    """

    protocol: Protocol
    inputs: tuple[Input, ...]
    n: int
    sizes: Sizes
    values: Values
    turn: int = 0

    @cached_property
    def owners(self) -> tuple[str, ...]:
        return tuple(f"owner{k}" for k in range(self.n))

    def giver(self, number: int) -> int:
        """The owner that gives the input of this number."""
        owner = self.inputs[number].owner
        return (number + self.turn if owner is None else owner) % self.n

    def own_inputs(self, owner: int) -> tuple[bytes, ...]:
        """All that one owner puts in."""
        return tuple(
            bytes(one.ring.to_bytes(part))
            for k, (one, parts) in enumerate(zip(self.inputs, self.values, strict=True))
            for g, part in enumerate(parts)
            if (g if one.of_all else self.giver(k)) == owner
        )

    def given(self, p: Party) -> list[Any]:
        """The protocol's inputs at one owner."""
        handed: list[Any] = []
        for k, (one, parts) in enumerate(zip(self.inputs, self.values, strict=True)):
            shape = one.sized(self.sizes)
            if one.private:
                handed.append(abstract(shape) if p.dry else parts[p.index])
                continue
            if one.each:
                handed.append(shared_by_all(p, one, None if p.dry else parts[p.index], [shape] * self.n))
                continue
            giver = self.owners[self.giver(k)]
            value = parts[0] if giver == p.name and not p.dry else None
            handed.append(p.input(giver, value, shape, one.scale, one.ring))
        return handed

    def program(self, p: Party) -> Any:
        """The program of one owner."""

        async def run() -> Any:
            return await self.protocol(p, *self.given(p))

        return run()

    @cached_property
    def factories(self) -> dict[str, ProgramFactory]:
        return dict.fromkeys(self.owners, self.program)

    @cached_property
    def plan(self) -> Plan:
        with refusals("the dry run"):
            return make_plan(self.program, self.owners, HELPER)

    def entropy(self, seed: int) -> dict[str, Entropy]:
        """Reproducible seeds for every party."""
        return {name: insecure_entropy(seed, name) for name in (*self.owners, HELPER)}


@dataclass(frozen=True)
class Each:
    """A reference's values for each owner alone, in the owners' order. Made with `to_each`."""

    values: tuple[Any, ...]


def to_each(values: Sequence[Any]) -> Each:
    """For a reference's result: the values for each owner alone."""
    return Each(tuple(values))


def results_of(result: Any) -> list[Any]:
    """A protocol's result as a flat list."""
    if isinstance(result, tuple | list):
        return [leaf for part in result for leaf in results_of(part)]
    if isinstance(result, dict):
        return results_of(list(result.values()))
    return [result]


def totals(results: Mapping[str, Any], apart: Container[int] = ()) -> list[Any]:
    """The totals of all owners' results: the sums of shares, and public values, which must be the same.

    For results with a number in `apart`: each owner's own value.

    A number or an array is public too: what a protocol makes of opened values, as float64 or integers.

    Raises:
        CheckFailed: the owners' results differ in number or kind, or a public value in a bit.
    """
    flat = {name: results_of(result) for name, result in results.items()}
    first_name, first = next(iter(flat.items()))
    for name, leaves in flat.items():
        if len(leaves) != len(first):
            raise CheckFailed(f"{first_name} has {len(first)} results and {name} has {len(leaves)}")
    by_result = [{name: leaves[k] for name, leaves in flat.items()} for k in range(len(first))]
    return [parts if k in apart else _total(k, parts) for k, parts in enumerate(by_result)]


def _total(number: int, parts: Mapping[str, Any]) -> Share | Public | Array:
    (first_name, first), *others = parts.items()
    if isinstance(first, np.ndarray | int | float):
        return _known(number, parts)
    if not isinstance(first, Share | Public):
        kind = type(first).__name__
        raise CheckFailed(f"result {number} is a {kind}: neither a Share, a Public, a number nor an array")
    value = first.value
    for name, part in others:
        alike = isinstance(part, Public) == isinstance(first, Public) and isinstance(part, Share | Public)
        if not alike or (part.shape, part.scale, part.ring) != (first.shape, first.scale, first.ring):
            raise CheckFailed(f"result {number} is {first!r} at {first_name} and {part!r} at {name}")
        if isinstance(first, Share):
            value = first.ring.add(value, part.value)
        elif not np.array_equal(first.value, part.value):
            raise CheckFailed(f"result {number} is public and differs between {first_name} and {name}")
    return (
        Public(value, first.scale, first.ring) if isinstance(first, Public) else Share(value, first.scale, first.ring)
    )


def _known(number: int, parts: Mapping[str, Any]) -> Array:
    """A public value, which must have the same bits at every owner."""
    (first_name, first), *others = ((name, np.asarray(part)) for name, part in parts.items())
    for name, part in others:
        if (part.shape, part.dtype) != (first.shape, first.dtype) or part.tobytes() != first.tobytes():
            raise CheckFailed(f"result {number} is public and differs between {first_name} and {name}")
    return first


def same_results(one: Any, other: Any) -> bool:
    """Whether two results of one owner are the same to the bit."""
    ours, theirs = results_of(one), results_of(other)
    return len(ours) == len(theirs) and all(_same(a, b) for a, b in zip(ours, theirs, strict=True))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Share | Public):
        if not isinstance(b, Share | Public):
            return False
        return (a.scale, a.ring, a.shape) == (b.scale, b.ring, b.shape) and bool(np.array_equal(a.value, b.value))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and (a.shape, a.dtype) == (b.shape, b.dtype) and a.tobytes() == b.tobytes()
    return type(a) is type(b) and bool(a == b)


def taken_case(protocol: Protocol, inputs: Sequence[Input], n: int, sizes: Sizes, seed: str) -> Case:
    """A case with values that the protocol takes: random ones, or zeros where it refuses those.

    Raises:
        CheckFailed: it refuses all that were tried.
    """
    tried = [randoms(inputs, sizes, n, seed), randoms(inputs, sizes, n, f"{seed}/1"), constants(inputs, sizes, n, 0)]
    for values in tried:
        case = Case(protocol, tuple(inputs), n, sizes, values)
        try:
            run_lockstep(case.factories, case.plan, entropy=case.entropy(0))
        except (DataError, ProtocolError):
            continue
        except Exception:  # a fault of the protocol's: the check that is made with the case says so
            return case
        return case
    raise CheckFailed(f"with {n} owners the protocol refuses all values that were tried")
