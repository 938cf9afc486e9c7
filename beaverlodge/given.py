"""What the owners give a simulated protocol: arrays of their own, or made-up numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mpc.errors import UsageError
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.runtime.inputs import Input, each, integers, reals, shared_by_all
from mpc.runtime.party import Party

if TYPE_CHECKING:
    from beaverlodge.simulation import Asked

HELPER: Final = "helper"
OWNERS: Final = 3
_LARGEST: Final = 2**62
_LISTS: Final = "give one list an owner, with an array for each of the protocol's inputs: [[x0, y0], [x1, y1]]"


@dataclass(frozen=True)
class OwnersInput:
    """One input of the protocol.

    Args:
        kind: its scale and ring.
        words: ring elements of each owner.
        drawn: whether they are made up.
    """

    kind: Input
    words: tuple[Array, ...]
    drawn: bool = False

    @property
    def plain(self) -> tuple[Array, ...]:
        """The input as the reference gets it."""
        return tuple(self.kind.plain(one) for one in self.words)

    def at(self, p: Party) -> Any:
        """The input as the protocol gets it at an owner: a share of every owner's array, or its own ring elements."""
        own = self.words[p.index]
        if self.kind.private:
            return abstract(own.shape) if p.dry else own
        return shared_by_all(p, self.kind, None if p.dry else own, [one.shape for one in self.words])


@dataclass(frozen=True)
class Given:
    """All that the owners give, and their names."""

    owners: tuple[str, ...]
    inputs: tuple[OwnersInput, ...]


def given_by(asked: Asked) -> Given:
    """The inputs of all owners, and their names.

    Raises:
        UsageError: it is neither lists of arrays, one an owner, nor descriptions of inputs.
        ProtocolError: a number is not finite, or too large for its scale.
    """
    inputs = asked.inputs
    if isinstance(inputs, Mapping):
        names, lists = tuple(map(str, inputs)), list(inputs.values())
    elif not inputs:
        raise UsageError("the owners give nothing", _LISTS)
    elif all(isinstance(one, Input) for one in inputs):
        names = _owner_names(OWNERS if asked.owners is None else asked.owners)
        return Given(names, tuple(_drawn(one, k, len(names), asked.seed) for k, one in enumerate(inputs)))
    else:
        names, lists = _owner_names(len(inputs)), list(inputs)
    if asked.owners not in (None, len(names)):
        raise UsageError(f"{asked.owners} owners need {asked.owners} lists, not {len(names)}", _LISTS)
    if not all(isinstance(one, list | tuple) for one in lists):
        raise UsageError("what an owner gives is no list", _LISTS)
    if len({len(one) for one in lists}) > 1:
        counts = ", ".join(str(len(one)) for one in lists)
        raise UsageError(f"the owners give different numbers of arrays: {counts}", _LISTS)
    return Given(
        _checked(names), tuple(_own(k, arrays, asked.scale) for k, arrays in enumerate(zip(*lists, strict=True)))
    )


def _owner_names(count: int) -> tuple[str, ...]:
    return _checked(tuple(f"owner{k}" for k in range(count)))


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) < 2:
        raise UsageError("a protocol is run by two owners at least", _LISTS)
    if HELPER in names:
        raise UsageError(f"an owner cannot be called '{HELPER}'", "that is who deals the correlations")
    return names


def _drawn(kind: Input, number: int, owners: int, seed: int) -> OwnersInput:
    """Made-up numbers of every owner: those that `mpc simulate` draws."""
    if any(isinstance(size, str) for size in kind.shape):
        raise UsageError(f"the shape {kind.shape} has a size without a number", "give numbers: reals((5, 3), ...)")
    kind = kind if kind.private else each(kind)
    shape = kind.sized({})
    return OwnersInput(kind, tuple(kind.random(f"{seed}/{number}/{k}", shape) for k in range(owners)), drawn=True)


def _own(number: int, arrays: Sequence[Any], scale: int) -> OwnersInput:
    """The owners' own arrays: integers at scale 0 where all are integers, else real numbers."""
    found = [np.atleast_1d(np.asarray(one)) for one in arrays]
    for one in found:
        if one.dtype.kind not in "iuf":
            raise UsageError(f"input {number + 1} is an array of {one.dtype}", "give numbers, real or whole")
    if any(one.dtype.kind == "f" for one in found):
        kind = each(reals(found[0].shape, scale=scale, largest=2.0 ** (62 - scale)))
        return OwnersInput(kind, tuple(kind.encoded(one, one.shape) for one in found))
    if any(one.size and max(abs(int(one.min())), abs(int(one.max()))) >= _LARGEST for one in found):
        raise UsageError(f"input {number + 1} has a whole number of 2^62 or more", "give smaller numbers")
    kind = each(integers(found[0].shape, -_LARGEST, _LARGEST))
    return OwnersInput(kind, tuple(kind.elements(one) for one in found))
