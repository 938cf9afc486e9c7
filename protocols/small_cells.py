"""Which cells of a table of counts are too small to be told, tested before anything of the table is opened.

A count T = c_1 + ... + c_n over the owners is told only if for every owner j what the others have, T - c_j, is 0 or at
least m: owner j subtracts its own part of any total that it is told. So a cell is

    small    some owner j has 0 < T - c_j < m
    ample    every owner j has T - c_j >= m

and neither where the others' part is 0 for some owner and not small for any: a zero names no patient, and is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.ghost import Array
from mpc.party import Party
from mpc.ring import B8
from mpc.share import Public, Share
from protocols.comparison import any_each, less_than, outside

LEAST_MINIMUM = 3
"""With 2, that a cell is small would tell that it is 1."""
_MOST = 1 << 62


@dataclass(frozen=True)
class CellClasses:
    """What is known of each cell before any is told: two arrays (cells,) of bools, empty shapes in a dry run."""

    small: Array
    ample: Array


async def cell_classes(p: Party, parts: Sequence[Share], m: int) -> CellClasses:
    """Which cells are small and which are ample, for shared counts c_j (cells,) of each owner j and m >= 3.

    9 rounds; reveals masked values and bits (uniform), and two declared words a cell, each 0 or uniform: whether it is
    small for some owner, and whether it is less than ample for some owner. Beyond what of the table is told, that says
    of a cell that is withheld no more than why.
    """
    total = _sum(parts)
    (cells,) = total.shape
    others = Share(np.concatenate([(total - part).value for part in parts]), total.scale, total.ring)
    twice = Share(np.concatenate((others.value, others.value)), total.scale, total.ring)
    low = np.repeat(np.array([1, m], dtype=np.int64), len(parts) * cells)
    high = np.repeat(np.array([m - 1, _MOST], dtype=np.int64), len(parts) * cells)
    out = await outside(p, twice, low, high, label="cells/parts")
    one = Public(np.full((len(parts) * cells,), 1, dtype=np.uint8), 0, B8)
    small, scant = p.plus(out[: len(parts) * cells], one), out[len(parts) * cells :]
    bits = np.concatenate((small.value.reshape(len(parts), cells), scant.value.reshape(len(parts), cells)), axis=1)
    why = f"two bits a cell: whether some owner's others have fewer than {m} but not 0, and whether some have fewer"
    words = await any_each(p, Share(bits.reshape(-1), 0, B8), 2 * cells, what="small cells", why=why)
    found = p.compute(lambda: words.value != 0, shape=(2 * cells,))
    return CellClasses(found[:cells], p.compute(np.logical_not, found[cells:], shape=(cells,)))


async def dominated(p: Party, largest: Sequence[Share], sums: Sequence[Share], percent: int) -> Array:
    """Which sums of values of at least 0 one contribution makes up too much of, as bools (cells,).

        100 max_i > percent (S - S_j)       for owners i != j: i's largest value, and the sum without j's part

    for j, who knows its own part, would learn that value nearly. Shared maxima and sums (cells,) at one scale, each
    below 2^56 in ring units. 9 rounds; reveals masked values and bits (uniform), and one declared word a cell: 0 or
    uniform.
    """
    total = _sum(sums)
    (cells,) = total.shape
    pairs = [(i, j) for i in range(len(sums)) for j in range(len(sums)) if i != j]
    hundred, part = p.constant(100, ()), p.constant(percent, ())
    x = Share(np.concatenate([((total - sums[j]) * part).value for _, j in pairs]), total.scale, total.ring)
    y = Share(np.concatenate([(largest[i] * hundred).value for i, _ in pairs]), total.scale, total.ring)
    bits = await less_than(p, x, y, label="cells/dominance")
    why = f"one bit a cell: whether one value is above {percent} % of what the others have"
    words = await any_each(p, bits, cells, what="dominated cells", why=why)
    return p.compute(lambda: words.value != 0, shape=(cells,))


def told(p: Party, values: Share, withheld: Array) -> Share:
    """The values (cells,), 0 where they are withheld, so that what is then revealed has a shape that the plan knows."""
    keep = p.compute(lambda: np.logical_not(withheld).astype(np.uint64), shape=values.shape)
    return values * Public(keep)


def _sum(parts: Sequence[Share]) -> Share:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
