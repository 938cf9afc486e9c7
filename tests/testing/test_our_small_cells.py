"""Which cells are small, and which sums one value makes up too much of, under all four checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ghost import Array
from mpc.party import Party
from mpc.share import Share
from mpc.testing import integers, own
from protocols.small_cells import cell_classes, dominated
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

M = 5
PERCENT = 80
WORD = 8


def parts_of(p: Party, mine: Array) -> list[Share]:
    """Every owner's own array (m,) as shares."""
    return [p.input(owner, mine if owner == p.name and not p.dry else None, mine.shape, 0) for owner in p.owners]


async def _classes(p: Party, mine: Array) -> Any:
    found = await cell_classes(p, parts_of(p, mine), M)
    return () if p.dry else (found.small.astype(float), found.ample.astype(float))


def _classes_twin(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    others = np.sum(parts, axis=0) - np.stack(parts)
    small = ((others > 0) & (others < M)).any(axis=0)
    return small.astype(float), (others >= M).all(axis=0).astype(float)


async def _dominated(p: Party, largest: Array, sums: Array) -> Any:
    found = await dominated(p, parts_of(p, largest), parts_of(p, sums), PERCENT)
    return () if p.dry else (found.astype(float),)


def _dominated_twin(largest: tuple[Array, ...], sums: tuple[Array, ...]) -> tuple[Array, ...]:
    others, n = np.sum(sums, axis=0) - np.stack(sums), len(sums)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    return (np.any([100 * largest[i] > PERCENT * others[j] for i, j in pairs], axis=0).astype(float),)


def one_other(base: list[int], other: int, more: list[list[list[int]]] | None = None) -> Secrets:
    """One owner's number is another one, each owner in turn; `more`: what else is given, the same in both."""
    kept = more or []
    found = []
    for k in range(len(base)):
        changed = [other if i == k else number for i, number in enumerate(base)]
        found.append(([[[v] for v in base], *kept], [[[v] for v in changed], *kept]))
    return found


OURS = {
    "classes": Spoken(
        _classes,
        _classes_twin,
        [own(integers(("m",), 0, 12))],
        0.0,
        9,
        8 * (WORD + 24 + 12 + 18 + 4) + 1 + 4 * WORD,  # of two owners, each with two cells: eight intervals
        8 * (WORD + 16 + 8 + 12 + 2) + 8 * WORD,
        {"m": 2},
        cost_owners=(2,),
        secrets=lambda n: [*one_other([10, 10, 10][:n], 14), *one_other([2, 0, 0][:n], 2)],
        view_sizes={"m": 50},
        words=500,
        shift=0.5,
    ),
    "dominated": Spoken(
        _dominated,
        _dominated_twin,
        [own(integers(("m",), 0, 100)), own(integers(("m",), 100, 200))],
        0.0,
        9,
        4 * (WORD + 12 + 6 + 9 + 2) + 1 + 2 * WORD,  # of two owners: four comparisons
        4 * (WORD + 8 + 4 + 6 + 1) + 4 * WORD,
        {"m": 2},
        cost_owners=(2,),
        secrets=lambda n: one_other([10, 10, 10][:n], 14, [[[1000]] * n]),
        view_sizes={"m": 50},
        words=500,
        shift=0.5,
    ),
}
every_one = pytest.mark.parametrize("name", OURS)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
@every_one
def test_view(name: str, owners: int) -> None:
    hold_to_view(OURS[name], owners)


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
