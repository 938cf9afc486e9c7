"""Descriptive statistics of several owners' rows: counts, then sums, then centred squares, then values on their grids.

Each owner counts and sums up its own rows: its vector is its share of the sum over all owners. Only sums are opened,
and of those only what a test of all counts lets through (cell_tests.py): in place of the others every owner enters 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpc.fixed import encode
from mpc.ghost import Array
from mpc.party import Party
from protocols.cell_tests import CellTests, Summed, cell_tests
from protocols.own_cells import OwnColumns, contributions, count_cells, own_reach, square_cells, sum_cells, value_words
from protocols.search import digits_for, first_reached
from protocols.secure_sum import secure_sum
from protocols.small_cells import Contributions, Values, withheld_blocks
from protocols.standardise import SUM_RING, SUM_SCALE
from protocols.statistics_settings import Cells, Sample, StatisticsSettings, Survival
from protocols.survival import Followed, LogRankOpened, follow, open_log_ranks
from protocols.told_cells import Told

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
        between: of each survival, whether times lie between its grid's points.
        log_ranks: of each survival with arms, and with `min_cell`, the log-rank test's sums.
        told: which of them are told; the others are 0.
    """

    counts: Mapping[str, NDArray[np.int64]]
    sums: Mapping[str, NDArray[np.float64]]
    means: Mapping[str, NDArray[np.float64]]
    squares: Mapping[str, NDArray[np.float64]]
    found: NDArray[np.int64]
    told: Told
    between: Mapping[Survival, bool] = field(default_factory=dict)
    log_ranks: Mapping[Survival, LogRankOpened] = field(default_factory=dict)


async def statistics_job(p: Party, own: OwnColumns | None, settings: StatisticsSettings) -> Opened | None:
    """Open what the settings ask for; a dry party has no rows.

    With `min_cell`, the 9 to 17 rounds of `withheld_blocks`; with curves those of `follow`; then 3 at most for
    everything that sums give: counts, sums, centred squares, each one vector for all statistics; 2 for log-rank tests;
    then those of `first_reached`, for all values on grids at once. Reveals which blocks of cells are withheld, what
    `follow` and `open_log_ranks` do, and the sums over all owners of all others: with two owners each learns the
    other's addend, of every cell that is told.
    """
    own = own or OwnColumns({}, 0)
    told = await test_cells(p, own, settings)
    followed = await follow(p, own, settings, told) if settings.curves else Followed()
    told = replace(told, ends=followed.ends)
    p.stage("counts")
    counts = await open_counts(p, own, settings.cells, told)
    log_ranks = await open_log_ranks(p, settings, followed, counts, told)
    p.stage("sums")
    totals = await open_sums(p, own, settings.samples, told)
    means = {s.cells.name: _means(p, totals[s.cells.name], counts[s.cells.name], s) for s in settings.samples}
    squares = await open_squares(p, own, [s for s in settings.samples if s.squares], means, told)
    found = await open_searches(p, own, settings, told)
    p.stage("done")
    if p.dry:
        return None
    return Opened(
        counts,
        {name: _reals(total) for name, total in totals.items()},
        means,
        squares,
        found,
        told,
        followed.between,
        log_ranks,
    )


async def test_cells(p: Party, own: OwnColumns, settings: StatisticsSettings) -> Told:
    """What may be told of all that the settings ask for.

    0 rounds without `min_cell`, else those of `withheld_blocks`; reveals what it does.
    """
    if not settings.min_cell:
        return Told(settings, {})
    p.stage("small cells")
    tests = cell_tests(settings)
    shape = (len(tests.totals),)
    mine = p.compute(
        lambda: tests.totalled([count_cells(own, one) for one in tests.tables]).view(np.uint64), shape=shape
    )
    counts = [p.input(owner, mine if owner == p.name else None, shape, 0) for owner in p.owners]
    sums = _contributions(p, own, tests.sums, settings.dominance) if tests.sums else None
    values = _values(p, own, tests, settings.min_cell) if tests.values else None
    closed = await withheld_blocks(p, counts, tests.least, tests.blocks, sums, values)
    return Told(settings, {} if p.dry else dict(zip(tests.asked, closed.tolist(), strict=True)))


def _contributions(p: Party, own: OwnColumns, sums: Sequence[Summed], percent: int) -> Contributions:
    """Each owner's largest values and sums of |x|, shared."""
    shape = (len(sums),)
    mine = p.compute(lambda: encode(np.stack(contributions(own, sums)), SUM_SCALE, SUM_RING), shape=(2, *shape))
    shared = [p.input(owner, mine if owner == p.name else None, (2, *shape), SUM_SCALE, SUM_RING) for owner in p.owners]
    return Contributions([one[0] for one in shared], [one[1] for one in shared], percent)


def _values(p: Party, own: OwnColumns, tests: CellTests, least: int) -> Values:
    """Each owner's commonest values and their counts, shared."""
    shapes = [(one.items, one.width) for one in tests.layouts]
    words = [None] * len(shapes) if p.dry else value_words(own, tests, len(p.owners))
    parts = []
    for shape, mine in zip(shapes, words, strict=True):
        parts.append([p.input(owner, mine if owner == p.name else None, shape, 0) for owner in p.owners])
    return Values(parts, least)


async def open_counts(p: Party, own: OwnColumns, cells: Sequence[Cells], told: Told) -> dict[str, Array]:
    """The rows of all owners in each cell that is told; of a stretch that is merged, at its last cell.

    1 round; reveals the counts.
    """
    mine = _vector(p, [(one.size, partial(_counts, own, one, told)) for one in cells], np.int64)
    words = p.compute(lambda: mine.view(np.uint64), shape=mine.shape)
    why = "how many rows of all owners are in each cell of the tables that were asked for"
    total = await secure_sum(p, words, 0, what=COUNTS, why=why, label="counts")
    values = p.compute(lambda: total.value.view(np.int64), shape=mine.shape)
    return _split(p, values, {one.name: one.shape for one in cells})


async def open_sums(p: Party, own: OwnColumns, samples: Sequence[Sample], told: Told) -> dict[str, Array]:
    """The sums of all owners' values in each cell that is told, as integers at `SUM_SCALE`.

    1 round, or none without samples; reveals the sums.
    """
    parts = [(int(np.prod(s.sums_shape)), partial(_sums, own, s, told)) for s in samples]
    why = "sums over all owners' rows in each cell, for means and what is made of them"
    shapes = {s.cells.name: s.sums_shape for s in samples}
    return await _open_wide(p, parts, shapes, what=SUMS, why=why, label="sums")


async def open_squares(
    p: Party, own: OwnColumns, samples: Sequence[Sample], means: Mapping[str, Array], told: Told
) -> dict[str, Array]:
    """The sums of products of distances from the means, in each cell that is told.

    1 round, or none without samples; reveals the sums.
    """
    if samples:
        p.stage("squares")
    parts = [(int(np.prod(s.squares_shape)), partial(_squares, own, s, means[s.cells.name], told)) for s in samples]
    why = "sums over all owners' rows in each cell, for variances and covariances"
    shapes = {s.cells.name: s.squares_shape for s in samples}
    opened = await _open_wide(p, parts, shapes, what=SQUARES, why=why, label="squares")
    return {name: p.compute(_reals, total, shape=shapes[name]) for name, total in opened.items()}


async def open_searches(p: Party, own: OwnColumns, settings: StatisticsSettings, told: Told) -> Array:
    """The smallest and largest values and quantiles, each as the number of its point on the column's grid.

    The least point k with b C(k) >= a n, where C(k) of n values do not exceed it and a / b is the quantile's share; for
    the smallest C(k) >= 1, with C counting the points that values lie on or above. 8 rounds a hexadecimal digit of the
    longest grid, none without searches; reveals the answers. Of one that is withheld every owner's part is 0, and so is
    the answer.
    """
    searches = settings.searches
    if not searches:
        return np.zeros(0, dtype=np.int64)
    last = np.array([settings.grid_of(one.column).count - 1 for one in searches])
    reach = [] if p.dry else [own_reach(own, settings, one, first=p.index == 0) for one in searches]
    why = "the smallest, the largest, and values that a stated share of all do not exceed, on their columns' grids"
    found = await first_reached(
        p,
        lambda points: np.array([at(row) for at, row in zip(reach, points, strict=True)]) * told.told_searches[:, None],
        len(searches),
        digits_for(int(last.max()) + 1),
        what=FOUND,
        why=why,
    )
    return p.compute(lambda: np.minimum(found, last), shape=last.shape)


def _counts(own: OwnColumns, cells: Cells, told: Told) -> Array:
    return told.kept(cells, count_cells(own, cells))


def _sums(own: OwnColumns, sample: Sample, told: Told) -> Array:
    return np.where(told.told_sums(sample), sum_cells(own, sample), 0.0)


def _squares(own: OwnColumns, sample: Sample, means: Array, told: Told) -> Array:
    return np.where(told.told_sums(sample), square_cells(own, sample, means), 0.0)


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
