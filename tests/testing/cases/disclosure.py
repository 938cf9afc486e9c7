"""Which cells are small, which sums one value makes up too much of, and which columns of a model have small cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own
from protocols.disclosure.design_cells import Split, small_columns, split_columns
from protocols.disclosure.own_design import OwnDesign, plain
from protocols.disclosure.rare_values import Layout, own_values
from protocols.disclosure.small_cells import Blocks, Contributions, Values, merged_list, suppressed_blocks
from protocols.disclosure.suppression import Halving
from protocols.scaling.standardise import SUM_RING
from tests.rare_values import is_rare
from tests.testing.cases.case import Case, Cost, Secrets, View, each_in_turn
from tests.testing.cases.costs import COMPARED, COMPARED_DEALT, WIDE, WORD

M = 5
PERCENT = 80
EACH, EACH_DEALT = COMPARED + 29, COMPARED_DEALT + 19  # an interval: two comparisons of one number

# -- cells, sums and values in blocks


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
    found = await suppressed_blocks(p, parts_of(p, mine), np.full(m, M), pairs(m))
    return () if p.dry else (found.astype(float),)


def _small(parts: tuple[Array, ...]) -> Array:
    others = np.sum(parts, axis=0) - np.stack(parts)
    return np.asarray(((others > 0) & (others < M)).any(axis=0))


def _blocks_reference(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    small = _small(parts)
    return ((small | np.roll(small, -1)).astype(float),)


async def _sums(p: Party, mine: Array, largest: Array, sums: Array) -> Any:
    (m,) = mine.shape
    of = Contributions(wide_parts(p, largest), wide_parts(p, sums), PERCENT)
    found = await suppressed_blocks(p, parts_of(p, mine), np.full(m, M), pairs(m, m), of)
    return () if p.dry else (found.astype(float),)


def _sums_reference(parts: tuple[Array, ...], largest: tuple[Array, ...], sums: tuple[Array, ...]) -> tuple[Array, ...]:
    others, n, small = np.sum(sums, axis=0) - np.stack(sums), len(sums), _small(parts)
    two = [(i, j) for i in range(n) for j in range(n) if i != j]
    dominated = np.any([100 * largest[i] > PERCENT * others[j] for i, j in two], axis=0)
    return (np.concatenate((small | np.roll(small, -1), small | dominated)).astype(float),)


async def _merged(p: Party, mine: Array) -> Any:
    kinds = [Share(np.concatenate((part.value, part.value)), 0) for part in parts_of(p, mine)]
    told, _ = await merged_list(p, [part.reshape(2, -1).T for part in kinds], M)
    (opened,) = await p.reveal(told, what="list", why="", label="list")
    return () if p.dry else (opened.value[:, 0].astype(np.int64).astype(float),)


def _merged_reference(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    halving, out = Halving(len(parts[0])), np.sum(parts, axis=0).astype(float)
    closed = [
        any(_small(tuple(part[a:b].sum() for part in parts)) for a, b in asked) for asked in halving.questions.values()
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
    found = await suppressed_blocks(p, none, np.full(1, M), blocks, values=Values([parts], M))
    return () if p.dry else (found.astype(float),)


def _values_reference(parts: tuple[Array, ...]) -> tuple[Array, ...]:
    return (np.array([float(is_rare([part[:, None] for part in parts], 2, M))]),)


def _the_same_cells_are_small(n: int) -> Secrets:
    """One owner's number is another one, each owner in turn."""
    few = [[2], *[[0]] * (n - 1)]
    return [*each_in_turn(n, ([10], [14])), *(([few], [[*few[:k], [2], *few[k + 1 :]]]) for k in range(n))]


def _exchanged(n: int) -> Secrets:
    """Of one owner, each in turn, 1 and 9 become 2 and 8 in a stretch that is withheld: its total stays.

    Withheld from the owner before it, of which all others together have few in the third cell.
    """
    found = []
    for k in range(n):
        base = [[9, 9, 9 if i == (k - 1) % n else 1, 9] for i in range(n)]
        few = [[[9, 9, *end] if i == k else own for i, own in enumerate(base)] for end in ((1, 9), (2, 8))]
        found.append(([few[0]], [few[1]]))
    return found


# -- the columns of a model

ROWS, FLAGS = 12, 2
OPENED = FLAGS + 2  # bits: of two columns, the target, both columns together
CELLS = 4 * 2 * OPENED
"""That are counted together, of three owners or more: of these as many of each class."""


async def _columns(p: Party, x: Array, y: Array) -> Any:
    mine = None
    if not p.dry:
        mine = OwnDesign(x.astype(float), plain(FLAGS), y.astype(float), True, M)
    word = await small_columns(p, mine, FLAGS, M, classes=True)
    return () if p.dry else ((word.value != 0).astype(float),)


def _few_of_a_row(rows: Sequence[Array]) -> bool:
    """Whether for some owner others have few, but not none, of some row."""
    for viewer in range(len(rows)):
        others = np.concatenate([one for k, one in enumerate(rows) if k != viewer])
        _, counts = np.unique(others, axis=0, return_counts=True)
        if (counts < M).any():
            return True
    return False


def _columns_reference(x: tuple[Array, ...], y: tuple[Array, ...]) -> tuple[Array, ...]:
    whole = [np.column_stack(one) for one in zip(x, y, strict=True)]
    of = [_few_of_a_row([rows[:, [*columns, FLAGS]] for rows in whole]) for columns in ([0], [1], [], [0, 1])]
    return (np.array(of, dtype=float),)


async def _split(p: Party, flags: Array, y: Array) -> Any:
    """One column an owner, and the classes at the first."""
    mine = None
    if not p.dry:
        target = y.astype(float) if p.index == 0 else None
        mine = OwnDesign(flags[:, np.newaxis].astype(float), plain(1), target, True, M)
    split = Split(dict.fromkeys(p.owners, 1), p.owners[0], flags.shape[0], M)
    word = await split_columns(p, mine, None, split)
    return () if p.dry else ((word.value != 0).astype(float),)


def _split_reference(flags: tuple[Array, ...], y: tuple[Array, ...]) -> tuple[Array, ...]:
    found = []
    for column in (*(np.column_stack((flag, y[0])) for flag in flags), y[0][:, np.newaxis]):
        found.append((np.unique(column, axis=0, return_counts=True)[1] < M).any())
    return (np.array([*found, False], dtype=float),)


ALTERNATE = [k % 2 for k in range(ROWS)]
TURNED = [1 - one for one in ALTERNATE]
"""The classes the other way round: no cell is small either way."""
SORTED, EXCHANGED = [0, 1] * 20, [1, 0, *[0, 1] * 19]
"""Two rows of a column exchanged: of each value and class there are enough either way."""


def _turned(n: int) -> Secrets:
    return each_in_turn(n, ([[k, k] for k in ALTERNATE],) * 2, (ALTERNATE, TURNED))


INPUTS = [own(integers(("m", FLAGS), 0, 1)), own(integers(("m",), 0, 1))]
CASES = {
    "small cells in blocks": Case(
        _blocks,
        _blocks_reference,
        [own(integers(("m",), 0, 12))],
        0.0,
        # of two owners, each with two cells: four intervals
        Cost(9, 4 * EACH + 1 + 2 * WORD, 4 * EACH_DEALT + 8 * WORD, {"m": 2}, owners=(2,)),
        View(secrets=_the_same_cells_are_small, sizes={"m": 50}, words=500, shift=0.5),
    ),
    "dominated sums": Case(
        _sums,
        _sums_reference,
        [own(integers(("m",), 0, 12)), own(integers(("m",), 0, 100)), own(integers(("m",), 100, 200))],
        0.0,
        # of two owners: four wide comparisons as well
        Cost(
            11,
            4 * EACH + 4 * (WIDE + 4 * 30 + 9) + 2 + 4 * WORD,
            4 * EACH_DEALT + 4 * (WIDE + 1 + 4 * 20 + 6) + 16 * WORD,
            {"m": 2},
            owners=(2,),
        ),
        View(
            soak_from=2,
            secrets=lambda n: each_in_turn(n, ([10], [14]), ([10], [10]), ([1000], [1000])),
            sizes={"m": 20},
            words=500,
            shift=0.5,
        ),
        long=("faults",),
    ),
    "rare values": Case(
        _values,
        _values_reference,
        [own(integers(("m",), 0, 1))],
        0.0,
        # of two owners: the count, and six numbers of the one item
        Cost(9, (2 + 6) * EACH + 1 + WORD, (2 + 6) * EACH_DEALT + 6 * WORD, {"m": 20}, owners=(2,)),
        View(
            soak_from=2,
            secrets=lambda n: each_in_turn(n, ([0, 1] * 10, [0, 1] * 8 + [1] * 4)),
            sizes={"m": 20},
            words=500,
            shift=0.5,
        ),
        long=("faults",),
    ),
    "merged list": Case(
        _merged,
        _merged_reference,
        [own(integers(("m",), 0, 12))],
        0.0,
        # of two owners, six halves of two kinds
        Cost(10, 24 * EACH + 5 + 3 * WORD + 8 * WORD, 24 * EACH_DEALT + 40 * WORD, owners=(2,)),
        View(soak_from=2, secrets=_exchanged, words=500, shift=0.5),
        fixed={"m": 4},
        # it is these blocks, and a secret that its caller reveals
        long=("faults",),
    ),
    "columns of two owners": Case(
        _columns,
        _columns_reference,
        INPUTS,
        0.0,
        Cost(2, 1 + OPENED * WORD, 2 * OPENED * WORD, {"m": ROWS}, owners=(2,)),
        View(owners=(2,), secrets=_turned, sizes={"m": ROWS}, words=500, shift=0.5),
    ),
    "columns of three owners": Case(
        _columns,
        _columns_reference,
        INPUTS,
        0.0,
        # 108 bits: three owners', and those of their cells
        Cost(9, 3 * CELLS * EACH + 14 + OPENED * WORD, 3 * CELLS * EACH_DEALT + 108 * WORD, {"m": ROWS}, owners=(3,)),
        # too many words; small_cells.py, which it is made of, is looked into by itself
        View(owners=(3,), secrets=_turned, sizes={"m": ROWS}, words=500, shift=0.5, structure="by round"),
        owners=(2, 3, 4),
        long=("faults",),
    ),
    "split columns": Case(
        _split,
        _split_reference,
        [own(integers(("m",), 0, 1)), own(integers(("m",), 0, 1))],
        0.0,
        # nine places of two columns by two classes; two
        Cost(
            10,
            40 * (2 + 2) * WORD + 38 * EACH + 6 + OPENED * WORD,
            4 * WORD + 38 * EACH_DEALT + (6 + 38) * WORD,
            {"m": 40},
            owners=(2,),
        ),
        View(
            owners=(2,),
            secrets=lambda n: each_in_turn(n, (SORTED, EXCHANGED), ([0] * 20 + [1] * 20,) * 2),
            sizes={"m": 40},
            words=500,
            shift=0.5,
            structure="by round",
        ),
        long=("faults",),
    ),
}
