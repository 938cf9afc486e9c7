"""Descriptive statistics of several owners' rows: counts, then sums, then centred squares, then values on their grids.

Each owner counts and sums up its own rows: its vector is its share of the sum over all owners. Only sums are opened,
and of those only what the tests of all counts let through (cell_tests.py); every owner enters 0 for the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from mpc.ring.fixed_point import encode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.grid_search import Wanted, grid_search
from protocols.core.secure_sum import inputs, secure_sum
from protocols.disclosure.small_cells import Blocks, Contributions, Values, suppressed_blocks
from protocols.scaling.standardise import SUM_RING, SUM_SCALE
from protocols.statistics.blocks import CellTests, Summed
from protocols.statistics.cell_tests import cell_tests
from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.own_cells import (
    OwnColumns,
    contributions,
    count_cells,
    cut,
    reached_counts,
    square_cells,
    sum_cells,
    value_words,
)
from protocols.statistics.quantile_tests import SideTests, side_tests
from protocols.statistics.settings import Cells, Sample, StatisticsSettings, Survival
from protocols.statistics.survival import Followed, LogRankOpened, follow, open_log_ranks

Parts = Sequence[tuple[int, Callable[[], Array]]]
"""For each part: the number of an owner's values, and a function that gives them."""

COUNTS = "counts"
SUMS = "sums"
SQUARES = "centred squares"
FOUND = "values on grids"
_ROUNDED = 2.0**-50  # of a mean: a row's distance from it is not known better
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
        disclosure: which of them are disclosed; the others are 0.
    """

    counts: Mapping[str, NDArray[np.int64]]
    sums: Mapping[str, NDArray[np.float64]]
    means: Mapping[str, NDArray[np.float64]]
    squares: Mapping[str, NDArray[np.float64]]
    found: NDArray[np.int64]
    disclosure: Disclosure
    between: Mapping[Survival, bool] = field(default_factory=dict)
    log_ranks: Mapping[Survival, LogRankOpened] = field(default_factory=dict)


async def statistics_job(p: Party, own: OwnColumns | None, settings: StatisticsSettings) -> Opened | None:
    """Open what the settings ask for; a dry party has no rows.

    With `min_cell`, the 9 to 17 rounds of `suppressed_blocks`; with curves those of `follow`; then 3 at most for
    everything that sums give: counts, sums, centred squares, each one vector for all statistics; 2 for log-rank tests;
    then those of `open_searches`, for all values on grids at once. Reveals which blocks of cells are withheld, what
    `follow` and `open_log_ranks` do, and the sums over all owners of all others: with two owners each learns the
    other's addend, of every cell that is disclosed.
    """
    own = own or OwnColumns({}, 0)
    disclosure = await test_cells(p, own, settings)
    followed = await follow(p, own, settings, disclosure) if settings.curves else Followed()
    disclosure = replace(disclosure, ends=followed.ends)
    p.stage("counts")
    counts = await open_counts(p, own, settings.cells, disclosure)
    log_ranks = await open_log_ranks(p, settings, followed, counts, disclosure)
    p.stage("sums")
    totals = await open_sums(p, own, settings.samples, disclosure)
    means = {s.cells.name: _means(p, totals[s.cells.name], counts[s.cells.name], s) for s in settings.samples}
    squares = await open_squares(p, own, [s for s in settings.samples if s.squares], means, counts, disclosure)
    found, disclosure = await open_searches(p, own, settings, counts, disclosure)
    p.stage("done")
    if p.dry:
        return None
    return Opened(
        counts,
        {name: _reals(total) for name, total in totals.items()},
        means,
        squares,
        found,
        disclosure,
        followed.between,
        log_ranks,
    )


async def test_cells(p: Party, own: OwnColumns, settings: StatisticsSettings) -> Disclosure:
    """What may be disclosed of all that the settings ask for.

    0 rounds without `min_cell`, else those of `suppressed_blocks`; reveals what it does.
    """
    if not settings.min_cell:
        return Disclosure(settings, {})
    p.stage("small cells")
    tests = cell_tests(settings)
    shape = (len(tests.totals),)
    mine = p.compute(
        lambda: tests.totalled([count_cells(own, one) for one in tests.tables]).view(np.uint64), shape=shape
    )
    counts = inputs(p, mine, shape, 0)
    sums = _contributions(p, own, tests.sums, settings.dominance) if tests.sums else None
    values = _values(p, own, tests, settings.min_cell) if tests.values else None
    closed = await suppressed_blocks(p, counts, tests.least, tests.blocks, sums, values)
    return Disclosure(settings, {} if p.dry else dict(zip(tests.questions, closed.tolist(), strict=True)))


def _contributions(p: Party, own: OwnColumns, sums: Sequence[Summed], percent: int) -> Contributions:
    """Each owner's largest values and sums of |x|, shared."""
    shape = (len(sums),)
    mine = p.compute(lambda: encode(np.stack(contributions(own, sums)), SUM_SCALE, SUM_RING), shape=(2, *shape))
    shared = inputs(p, mine, (2, *shape), SUM_SCALE, SUM_RING)
    return Contributions([one[0] for one in shared], [one[1] for one in shared], percent)


def _values(p: Party, own: OwnColumns, tests: CellTests, least: int) -> Values:
    """Each owner's commonest values and their counts, shared."""
    shapes = [(one.items, one.width) for one in tests.layouts]
    words = [None] * len(shapes) if p.dry else value_words(own, tests, len(p.owners))
    return Values([inputs(p, mine, shape, 0) for shape, mine in zip(shapes, words, strict=True)], least)


async def open_counts(p: Party, own: OwnColumns, cells: Sequence[Cells], disclosure: Disclosure) -> dict[str, Array]:
    """The rows of all owners in each disclosed cell; a merged stretch's total stands at its last cell.

    1 round; reveals the counts.
    """
    mine = _vector(p, [(one.size, partial(_counts, own, one, disclosure)) for one in cells], np.int64)
    words = p.compute(lambda: mine.view(np.uint64), shape=mine.shape)
    why = "how many rows of all owners are in each cell of the tables that were asked for"
    total = await secure_sum(p, words, 0, what=COUNTS, why=why, label="counts")
    values = p.compute(lambda: total.value.view(np.int64), shape=mine.shape)
    return cut(values, {one.name: one.shape for one in cells})


async def open_sums(p: Party, own: OwnColumns, samples: Sequence[Sample], disclosure: Disclosure) -> dict[str, Array]:
    """The sums of all owners' values in each disclosed cell, as integers at `SUM_SCALE`.

    1 round, or none without samples; reveals the sums.
    """
    parts = [(int(np.prod(s.sums_shape)), partial(_sums, own, s, disclosure)) for s in samples]
    why = "sums over all owners' rows in each cell, for means and what is made of them"
    shapes = {s.cells.name: s.sums_shape for s in samples}
    return await _open_wide(p, parts, shapes, what=SUMS, why=why, label="sums")


async def open_squares(
    p: Party,
    own: OwnColumns,
    samples: Sequence[Sample],
    means: Mapping[str, Array],
    counts: Mapping[str, Array],
    disclosure: Disclosure,
) -> dict[str, Array]:
    """The sums of products of distances from the means, in each disclosed cell.

    1 round, or none without samples; reveals the sums.
    """
    if samples:
        p.stage("squares")
    parts = [
        (int(np.prod(s.squares_shape)), partial(_squares, own, s, means[s.cells.name], disclosure)) for s in samples
    ]
    why = "sums over all owners' rows in each cell, for variances and covariances"
    shapes = {s.cells.name: s.squares_shape for s in samples}
    opened = await _open_wide(p, parts, shapes, what=SQUARES, why=why, label="squares")
    found = {}
    for s in samples:
        name = s.cells.name
        values = p.compute(_reals, opened[name], shape=s.squares_shape)
        found[name] = p.compute(_varying, values, means[name], counts[name], s, shape=s.squares_shape)
    return found


async def open_searches(
    p: Party, own: OwnColumns, settings: StatisticsSettings, counts: Mapping[str, Array], disclosure: Disclosure
) -> tuple[Array, Disclosure]:
    """The smallest and largest values and quantiles, as numbers of points of the column's grid; and what is disclosed.

    The quantile of a share q of n values is the least point that ceil(q n) of them do not exceed, in whole numbers; the
    largest value that n do, the smallest that one does, rounded down. With `min_cell` a quantile is disclosed only if
    none, or at least `min_cell`, of the values of each owner's others lie on either side of it, up to the next quantile
    (quantile_tests.py). For a withheld quantile every owner's part is 0, and so is the answer.

    19 rounds, 28 with quantiles and `min_cell`, none without searches; reveals which quantiles are withheld, and the
    answers.
    """
    searches = settings.searches
    if not searches:
        return np.zeros(0, dtype=np.int64), disclosure
    p.stage("search")
    least = p.compute(lambda: _ranks(settings, counts), shape=(len(searches),))
    lists = list(dict.fromkeys(one.counted for one in searches))
    places = [np.flatnonzero([one.counted == key for one in searches]) for key in lists]
    wanted = [
        Wanted(settings.grid_of(key[0]).count, least[place], partial(reached_counts, own, settings, *key))
        for key, place in zip(lists, places, strict=True)
    ]
    found = await grid_search(p, wanted)
    order = np.argsort(np.concatenate(places))
    points, up_to, below = (
        Share(np.concatenate(parts)[order], 0)
        for parts in zip(*((one.points.value, one.up_to.value, one.below.value) for one in found), strict=True)
    )
    disclosure = await _test_sides(p, own, settings, up_to, below, disclosure)
    open_ones = p.compute(lambda: disclosure.disclosed_searches.astype(np.uint64), shape=(len(searches),))
    why = "the smallest, the largest, and values that a stated share of all do not exceed, on their columns' grids"
    (answer,) = await p.reveal(Share(points.value * open_ones, 0), what=FOUND, why=why, label="search/answer")
    last = np.array([settings.grid_of(one.column).count - 1 for one in searches])
    return p.compute(lambda: np.minimum(answer.value.view(np.int64), last), shape=last.shape), disclosure


async def _test_sides(
    p: Party, own: OwnColumns, settings: StatisticsSettings, up_to: Share, below: Share, disclosure: Disclosure
) -> Disclosure:
    """What is disclosed, without quantiles that have few values of some owner's others on a side.

    Args:
        up_to, below: each owner's numbers of values up to the answers, and below them (searches, owners).

    9 rounds with `min_cell` and quantiles, else 0; reveals what `suppressed_blocks` does.
    """
    tests = side_tests(settings)
    if not tests.questions:
        return disclosure
    p.stage("sides")
    groups = len(tests.cells)
    rows = p.compute(lambda: _rows_of(own, tests).view(np.uint64), shape=(groups,))
    parts = [
        Share(tests.sides(up_to.value[:, k], below.value[:, k], all_of.value), 0)
        for k, all_of in enumerate(inputs(p, rows, (groups,), 0))
    ]
    least = np.full(tests.count, settings.min_cell, dtype=np.int64)
    blocks = Blocks(tuple(np.array(one, dtype=np.int64) for one in tests.questions.values()), tests.count)
    closed = await suppressed_blocks(p, parts, least, blocks)
    if p.dry:
        return disclosure
    found = dict(zip(tests.questions, closed.tolist(), strict=True))
    return replace(
        disclosure, suppressed={key: was or found.get(key, False) for key, was in disclosure.suppressed.items()}
    )


def _ranks(settings: StatisticsSettings, counts: Mapping[str, Array]) -> Array:
    """The number of values that the answer to each search must reach: ceil(q n), in whole numbers."""
    found = []
    for one in settings.searches:
        count = int(counts[settings.described[one.column].cells.name].reshape(-1)[one.group])
        found.append(
            min(1, count) if one.rank == "min" else count if one.rank == "max" else math.ceil(one.rank * count)
        )
    return np.array(found, dtype=np.int64)


def _rows_of(own: OwnColumns, tests: SideTests) -> Array:
    return np.array([count_cells(own, cells).reshape(-1)[g] for cells, g in tests.cells], dtype=np.int64)


def _varying(squares: Array, means: Array, counts: Array, sample: Sample) -> Array:
    """The sums of products about the means; 0 of a constant column, which is off its mean by that one's rounding."""
    constant = squares[: len(means)] <= counts * (np.abs(means) * _ROUNDED) ** 2
    pairs = [constant[i] | constant[j] for i, j in sample.products]
    return np.where(np.stack(pairs), 0.0, squares)


def _counts(own: OwnColumns, cells: Cells, disclosure: Disclosure) -> Array:
    return disclosure.kept(cells, count_cells(own, cells))


def _sums(own: OwnColumns, sample: Sample, disclosure: Disclosure) -> Array:
    return np.where(disclosure.disclosed_sums(sample), sum_cells(own, sample), 0.0)


def _squares(own: OwnColumns, sample: Sample, means: Array, disclosure: Disclosure) -> Array:
    return np.where(disclosure.disclosed_sums(sample), square_cells(own, sample, means), 0.0)


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
    return cut(p.compute(lambda: SUM_RING.centred(total.value), shape=mine.shape), shapes)


def _vector(p: Party, parts: Parts, dtype: type) -> Array:
    """This owner's numbers, one part after the other; each part says how many there are, and how to get them."""
    size = sum(count for count, _ in parts)
    return p.compute(
        lambda: np.concatenate([np.asarray(make(), dtype=dtype).reshape(-1) for _, make in parts]), shape=(size,)
    )


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
