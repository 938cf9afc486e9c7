"""The inputs of a protocol under test: shapes, scales and ranges; and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, cast

import numpy as np

from mpc.errors import UsageError
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode, encode
from mpc.ring.rings import Z64, Ring

Size = int | str
Sizes = Mapping[str, int]
Values = tuple[tuple[Array, ...], ...]
"""For each input, its ring elements: one array, or one for each owner where every owner has an own one."""


@dataclass(frozen=True)
class Input:
    """One input of a protocol: an array of ring elements, whose entries are integers in [low, high] at `scale`.

    Make them with `reals`, `integers`, `words` and `own`.

    Args:
        shape: sizes; a name instead of a number stands for any size, the same one wherever the name occurs.
        real: whether the plaintext reference gets real numbers, not ring elements.
        owner: the owner that gives it (0 is the first); the owners take turns where left out.
        private: whether every owner has an array of its own, which the protocol gets instead of a share.
    """

    shape: tuple[Size, ...]
    scale: int
    ring: Ring
    low: int
    high: int
    real: bool
    owner: int | None = None
    private: bool = False

    def sized(self, sizes: Sizes) -> tuple[int, ...]:
        """The shape, its names replaced."""
        return tuple(sizes[size] if isinstance(size, str) else size for size in self.shape)

    def elements(self, integers: Any) -> Array:
        """Integers of any sign as elements of the ring."""
        return self.ring.reduce(np.asarray(integers, dtype=object))

    def constant(self, value: int, shape: tuple[int, ...]) -> Array:
        """The integer everywhere, brought into the range."""
        full = np.full(shape, min(max(value, self.low), self.high), dtype=object)
        return self.elements(full)

    def random(self, seed: str, shape: tuple[int, ...]) -> Array:
        """Entries spread evenly over the range, the same for the same seed."""
        count = prod(shape)
        raw = Stream(derive(bytes(32), f"test input/{seed}")).take(24 * count).tobytes()
        span = self.high - self.low + 1
        out = np.empty(count, dtype=object)
        out[:] = [self.low + int.from_bytes(raw[24 * k : 24 * k + 24], "little") % span for k in range(count)]
        return self.elements(out).reshape(shape)

    def plain(self, elements: Array) -> Array:
        """The reference's input: real numbers, or the ring elements."""
        return decode(elements, self.scale, self.ring) if self.real else elements

    def encoded(self, value: Any, shape: tuple[int, ...]) -> Array:
        """A value as its author writes it, real or ring elements; a number stands for an array of it."""
        if self.real:
            return encode(np.broadcast_to(np.asarray(value, dtype=np.float64), shape).copy(), self.scale, self.ring)
        return self.elements(np.broadcast_to(np.asarray(value, dtype=object), shape).copy())


def reals(shape: Sequence[Size], *, scale: int, largest: float, owner: int | None = None, ring: Ring = Z64) -> Input:
    """Real numbers in [-largest, largest] at `scale` fractional bits; the reference gets float64."""
    bound = int(largest * 2.0**scale)
    return Input(tuple(shape), scale, ring, -bound, bound, True, owner)


def integers(shape: Sequence[Size], low: int, high: int, *, owner: int | None = None, ring: Ring = Z64) -> Input:
    """Integers in [low, high] at scale 0; the reference gets float64."""
    return Input(tuple(shape), 0, ring, low, high, True, owner)


def words(shape: Sequence[Size], *, ring: Ring = Z64, scale: int = 0, owner: int | None = None) -> Input:
    """Any elements of a ring; the reference gets the elements themselves."""
    return Input(tuple(shape), scale, ring, 0, (1 << ring.bits) - 1, False, owner)


def own(kind: Input) -> Input:
    """An array of each owner: the protocol gets its owner's ring elements, the reference a tuple of all owners'."""
    return replace(kind, private=True)


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
    return n if one.private else 1


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
        parts = cast("Sequence[Any]", given) if one.private else (given,)
        if len(parts) != givers(one, n):
            raise UsageError(f"an input of every owner's own needs {n} values, not {len(parts)}")
        values.append(tuple(one.encoded(part, one.sized(sizes)) for part in parts))
    return tuple(values)
