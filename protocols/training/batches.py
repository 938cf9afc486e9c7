"""The public split into training and test rows, and the public order of the mini-batches.

Both come from the scenario's seed, per owner; they name rows, and depend on no value in them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain, repeat
from typing import Final, overload

import numpy as np

from mpc.randomness.streams import public_permutation
from mpc.ring.array import Array
from protocols.linalg.held import Rows

MOST_KEPT: Final = 1 << 20
"""Words of the mini-batches that are kept, 8 MB; a longer training's others are worked out when they are needed."""

_BATCH_WORDS: Final = 40  # what a batch takes beside its rows


def test_count(rows: int, test_fraction: float) -> int:
    """How many of an owner's rows are held out: the nearest whole number to the fraction."""
    return int(np.floor(rows * test_fraction + 0.5))


def split(seed: int, owner: str, rows: int, test_fraction: float) -> tuple[Array, Array]:
    """An owner's training and test rows (int64 indices, each in the file's order)."""
    order = public_permutation(seed, f"split/{owner}", rows)
    cut = test_count(rows, test_fraction)
    return np.sort(order[cut:]), np.sort(order[:cut])


def batch_sizes(steps: Sequence[Rows]) -> Iterator[int]:
    """The number of rows of each mini-batch, without working out which ones they are."""
    return steps.sizes() if isinstance(steps, Batches | Part) else (rows.index.size for rows in steps)


def alike(steps: Sequence[Rows], at: int, size: int) -> Hashable:
    """The key of a step, for `Party.step`: the number of rows of a mini-batch; a plan has the rows by their place."""
    return size if isinstance(steps, Batches) else steps[at]


def epoch_order(seed: int, epoch: int, counts: Mapping[str, int]) -> Array:
    """All owners' training rows in one epoch's order (int64 indices into the owners' rows, stacked in order).

    Each owner's rows are shuffled, then spread evenly over the epoch, so that every batch mixes the owners' rows in
    proportion.
    """
    starts = np.cumsum([0, *counts.values()])[:-1]
    rows = [
        start + public_permutation(seed, f"epoch/{epoch}/{owner}", count)
        for (owner, count), start in zip(counts.items(), starts, strict=True)
    ]
    return np.concatenate(rows)[_spread(tuple(counts.values()))]


@lru_cache(maxsize=4)
def _spread(counts: tuple[int, ...]) -> Array:
    """The row (of all owners' rows, one owner's after another's) at each place of an epoch: the same in every epoch."""
    places = [(np.arange(count) + 0.5) / max(count, 1) for count in counts]
    return np.argsort(np.concatenate(places), kind="stable")


def batches(seed: int, epochs: int, batch_size: int, counts: Mapping[str, int]) -> Batches:
    """The mini-batches of all epochs in order; an epoch's last batch holds what is left over.

    Those of a short training are all worked out here; of a long one, which would take gigabytes, when they are needed.
    """
    every = Batches(seed, epochs, batch_size, tuple(counts.items()))
    for epoch in range(min(epochs, every.kept_epochs)):
        every.epoch(epoch)
    return every


@dataclass(frozen=True)
class Batches(Sequence[Rows]):
    """The mini-batches of a training's epochs: the epochs asked for last are kept."""

    seed: int
    epochs: int
    batch_size: int
    counts: tuple[tuple[str, int], ...]
    _made: dict[int, tuple[Rows, ...]] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def rows(self) -> int:
        """How many rows there are in an epoch."""
        return sum(count for _, count in self.counts)

    @cached_property
    def kept_epochs(self) -> int:
        """How many epochs are kept."""
        return max(2, MOST_KEPT // max(1, self.rows + _BATCH_WORDS * self._each))

    def sizes(self) -> Iterator[int]:
        """How many rows each batch has."""
        one = [min(self.batch_size, self.rows - start) for start in range(0, self.rows, self.batch_size)]
        return chain.from_iterable(repeat(one, self.epochs))

    def size(self, at: int) -> int:
        """How many rows the batch at this place has."""
        return min(self.batch_size, self.rows - at % self._each * self.batch_size)

    def epoch(self, number: int) -> tuple[Rows, ...]:
        """The mini-batches of one epoch."""
        found = self._made.get(number)
        if found is None:
            if len(self._made) >= self.kept_epochs:
                del self._made[next(iter(self._made))]
            order = epoch_order(self.seed, number, dict(self.counts))
            starts = range(0, order.size, self.batch_size)
            first = number * len(starts)
            found = self._made[number] = tuple(
                Rows.of(order[start : start + self.batch_size], (self, first + k)) for k, start in enumerate(starts)
            )
        return found

    @cached_property
    def _each(self) -> int:
        return -(-self.rows // self.batch_size)

    def __len__(self) -> int:
        return self.epochs * self._each

    @overload
    def __getitem__(self, at: int) -> Rows: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Rows]: ...
    def __getitem__(self, at: int | slice) -> Rows | Sequence[Rows]:
        places = range(len(self))[at]
        if not isinstance(places, int):
            return Part(self, places.start, places.stop, places.step)
        epoch, place = divmod(places, self._each)
        return self.epoch(epoch)[place]


@dataclass(frozen=True, repr=False)
class Part(Sequence[Rows]):
    """Some of a training's mini-batches, one after another."""

    of: Batches
    start: int
    stop: int
    step: int

    @property
    def _places(self) -> range:
        return range(self.start, self.stop, self.step)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Rows: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Rows]: ...
    def __getitem__(self, at: int | slice) -> Rows | Sequence[Rows]:
        places = self._places[at]
        if not isinstance(places, int):
            return Part(self.of, places.start, places.stop, places.step)
        return self.of[places]

    def sizes(self) -> Iterator[int]:
        """How many rows each has."""
        return map(self.of.size, self._places)

    def __repr__(self) -> str:
        return f"{self.of!r}[{self.start}:{self.stop}:{self.step}]"
