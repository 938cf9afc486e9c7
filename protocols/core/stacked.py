"""A matrix of all owners' rows, one owner's after another's, each of which its owner knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mpc.errors import InternalError
from mpc.ring.abstract_array import abstract, is_abstract
from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Share


@dataclass(frozen=True, eq=False)
class Stacked:
    """Rows X (m, ...) of which this owner, the one at `index`, knows X_k (m_k, ...); `sizes` has every owner's m_k."""

    own: Share
    sizes: tuple[int, ...]
    index: int

    def __post_init__(self) -> None:
        if self.own.shape[0] != self.sizes[self.index]:
            raise InternalError(f"an owner has {self.own.shape[0]} rows and not {self.sizes[self.index]}")

    @property
    def shape(self) -> tuple[int, ...]:
        return (sum(self.sizes), *self.own.shape[1:])

    @property
    def scale(self) -> int:
        return self.own.scale

    @property
    def first(self) -> int:
        """Where this owner's rows begin."""
        return sum(self.sizes[: self.index])

    @cached_property
    def share(self) -> Share:
        """All rows as an additive sharing: an owner's share has its own rows where they belong, and is zero elsewhere.

        An owner's share tells what it knows already; nothing of it leaves the owner but under a mask.
        """
        if is_abstract(self.own.value):
            return Share(abstract(self.shape), self.scale, self.own.ring)
        value = self.own.ring.zeros(self.shape)
        value[self.first : self.first + self.sizes[self.index]] = self.own.value
        return Share(value, self.scale, self.own.ring)


def stack(p: Party, values: Array, scale: int, sizes: tuple[int, ...]) -> Stacked:
    """All owners' rows, of which `values` (m_k, ...), real numbers, are this owner's own. 0 rounds."""
    return Stacked(Share(p.compute(encode, values, scale, shape=values.shape), scale), sizes, p.index)
