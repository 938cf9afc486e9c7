"""The randomness of a lockstep run, which a check can change by a word.

The owners run with a supply of their own, dealt here from `Draws`: the same kinds and the same functions as the
helper's, but every share of every part is at hand, to be looked at or altered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mpc.randomness.correlation import Kind
from mpc.randomness.dealing import in_full
from mpc.randomness.layout import Layout, Parts, as_shares
from mpc.randomness.streams import Stream, derive
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.ring.specs import Spec
from mpc.sharing.share import Share
from mpc.testing.cases.failure import CheckFailed


@dataclass(frozen=True)
class Bump:
    """A change of one drawn word: its correlation, part and entry, the owner, and the amount."""

    number: int
    part: int
    entry: int
    owner: int
    by: int

    def applied(self, number: int, kind: Kind, shares: list[Parts]) -> list[Parts]:
        """The owners' parts of this correlation, changed if it is the one."""
        if number != self.number:
            return shares
        change = kind.drawn[self.part].ring.zeros(kind.drawn[self.part].shape)
        change.reshape(-1)[self.entry] = kind.drawn[self.part].ring.reduce(np.array([self.by], dtype=object))[0]
        return _changed(shares, kind, self.owner, {self.part: change})


ODD = "odd"
"""The seed of odd amounts: what one mask covers, by an odd multiple, changes by an odd amount at once."""


@dataclass(frozen=True)
class Shake:
    """A change of every drawn word of some correlations, at one owner, by uniform amounts.

    The amounts are those of all seeds, added up; those of `ODD` are odd where the ring has odd numbers.
    """

    numbers: frozenset[int]
    owner: int
    seeds: tuple[str, ...] = field(repr=False)

    def applied(self, number: int, kind: Kind, shares: list[Parts]) -> list[Parts]:
        """The owners' parts of this correlation, changed if it is one of them."""
        if number not in self.numbers:
            return shares
        changes = {}
        for part, spec in enumerate(kind.drawn):
            changes[part] = spec.ring.zeros(spec.shape)
            for seed in self.seeds:
                changes[part] = spec.ring.add(changes[part], _amounts(spec, seed, f"{number}/{part}"))
        return _changed(shares, kind, self.owner, changes)


def _amounts(spec: Spec, seed: str, where: str) -> Array:
    drawn = Stream(derive(bytes(32), f"shake/{seed}/{where}")).uniform(spec.shape, spec.ring)
    if spec.ring.xor or seed != ODD:
        return drawn
    one, two = (spec.ring.reduce(np.full(spec.shape, k, dtype=object)) for k in (1, 2))
    return spec.ring.add(spec.ring.mul(drawn, two), one)


def _changed(shares: list[Parts], kind: Kind, owner: int, changes: Mapping[int, Array]) -> list[Parts]:
    drawn, dealt = list(shares[owner][0]), shares[owner][1]
    for part, change in changes.items():
        drawn[part] = kind.drawn[part].ring.add(drawn[part], change)
    return [*shares[:owner], (tuple(drawn), dealt), *shares[owner + 1 :]]


class Draws:
    """All randomness of a run, drawn from a seed when first asked for and the same ever after."""

    def __init__(self, n: int, seed: str, zeros: str = "") -> None:
        self._n = n
        self._zeros = zeros  # other ones than those of the seed alone
        self._seed = seed
        self._streams: dict[str, Stream] = {}
        self._shares: list[list[Parts]] = []
        self._pairs: dict[tuple[str, int], Array] = {}

    def shares(self, number: int, kind: Kind) -> list[Parts]:
        """Every owner's parts of a correlation; the last owner's dealt parts are left out, as they are no draws."""
        if number == len(self._shares):
            last = self._n - 1
            parts = [Layout(kind, corrected=k == last).draw(self._stream(f"deal/{k}")) for k in range(self._n)]
            self._shares.append(parts)
        return self._shares[number]

    def pair(self, label: str, number: int, shape: tuple[int, ...], ring: Ring) -> Array:
        """A draw of two owners from a stream that they share."""
        key = (label, number)
        if key not in self._pairs:
            mine = f"{label}{self._zeros}" if label.startswith("zeros") else label
            self._pairs[key] = self._stream(f"pair/{mine}").uniform(shape, ring)
        return self._pairs[key]

    def _stream(self, label: str) -> Stream:
        if label not in self._streams:
            self._streams[label] = Stream(derive(bytes(32), f"draws/{self._seed}/{label}"))
        return self._streams[label]


class Dealer:
    """Deals the correlations that the owners ask for, perhaps with one drawn word changed."""

    def __init__(self, draws: Draws, bump: Bump | Shake | None = None) -> None:
        self.kinds: list[Kind] = []
        self._draws = draws
        self._bump = bump
        self._dealt: list[list[Parts]] = []
        self._book: dict[int, tuple[Array, ...]] = {}

    def parts(self, owner: int, number: int, kind: Kind) -> Parts:
        """An owner's shares of the correlation of this number."""
        if number == len(self._dealt):
            self.kinds.append(kind)
            self._dealt.append(self._deal(number, kind))
        if self.kinds[number] != kind:
            raise CheckFailed(f"the owners ask for different correlations: {self.kinds[number]} and {kind}")
        return self._dealt[number][owner]

    def _deal(self, number: int, kind: Kind) -> list[Parts]:
        shares = list(self._draws.shares(number, kind))
        if self._bump is not None:
            shares = self._bump.applied(number, kind, shares)
        drawn = in_full(kind, [own[0] for own in shares])
        if kind.kept:
            self._book[number] = drawn
        full = kind.deal(drawn, self._book)
        last = []
        for part, (spec, value) in enumerate(zip(kind.dealt, full, strict=True)):
            for own in shares[:-1]:
                value = spec.ring.sub(value, own[1][part])
            last.append(value)
        return [*shares[:-1], (shares[-1][0], tuple(last))]


class Supply:
    """One owner's way to the dealer."""

    def __init__(self, dealer: Dealer, owner: int) -> None:
        self._dealer = dealer
        self._owner = owner
        self.number = 0

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        """The next correlation."""
        number = self.number
        self.number += 1
        return number, as_shares(kind, *self._dealer.parts(self._owner, number, kind))

    def fork(self, way: bool) -> bool:
        """The program's way; if owners ask for different correlations after it, `Dealer.parts` says so."""
        return way


class PairStream(Stream):
    """A stream that two owners share, from the run's draws; what it gives is noted."""

    def __init__(self, draws: Draws, label: str, drawn: list[Array]) -> None:
        self._draws = draws
        self._label = label
        self._drawn = drawn

    def uniform(self, shape: tuple[int, ...], ring: Ring) -> Array:
        """Elements of `ring`, uniform."""
        drawn = self._draws.pair(self._label, len(self._drawn), shape, ring)
        self._drawn.append(drawn)
        return drawn
