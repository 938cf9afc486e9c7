"""What margins give back of withheld cells, found by linear programming; and that complementary cells prevent it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import linprog

from protocols.suppression import Bools, with_margins, withheld

M = 5
Table = npt.NDArray[np.int64]


def classes(parts: list[Table]) -> tuple[Bools, Bools]:
    """Small and ample cells of a table with margins, as `small_cells.cell_classes` has them."""
    others = np.sum(parts, axis=0) - np.stack(parts)
    return ((others > 0) & (others < M)).any(axis=0), (others >= M).all(axis=0)


def attacked(table: Table, hidden: Bools) -> Iterator[tuple[tuple[int, int], float]]:
    """For each withheld cell of 1 to M - 1 in a table with margins: how far apart its bounds are.

    The attacker knows the other cells and margins, and that no count is below 0.
    """
    rows, columns = table.shape[0] - 1, table.shape[1] - 1
    inner = list(itertools.product(range(rows), range(columns)))
    parts = np.zeros((*table.shape, len(inner)))
    for k, (r, c) in enumerate(inner):
        for r_, c_ in itertools.product((r, rows), (c, columns)):
            parts[r_, c_, k] = 1.0
    known = ~hidden
    a, b = parts[known], table[known]
    for r, c in np.argwhere(hidden & (table > 0) & (table < M)).tolist():
        ends = []
        for sign in (1.0, -1.0):
            found = linprog(sign * parts[r, c], A_eq=a if len(a) else None, b_eq=b if len(b) else None)
            ends.append(np.inf if found.status == 3 else found.x @ parts[r, c])
        yield (r, c), abs(ends[1] - ends[0])


def recovered(parts: list[Table], hidden: Bools) -> list[tuple[int, int]]:
    """The small cells that some owner, who knows its own part, or an outsider solves for."""
    total: Table = np.sum(parts, axis=0)
    cells = []
    for table in (total, *(total - part for part in parts)):
        cells += [cell for cell, width in attacked(table, hidden) if width < 1.0 - 1e-6]
    return cells


def random_tables(rng: np.random.Generator) -> list[Table]:
    """The parts of 2 or 3 owners of a table with margins; most have small cells."""
    shape = tuple(rng.integers(1, 5, size=2))
    mean = rng.choice([1.0, 3.0, 8.0, 30.0], size=shape)
    return [with_margins(rng.poisson(mean)) for _ in range(rng.integers(2, 4))]


def attack(count: int, *, complementary: bool) -> tuple[int, int, int]:
    """How many tables with small cells were tried, of how many a cell was recovered, of how many something was told."""
    rng = np.random.default_rng(20)
    tried = broken = 0
    told = 0
    while tried < count:
        parts = random_tables(rng)
        small, ample = classes(parts)
        if not small.any():
            continue
        tried += 1
        hidden = withheld(small, ample, complementary=complementary)
        assert not (small & ~hidden).any()
        broken += bool(recovered(parts, hidden))
        told += bool((~hidden).any())
    return tried, broken, told


@pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.soak)])
def test_margins_give_no_withheld_cell_back(count: int) -> None:
    tried, broken, told = attack(count, complementary=True)
    print(f"{tried} tables: {broken} with a cell recovered; of {told} something was told")
    assert broken == 0
    assert told > count // 3


def test_without_complementary_cells_they_do() -> None:
    tried, broken, _ = attack(20, complementary=False)
    assert broken > tried // 3


def test_nothing_is_withheld_without_small_cells() -> None:
    none = np.zeros((4, 3), dtype=bool)
    assert not withheld(none, ~none).any()


def test_a_small_total_withholds_everything() -> None:
    small = np.zeros((3, 3), dtype=bool)
    small[:, 2] = small[0, 0] = True
    assert withheld(small, ~small).all()


def test_one_small_cell_takes_a_rectangle_and_no_margin() -> None:
    small = np.zeros((4, 4), dtype=bool)
    small[1, 1] = True
    hidden = withheld(small, ~small)
    assert hidden.sum() == 4 and hidden[1, 1] and not hidden[3].any() and not hidden[:, 3].any()


def test_a_list_loses_two_cells_and_keeps_its_total() -> None:
    small = np.zeros((2, 5), dtype=bool)
    small[:, 2] = True
    hidden = withheld(small, ~small)
    assert hidden[0].sum() == 2 and not hidden[0, 4] and (hidden[0] == hidden[1]).all()
