"""Which cells are small, and which sums one value makes up too much of, under all four checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own
from protocols.rare_values import Layout, own_values
from protocols.small_cells import Blocks, Contributions, Values, merged_list, withheld_blocks
from protocols.standardise import SUM_RING
from protocols.suppression import Halving
from tests.rare_values import is_rare
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

M = 5
PERCENT = 80
WORD = 8
WIDE = 32


def parts_of(p: Party, mine: Array) -> list[Share]:
    """Every owner's own array (m,) as shares."""
    return [p.input(owner, mine if owner == p.name and not p.dry else None, mine.shape, 0) for owner in p.owners]


def wide_parts(p: Party, mine: Array) -> list[Share]:
    """The same in the ring of the sums."""
    shape = (len(mine),) if not p.dry else mine.shape
    words = None if p.dry else SUM_RING.reduce(np.array([int(x) for x in mine], dtype=object))
    return [p.input(owner, words if owner == p.name else None, shape, 0, SUM_RING) for owner in p.owners]


def pairs(count: int, sums: int = 0) -> Blocks:
    """One block each of a count with the next one; then one each of a count and a sum."""
    found = [np.array([k, (k + 1) % count]) for k in range(count)]
    return Blocks((*found, *(np.array([k, count + k]) for k in range(sums))), count, sums)


async def _blocks(p: Party, mine: Array) -> Any:
    (m,) = mine.shape
    found = await withheld_blocks(p, parts_of(p, mine), np.full(m, M), pairs(m))
    return () if p.dry else (found.astype(float),)


def _small(parts: tuple[Array, ...]) -> Array:
    others = np.sum(parts, axis=0) - np.stack(parts)
    return np.asarray(((others > 0) & (others < M)).any(axis=0))


def _blocks_twin(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    small = _small(parts)
    return ((small | np.roll(small, -1)).astype(float),)


async def _sums(p: Party, mine: Array, largest: Array, sums: Array) -> Any:
    (m,) = mine.shape
    of = Contributions(wide_parts(p, largest), wide_parts(p, sums), PERCENT)
    found = await withheld_blocks(p, parts_of(p, mine), np.full(m, M), pairs(m, m), of)
    return () if p.dry else (found.astype(float),)


def _sums_twin(parts: tuple[Array, ...], largest: tuple[Array, ...], sums: tuple[Array, ...]) -> tuple[Array, ...]:
    others, n, small = np.sum(sums, axis=0) - np.stack(sums), len(sums), _small(parts)
    two = [(i, j) for i in range(n) for j in range(n) if i != j]
    dominated = np.any([100 * largest[i] > PERCENT * others[j] for i, j in two], axis=0)
    return (np.concatenate((small | np.roll(small, -1), small | dominated)).astype(float),)


async def _merged(p: Party, mine: Array) -> Any:
    kinds = [Share(np.concatenate((part.value, part.value)), 0) for part in parts_of(p, mine)]
    told, _ = await merged_list(p, [part.reshape(2, -1).T for part in kinds], M)
    (opened,) = await p.reveal(told, what="list", why="", label="list")
    return () if p.dry else (opened.value[:, 0].astype(np.int64).astype(float),)


def _merged_twin(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    halving, out = Halving(len(parts[0])), np.sum(parts, axis=0).astype(float)
    closed = [
        any(_small(tuple(part[a:b].sum() for part in parts)) for a, b in asked) for asked in halving.asked.values()
    ]
    for a, b in halving.blocks(closed):
        total, out[a:b] = out[a:b].sum(), 0.0
        out[b - 1] = 0.0 if (a, b) == (0, len(out)) else total
    return (out,)


async def _values(p: Party, mine: Array) -> Any:
    layout = Layout(1, 2)
    words = p.compute(lambda: own_values([mine[:, None]], 2, len(p.owners)).words, shape=(1, layout.width))
    parts = [p.input(owner, words if owner == p.name and not p.dry else None, words.shape, 0) for owner in p.owners]
    none = [Share(np.zeros((1,), dtype=np.uint64))] * len(p.owners)
    blocks = Blocks((np.array([1]),), 1, values=(layout,))
    found = await withheld_blocks(p, none, np.full(1, M), blocks, values=Values([parts], M))
    return () if p.dry else (found.astype(float),)


def _values_twin(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    return (np.array([float(is_rare([part[:, None] for part in parts], 2, M))]),)


def one_other(base: list[int], other: int, more: list[list[list[int]]] | None = None) -> Secrets:
    """One owner's number is another one, each owner in turn; `more`: what else is given, the same in both."""
    kept = more or []
    found = []
    for k in range(len(base)):
        changed = [other if i == k else number for i, number in enumerate(base)]
        found.append(([[[v] for v in base], *kept], [[[v] for v in changed], *kept]))
    return found


def exchanged(n: int) -> Secrets:
    """Of one owner, each in turn, 1 and 9 become 2 and 8 in a stretch that is withheld: its total stays.

    Withheld from the owner before it, of which all others together have few in the third cell.
    """
    found = []
    for k in range(n):
        base = [[9, 9, 9 if i == (k - 1) % n else 1, 9] for i in range(n)]
        few = [[[9, 9, *end] if i == k else own for i, own in enumerate(base)] for end in ((1, 9), (2, 8))]
        found.append(([few[0]], [few[1]]))
    return found


OURS = {
    "blocks": Spoken(
        _blocks,
        _blocks_twin,
        [own(integers(("m",), 0, 12))],
        0.0,
        9,
        4 * (WORD + 58) + 1 + 2 * WORD,  # of two owners, each with two cells: four intervals
        4 * (WORD + 38) + 8 * WORD,
        {"m": 2},
        cost_owners=(2,),
        secrets=lambda n: [*one_other([10, 10, 10][:n], 14), *one_other([2, 0, 0][:n], 2)],
        view_sizes={"m": 50},
        words=500,
        shift=0.5,
    ),
    "sums": Spoken(
        _sums,
        _sums_twin,
        [own(integers(("m",), 0, 12)), own(integers(("m",), 0, 100)), own(integers(("m",), 100, 200))],
        0.0,
        11,
        4 * (WORD + 58) + 4 * (WIDE + 4 * 30 + 9) + 2 + 4 * WORD,  # of two owners: four wide comparisons as well
        4 * (WORD + 38) + 4 * (WIDE + 1 + 4 * 20 + 6) + 16 * WORD,
        {"m": 2},
        cost_owners=(2,),
        secrets=lambda n: one_other([10, 10, 10][:n], 14, [[[10]] * n, [[1000]] * n]),
        view_sizes={"m": 20},
        words=500,
        shift=0.5,
    ),
    "values": Spoken(
        _values,
        _values_twin,
        [own(integers(("m",), 0, 1))],
        0.0,
        9,
        (2 + 6) * (WORD + 58) + 1 + WORD,  # of two owners: the count, and six numbers of the one item
        (2 + 6) * (WORD + 38) + 6 * WORD,
        {"m": 20},
        cost_owners=(2,),
        secrets=lambda n: [([[0, 1] * 10] * n, [[0, 1] * 8 + [1] * 4] * n)],
        words=500,
        shift=0.5,
    ),
    "merged list": Spoken(
        _merged,
        _merged_twin,
        [own(integers(("m",), 0, 12))],
        0.0,
        10,
        24 * (WORD + 58) + 5 + 3 * WORD + 8 * WORD,  # of two owners, six halves of two kinds
        24 * (WORD + 38) + 40 * WORD,
        fixed={"m": 4},
        cost_owners=(2,),
        secrets=exchanged,
        words=500,
        shift=0.5,
    ),
}
every_one = pytest.mark.parametrize("name", OURS)
of_blocks = pytest.mark.parametrize(
    "name", ["blocks", *(pytest.param(name, marks=pytest.mark.soak) for name in ("sums", "values"))]
)
"""A merged list is these blocks, and a secret that its caller reveals."""


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize(
    "name", ["blocks", *(pytest.param(one, marks=pytest.mark.soak) for one in OURS if one != "blocks")]
)
def test_view(name: str, owners: int) -> None:
    hold_to_view(OURS[name], owners)


@of_blocks
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
