"""Blocks of lists and tables: in all that there can be, nothing that is told says how many are in a small cell."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from protocols.disclosure.suppression import Halving, loops, runs, table_blocks

M = 3
Told = tuple[object, ...]


def small(count: int) -> bool:
    """Too few, but not none."""
    return 0 < count < M


def told_of_list(counts: tuple[int, ...], halving: Halving) -> Told:
    """Which stretches are withheld, and the totals of these and the cells that are not; the total of all is known."""
    closed = [any(small(sum(counts[a:b])) for a, b in asked) for asked in halving.questions.values()]
    blocks = halving.blocks(closed)
    hidden = {k for a, b in blocks for k in range(a, b)}
    cells = tuple(None if k in hidden else count for k, count in enumerate(counts))
    return (cells, tuple(blocks), tuple(sum(counts[a:b]) for a, b in blocks), sum(counts))


def told_of_table(table: np.ndarray) -> Told:
    """The cells that are told, and all margins."""
    blocks = [table[a:b, c:d] for (a, b), (c, d) in table_blocks(*table.shape)]
    whole = any(small(n) for block in blocks for n in (*block.sum(axis=0).tolist(), *block.sum(axis=1).tolist()))
    hidden = [whole or any(small(n) for n in block.reshape(-1).tolist()) for block in blocks]
    cells = tuple(None if closed else tuple(b.reshape(-1).tolist()) for closed, b in zip(hidden, blocks, strict=True))
    return (whole, cells, tuple(table.sum(axis=0).tolist()), tuple(table.sum(axis=1).tolist()))


def given_back(views: dict[Told, list[tuple[int, ...]]], edge: int) -> list[tuple[Told, int]]:
    """Of all that looks alike: the cells that are small, and in the same number each time.

    Where a cell is as large as any that was tried, what would look alike may have a larger one.
    """
    found = []
    for told, alike in views.items():
        columns = np.array(alike).T
        if columns.max() < edge:
            same = [k for k, column in enumerate(columns) if small(int(column[0])) and (column == column[0]).all()]
            found += [(told, k) for k in same]
    return found


@pytest.mark.parametrize(
    "halving",
    [
        Halving(3),
        Halving(4),
        Halving(5),
        Halving(4, first=True, last=True),
        Halving(4, last=True),
        Halving(3, rest=True),
        Halving(4, True, True, True),
    ],
    ids=repr,
)
def test_no_list_gives_a_small_cell_back(halving: Halving) -> None:
    cells = halving.count + halving.rest
    views: dict[Told, list[tuple[int, ...]]] = {}
    for counts in product(range(6 if cells < 5 else 5), repeat=cells):
        if sum(counts) >= M:  # else the group is too small, and nothing of it is told
            views.setdefault(told_of_list(counts, halving), []).append(counts)
    assert len(views) > 90 and not given_back(views, 5 if cells < 5 else 4)


@pytest.mark.parametrize(("shape", "most"), [((2, 2), 8), pytest.param((2, 3), 5, marks=pytest.mark.soak)])
def test_no_table_gives_a_small_cell_back(shape: tuple[int, int], most: int) -> None:
    views: dict[Told, list[tuple[int, ...]]] = {}
    for counts in product(range(most + 1), repeat=shape[0] * shape[1]):
        told = told_of_table(np.array(counts).reshape(shape))
        if not told[0]:
            views.setdefault(told, []).append(counts)
    assert len(views) > 100 and not given_back(views, most)


def test_that_the_other_cell_is_ample_would_tell() -> None:
    """Planted: a small cell is withheld with the next one, and which of both is small is told."""
    views: dict[Told, list[tuple[int, ...]]] = {}
    for counts in product(range(8), repeat=2):
        if small(counts[0]) and counts[1] >= M:
            views.setdefault(("first", sum(counts)), []).append(counts)
    assert given_back(views, 7)


def test_first_and_last_bins_stay_with_their_neighbours() -> None:
    halving = Halving(7, first=True, last=True, rest=True)
    assert halving.halves((0, 8)) == ((0, 7), (7, 8))
    assert halving.halves((0, 7)) == ((0, 3), (3, 7)) and halving.halves((0, 3)) == ((0, 2), (2, 3))
    assert halving.around(0)[-2:] == [(0, 1), (1, 2)]
    assert Halving(1).around(0) == [] and Halving(1).blocks([]) == []


def test_a_stretch_comes_after_and_asks_what_is_around_it() -> None:
    asked = Halving(9).questions
    assert len(asked) == 8
    for span, totals in asked.items():
        for around, before in asked.items():
            if around[0] <= span[0] and span[1] <= around[1]:
                assert set(before) <= set(totals)


def test_runs_of_two_and_three() -> None:
    assert runs(2) == [(0, 2)] and runs(3) == [(0, 3)] and runs(5) == [(0, 2), (2, 5)]


def test_loops_of_tables() -> None:
    tables = ["ab", "bc", "ca", "cd", "de", "xy", "xy", "z"]
    assert loops([frozenset(one) for one in tables]) == [1, 1, 1, 0, 0, 6 - 2, 6 - 2, 0]
