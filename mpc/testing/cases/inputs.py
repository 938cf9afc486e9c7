"""The values of a protocol's inputs under test: chosen, random, or as an author writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from mpc.errors import UsageError
from mpc.ring.array import Array
from mpc.runtime.inputs import Input, Sizes

Values = tuple[tuple[Array, ...], ...]
"""For each input, its ring elements: one array, or one for each owner where every owner has an own one."""


def names_in(inputs: Sequence[Input]) -> list[str]:
    """The names of sizes, in order of appearance."""
    return list(dict.fromkeys(size for one in inputs for size in one.shape if isinstance(size, str)))


def complete(inputs: Sequence[Input], sizes: Sizes | None, default: int) -> dict[str, int]:
    """A size for each name: as given, else `default`, `default` + 1 ... so that no two are alike by chance."""
    named = names_in(inputs)
    unknown = [name for name in sizes or {} if name not in named]
    if unknown:
        raise UsageError(f"no input has a size named '{unknown[0]}'", f"the names are {named}")
    return {name: (sizes or {}).get(name, default + k) for k, name in enumerate(named)}


def givers(one: Input, n: int) -> int:
    """The number of arrays of an input among n owners."""
    return n if one.of_all else 1


def constants(inputs: Sequence[Input], sizes: Sizes, n: int, value: int) -> Values:
    """The same integer everywhere, as far as each range allows."""
    return tuple((one.constant(value, one.sized(sizes)),) * givers(one, n) for one in inputs)


def randoms(inputs: Sequence[Input], sizes: Sizes, n: int, seed: str) -> Values:
    """Entries spread evenly over each input's range."""
    return tuple(
        tuple(one.random(f"{seed}/{k}/{g}", one.sized(sizes)) for g in range(givers(one, n)))
        for k, one in enumerate(inputs)
    )


def written(inputs: Sequence[Input], sizes: Sizes, n: int, secrets: Sequence[Any]) -> Values:
    """Values as an author writes them: for each input an array or a number, or one for each owner."""
    if len(secrets) != len(inputs):
        raise UsageError(f"{len(secrets)} secrets are given for {len(inputs)} inputs")
    values: list[tuple[Array, ...]] = []
    for one, given in zip(inputs, secrets, strict=True):
        parts = cast("Sequence[Any]", given) if one.of_all else (given,)
        if len(parts) != givers(one, n):
            raise UsageError(f"an input of every owner's own needs {n} values, not {len(parts)}")
        values.append(tuple(one.encoded(part, one.sized(sizes)) for part in parts))
    return tuple(values)
