"""Which columns of a model have cells that are too small, under all four checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.testing import integers, own
from protocols.design_cells import Split, small_columns, split_columns
from protocols.own_design import OwnDesign, plain
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

M = 5
ROWS = 12
WORD = 8
FLAGS = 2
BITS = FLAGS + 2
"""What is opened: of two columns, the target, both columns together."""
CELLS = 4 * 2 * BITS
"""That are counted together, of three owners or more: of these as many of each class."""


async def _columns(p: Party, x: Array, y: Array) -> Any:
    mine = None
    if not p.dry:
        mine = OwnDesign(x.astype(float), plain(FLAGS), y.astype(float), True, M)
    word = await small_columns(p, mine, FLAGS, M, classes=True)
    return () if p.dry else ((word.value != 0).astype(float),)


def _small(rows: Sequence[Array]) -> bool:
    """Whether for some owner others have few, but not none, of some row."""
    for viewer in range(len(rows)):
        others = np.concatenate([one for k, one in enumerate(rows) if k != viewer])
        _, counts = np.unique(others, axis=0, return_counts=True)
        if (counts < M).any():
            return True
    return False


def _columns_twin(x: tuple[Array, ...], y: tuple[Array, ...]) -> tuple[Array, ...]:
    whole = [np.column_stack(one) for one in zip(x, y, strict=True)]
    of = [_small([rows[:, [*columns, FLAGS]] for rows in whole]) for columns in ([0], [1], [], [0, 1])]
    return (np.array(of, dtype=float),)


def turned(n: int) -> Secrets:
    """One owner's classes are the other way round, each owner in turn: no cell is small either way."""
    x = [[k % 2, k % 2] for k in range(ROWS)]
    y = [k % 2 for k in range(ROWS)]
    other = [1 - one for one in y]
    return [([[x] * n, [y] * n], [[x] * n, [other if i == k else y for i in range(n)]]) for k in range(n)]


async def _split(p: Party, flags: Array, y: Array) -> Any:
    """One column an owner, and the classes at the first."""
    mine = None
    if not p.dry:
        target = y.astype(float) if p.index == 0 else None
        mine = OwnDesign(flags[:, np.newaxis].astype(float), plain(1), target, True, M)
    split = Split(dict.fromkeys(p.owners, 1), p.owners[0], flags.shape[0], M)
    word = await split_columns(p, mine, None, split)
    return () if p.dry else ((word.value != 0).astype(float),)


def _split_twin(flags: tuple[Array, ...], y: tuple[Array, ...]) -> tuple[Array, ...]:
    found = []
    for column in (*(np.column_stack((flag, y[0])) for flag in flags), y[0][:, np.newaxis]):
        found.append((np.unique(column, axis=0, return_counts=True)[1] < M).any())
    return (np.array([*found, False], dtype=float),)


def exchanged(n: int) -> Secrets:
    """One owner's column has two rows exchanged; of each value and class there are enough either way."""
    flags, y = [0, 1] * 20, [0] * 20 + [1] * 20
    other = [1, 0, *flags[2:]]
    return [([[flags] * n, [y] * n], [[other if i == k else flags for i in range(n)], [y] * n]) for k in range(n)]


INPUTS = [own(integers(("m", FLAGS), 0, 1)), own(integers(("m",), 0, 1))]
OURS = {
    "of two owners": Spoken(
        _columns,
        _columns_twin,
        INPUTS,
        0.0,
        2,
        1 + BITS * WORD,
        2 * BITS * WORD,
        {"m": ROWS},
        cost_owners=(2,),
        secrets=turned,
        view_sizes={"m": ROWS},
        words=500,
        shift=0.5,
    ),
    "of three owners": Spoken(
        _columns,
        _columns_twin,
        INPUTS,
        0.0,
        9,
        3 * CELLS * (WORD + 58) + 14 + BITS * WORD,  # 108 bits: three owners', and those of their cells
        3 * CELLS * (WORD + 38) + 108 * WORD,
        {"m": ROWS},
        owners=(2, 3, 4),
        cost_owners=(3,),
        secrets=turned,
        view_sizes={"m": ROWS},
        words=500,
        shift=0.5,
        structure="by round",  # too many words; small_cells.py, which it is made of, is looked into by itself
    ),
    "of split columns": Spoken(
        _split,
        _split_twin,
        [own(integers(("m",), 0, 1)), own(integers(("m",), 0, 1))],
        0.0,
        10,
        40 * (2 + 2) * WORD + 38 * (WORD + 58) + 6 + BITS * WORD,  # nine places of two columns by two classes; two
        4 * WORD + 38 * (WORD + 38) + (6 + 38) * WORD,
        {"m": 40},
        cost_owners=(2,),
        secrets=exchanged,
        view_sizes={"m": 40},
        words=500,
        shift=0.5,
        structure="by round",
    ),
}
every_one = pytest.mark.parametrize("name", OURS)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize(
    ("name", "owners"),
    [
        ("of two owners", 2),
        pytest.param("of three owners", 3, marks=pytest.mark.soak),
        ("of split columns", 2),
    ],
)
def test_view(name: str, owners: int) -> None:
    hold_to_view(OURS[name], owners)


@pytest.mark.parametrize("name", ["of two owners", pytest.param("of three owners", marks=pytest.mark.soak)])
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
