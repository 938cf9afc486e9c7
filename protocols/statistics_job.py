"""Descriptive statistics of several owners' rows: counts, then sums, then centred squares, then values on their grids.

Each owner counts and sums up its own rows: its vector is its share of the sum over all owners. Only sums are opened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpc.fixed import encode
from mpc.ghost import Array
from mpc.party import Party
from protocols.own_cells import OwnColumns, count_cells, own_reach, square_cells, sum_cells
from protocols.search import digits_for, first_reached
from protocols.secure_sum import secure_sum
from protocols.standardise import SUM_RING, SUM_SCALE
from protocols.statistics_settings import Cells, Sample, StatisticsSettings

Parts = Sequence[tuple[int, Callable[[], Array]]]
"""How many numbers an owner has of each part, and how to get them."""

COUNTS = "counts"
SUMS = "sums"
SQUARES = "centred squares"
FOUND = "values on grids"
MOST_ROWS = 1 << 30
"""Of all owners: squares of 2^40 over so many rows at 96 fractional bits fit the ring of the sums."""


@dataclass(frozen=True)
class Opened:
    """What every owner learns, by the name of the cells.

    Args:
        counts: the rows in each cell.
        sums: of each column's values over them (d, cells), correctly rounded.
        means: likewise; 0 where there is no row.
        squares: of products of distances from the means, for each pair of columns (pairs, cells).
        found: what was looked for on a grid, as the number of its point, in the order of the searches.
    """

    counts: Mapping[str, NDArray[np.int64]]
    sums: Mapping[str, NDArray[np.float64]]
    means: Mapping[str, NDArray[np.float64]]
    squares: Mapping[str, NDArray[np.float64]]
    found: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


async def statistics_job(p: Party, own: OwnColumns | None, settings: StatisticsSettings) -> Opened | None:
    """Open what the settings ask for; a dry party has no rows.

    3 rounds at most for everything that sums give: counts, sums, centred squares, each one vector for all statistics;
    then those of `first_reached`, for all values on grids at once.
    Reveals these sums over all owners: with two owners each learns the other's addend, of every cell.
    """
    own = own or OwnColumns({}, 0)
    p.stage("counts")
    counts = await open_counts(p, own, settings.cells)
    p.stage("sums")
    totals = await open_sums(p, own, settings.samples)
    means = {s.cells.name: _means(p, totals[s.cells.name], counts[s.cells.name], s) for s in settings.samples}
    squares = await open_squares(p, own, [s for s in settings.samples if s.squares], means)
    found = await open_searches(p, own, settings)
    p.stage("done")
    if p.dry:
        return None
    return Opened(counts, {name: _reals(total) for name, total in totals.items()}, means, squares, found)


async def open_counts(p: Party, own: OwnColumns, cells: Sequence[Cells]) -> dict[str, Array]:
    """The rows of all owners in each cell.

    1 round; reveals the counts. **Small cells**: a rule that holds some of them back belongs here, before anything is
    opened. It is handed the vector of this owner's counts and the tables that they form, whose margins follow from
    `Cells.axes`; of a cell that it holds back, the sums and squares must stay closed too (`Sample.cells`).
    """
    mine = _vector(p, [(one.size, partial(count_cells, own, one)) for one in cells], np.int64)
    words = p.compute(lambda: mine.view(np.uint64), shape=mine.shape)
    why = "how many rows of all owners are in each cell of the tables that were asked for"
    total = await secure_sum(p, words, 0, what=COUNTS, why=why, label="counts")
    values = p.compute(lambda: total.value.view(np.int64), shape=mine.shape)
    return _split(p, values, {one.name: one.shape for one in cells})


async def open_sums(p: Party, own: OwnColumns, samples: Sequence[Sample]) -> dict[str, Array]:
    """The sums of all owners' values in each cell, as integers at `SUM_SCALE`.

    1 round, or none without samples; reveals the sums.
    """
    parts = [(int(np.prod(s.sums_shape)), partial(sum_cells, own, s)) for s in samples]
    why = "sums over all owners' rows in each cell, for means and what is made of them"
    shapes = {s.cells.name: s.sums_shape for s in samples}
    return await _open_wide(p, parts, shapes, what=SUMS, why=why, label="sums")


async def open_squares(
    p: Party, own: OwnColumns, samples: Sequence[Sample], means: Mapping[str, Array]
) -> dict[str, Array]:
    """The sums of products of distances from the means, in each cell.

    1 round, or none without samples; reveals the sums.
    """
    if samples:
        p.stage("squares")
    parts = [(int(np.prod(s.squares_shape)), partial(square_cells, own, s, means[s.cells.name])) for s in samples]
    why = "sums over all owners' rows in each cell, for variances and covariances"
    shapes = {s.cells.name: s.squares_shape for s in samples}
    opened = await _open_wide(p, parts, shapes, what=SQUARES, why=why, label="squares")
    return {name: p.compute(_reals, total, shape=shapes[name]) for name, total in opened.items()}


async def open_searches(p: Party, own: OwnColumns, settings: StatisticsSettings) -> Array:
    """The smallest and largest values and quantiles, each as the number of its point on the column's grid.

    The least point k with b C(k) >= a n, where C(k) of n values do not exceed it and a / b is the quantile's share; for
    the smallest C(k) >= 1, with C counting the points that values lie on or above. 8 rounds a hexadecimal digit of the
    longest grid, none without searches; reveals the answers.
    """
    searches = settings.searches
    if not searches:
        return np.zeros(0, dtype=np.int64)
    last = np.array([settings.grid_of(one.column).count - 1 for one in searches])
    reach = [] if p.dry else [own_reach(own, settings, one, first=p.index == 0) for one in searches]
    why = "the smallest, the largest, and values that a stated share of all do not exceed, on their columns' grids"
    found = await first_reached(
        p,
        lambda points: np.array([at(row) for at, row in zip(reach, points, strict=True)]),
        len(searches),
        digits_for(int(last.max()) + 1),
        what=FOUND,
        why=why,
    )
    return p.compute(lambda: np.minimum(found, last), shape=last.shape)


async def _open_wide(
    p: Party,
    parts: Parts,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    what: str,
    why: str,
    label: str,
) -> dict[str, Array]:
    if not parts:
        return {}
    mine = _vector(p, parts, np.float64)
    words = p.compute(lambda: encode(mine, SUM_SCALE, SUM_RING), shape=mine.shape)
    total = await secure_sum(p, words, SUM_SCALE, SUM_RING, what=what, why=why, label=label)
    return _split(p, p.compute(lambda: SUM_RING.centred(total.value), shape=mine.shape), shapes)


def _vector(p: Party, parts: Parts, dtype: type) -> Array:
    """This owner's numbers, one part after the other; each part says how many there are, and how to get them."""
    size = sum(count for count, _ in parts)
    return p.compute(
        lambda: np.concatenate([np.asarray(make(), dtype=dtype).reshape(-1) for _, make in parts]), shape=(size,)
    )


def _split(p: Party, values: Array, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """A vector cut into its parts, each in its shape."""
    found, start = {}, 0
    for name, shape in shapes.items():
        end = start + int(np.prod(shape))
        found[name] = values[start:end].reshape(shape)
        start = end
    return found


def _means(p: Party, totals: Array, counts: Array, sample: Sample) -> Array:
    """Sum by count in each cell, correctly rounded: the same bits at every owner; 0 where there is no row."""

    def divided() -> Array:
        numbers = np.broadcast_to(counts, sample.sums_shape).reshape(-1)
        pairs = zip(totals.reshape(-1), numbers, strict=True)
        means = [int(t) / (int(n) << SUM_SCALE) if n else 0.0 for t, n in pairs]
        return np.array(means, dtype=np.float64).reshape(sample.sums_shape)

    return p.compute(divided, shape=sample.sums_shape)


def _reals(totals: Array) -> Array:
    """Integers at `SUM_SCALE` as doubles, correctly rounded."""
    flat = [int(t) / (1 << SUM_SCALE) for t in totals.reshape(-1)]
    return np.array(flat, dtype=np.float64).reshape(totals.shape)
