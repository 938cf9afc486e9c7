"""Find counts that are too small to disclose, and sums of which one value is too large a part, before any disclosure.

A count T = c_1 + ... + c_n over the owners is disclosed only if for every owner j the others' part, T - c_j, is 0 or at
least m, since owner j can subtract its own part of any total. So a count is

    small    if 0 < T - c_j < m for some owner j

A zero names no patient, and is disclosed. A sum S over values x, of which owner j holds S_j = sum |x|, is

    dominated    if 100 max |x_i| > percent (S - S_j) for owners i != j: j would learn i's largest value nearly

A sum that is a count of few rows, since nearly all rows have one value, is suppressed too: rare_values.py.

The test discloses, for each block of counts and sums (suppression.py), whether any is small, and not which one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Public, Share
from protocols.core.comparison import any_of, outside
from protocols.core.secure_sum import total_of
from protocols.core.wide_comparison import below
from protocols.disclosure.rare_values import Layout, rare
from protocols.disclosure.suppression import Halving, Span

SUPPRESSED = "withheld cells"


@dataclass(frozen=True)
class Blocks:
    """The tests of each block: places in the counts, then the sums, then the items of each layout of `values`
    (rare_values.py). A block is withheld if any of its tests fails."""

    places: tuple[Array, ...]
    counts: int
    sums: int = 0
    values: tuple[Layout, ...] = ()

    def bits(self, owners: int) -> list[Array]:
        """The same as places in the bits of `small`, then of `dominated`, which has one for each pair of owners, then
        of `rare`."""
        kinds = [(self.counts, owners), (self.sums, owners * (owners - 1))]
        kinds += [(layout.items, layout.candidates(owners)) for layout in self.values]
        found = []
        for places in self.places:
            start = bit = 0
            bits = []
            for count, repeated in kinds:
                some = places[(places >= start) & (places < start + count)] - start
                bits.append((bit + np.arange(repeated)[:, None] * count + some).reshape(-1))
                start, bit = start + count, bit + count * repeated
            found.append(np.concatenate(bits))
        return found


@dataclass(frozen=True)
class Contributions:
    """Of values summed up: each owner's largest |x| and sum of |x|, (sums,) at one scale of a wide ring."""

    largest: Sequence[Share]
    totals: Sequence[Share]
    percent: int


@dataclass(frozen=True)
class Values:
    """Of each layout, each owner's words (items, width) of the values that are summed up; and the least, m."""

    parts: Sequence[Sequence[Share]]
    least: int


async def suppressed_blocks(
    p: Party,
    counts: Sequence[Share],
    least: Array,
    blocks: Blocks,
    sums: Contributions | None = None,
    values: Values | None = None,
) -> Array:
    """Which blocks are withheld, bools (blocks,), for each owner's shared counts (cells,) and their m, int64 (cells,).

    9 rounds, 11 with sums in a ring of 256 bits, 17 with values of more than two owners; reveals masked values and bits
    (uniform), and one declared word a block, 0 or uniform: whether any count of the block is small, any of its sums
    dominated, or one of few rows with another value than the commonest.
    """
    programs = [small(p, counts, least)]
    if sums is not None:
        programs.append(dominated(p, sums))
    if values is not None:
        of_each = zip(values.parts, blocks.values, strict=True)
        programs += [rare(p, parts, layout, values.least) for parts, layout in of_each]
    found = await together(*programs)
    bits = Share(np.concatenate([part.value for part in found]), 0, B8)
    why = "one bit a block of cells: whether for some owner the others have too few in one of them, but not none"
    word = await any_of(p, bits, blocks.bits(len(p.owners)), what=SUPPRESSED, why=why)
    return p.compute(lambda: word.value != 0, shape=(len(blocks.places),))


async def small(p: Party, parts: Sequence[Share], least: Array) -> Share:
    """[0 < T - c_j < m] in bit 0 of each byte, for owner after owner j (owners x cells,).

    7 rounds; reveals masked values and bits (uniform).
    """
    total = total_of(parts)
    others = Share(np.concatenate([(total - part).value for part in parts]), total.scale, total.ring)
    high = np.tile(least - 1, len(parts))
    out = await outside(p, others, np.ones_like(high), high, label="cells/parts")
    return p.plus(out, Public(np.full(high.shape, 1, dtype=np.uint8), 0, B8))


async def dominated(p: Party, of: Contributions) -> Share:
    """[100 max |x_i| > percent (S - S_j)] in bit 0 of each byte, for each pair i != j (pairs x sums,).

    7 + log2(L / 64) rounds in Z_2^L, where both sides are below 2^(L-2); reveals masked values and bits (uniform).
    """
    total = total_of(of.totals)
    ring = total.ring
    pairs = [(i, j) for i in range(len(of.totals)) for j in range(len(of.totals)) if i != j]
    hundred, part = p.constant(100, (), 0, ring), p.constant(of.percent, (), 0, ring)
    room = [((total - of.totals[j]) * part - of.largest[i] * hundred).value for i, j in pairs]
    x = Share(np.concatenate(room), total.scale, ring)
    bits = await below(p, x, np.zeros((1, *x.shape), dtype=object), label="cells/dominance")
    return bits.reshape(x.shape[0])


async def merged_list(p: Party, parts: Sequence[Share], m: int) -> tuple[Share, list[Span]]:
    """A list of counts (K, kinds), of which each owner has a part, as it may be disclosed; and the merged cells.

    Where a stretch of the list is withheld (suppression.py), its total stands at its last cell and 0 at the others; a
    list that is withheld as a whole is all 0. To reveal it is the caller's. 9 rounds; reveals what `suppressed_blocks`
    does. In a dry run no cells are merged.
    """
    cells, kinds = parts[0].shape
    halving = Halving(cells)
    spans = list(halving.questions)
    halves = list(dict.fromkeys(half for span in spans for half in halving.questions[span]))
    sums = [Share(np.concatenate([part[a:b].sum(0).value for a, b in halves]), part.scale) for part in parts]
    place = {half: np.arange(k * kinds, (k + 1) * kinds) for k, half in enumerate(halves)}
    tested_blocks = Blocks(
        tuple(np.concatenate([place[half] for half in halving.questions[span]]) for span in spans), len(halves) * kinds
    )
    suppressed = await suppressed_blocks(p, sums, np.full(len(halves) * kinds, m, dtype=np.int64), tested_blocks)
    total = total_of(parts)
    if p.dry:
        return total, []
    blocks = halving.blocks(suppressed.tolist())
    moves = np.eye(cells, dtype=np.uint64)
    for start, end in blocks:
        moves[start:end] = 0
        moves[end - 1, start:end] = 0 if (start, end) == (0, cells) else 1
    return Share((moves @ total.value), total.scale), blocks
