"""The public split into training and test rows, and the public order of the mini-batches.

Both come from the scenario's seed, per owner; they say which rows, never what is in them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mpc.ghost import Array
from mpc.prg import public_permutation
from protocols.held import Rows


def test_count(rows: int, test_fraction: float) -> int:
    """How many of an owner's rows are held out: the nearest whole number to the fraction."""
    return int(np.floor(rows * test_fraction + 0.5))


def split(seed: int, owner: str, rows: int, test_fraction: float) -> tuple[Array, Array]:
    """An owner's training and test rows (int64 indices, each in the file's order)."""
    order = public_permutation(seed, f"split/{owner}", rows)
    cut = test_count(rows, test_fraction)
    return np.sort(order[cut:]), np.sort(order[:cut])


def epoch_order(seed: int, epoch: int, counts: dict[str, int]) -> Array:
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
    """Where, of all owners' rows one owner's after another's, each place of an epoch comes from: in every epoch."""
    places = [(np.arange(count) + 0.5) / max(count, 1) for count in counts]
    return np.argsort(np.concatenate(places), kind="stable")


def batches(seed: int, epochs: int, batch_size: int, counts: dict[str, int]) -> tuple[Rows, ...]:
    """The mini-batches of all epochs in order; an epoch's last batch holds what is left over."""
    steps = []
    for epoch in range(epochs):
        order = epoch_order(seed, epoch, counts)
        steps += [Rows.of(order[start : start + batch_size]) for start in range(0, order.size, batch_size)]
    return tuple(steps)
