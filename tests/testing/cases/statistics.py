"""Descriptive statistics, where curves are told, and the log-rank test's sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own
from protocols.core.monotone_search import FAN
from protocols.disclosure.forward_merge import stretches
from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.job import statistics_job
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.settings import Grid, StatisticsSettings, Survival
from protocols.statistics.survival import follow
from protocols.survival.log_rank import Digits, log_rank_sums, open_log_rank
from tests.testing.cases.case import Case, Cost, View, each_in_turn, two_others_trade
from tests.testing.cases.core import SIDE
from tests.testing.cases.costs import COMPARED, COMPARED_DEALT, WIDE, WORD, bits

# -- tables

LARGEST = FAN - 1
NAMES = ("age", "dose", "sex")


def _settings(owners: tuple[str, ...], rows: int) -> StatisticsSettings:
    """Of two columns and a category: their means and deviations by group, their correlation, and a median."""
    return StatisticsSettings(
        owners,
        "helper",
        (rows,) * len(owners),
        columns=("age",),
        statistics=("count", "mean", "sd"),
        quantiles=(0.5,),
        by="sex",
        levels=(("sex", ("f", "m")),),
        grids=(("age", Grid(0, LARGEST, 1)),),
        correlations=("age", "dose"),
    )


async def _statistics(p: Party, mine: Array, sexes: Array) -> tuple[Array, ...]:
    """Of rows (m, 2) and a code for each."""

    def columns() -> OwnColumns:
        real = mine.view(np.int64).astype(float)
        values = (real[:, 0], real[:, 1], sexes.astype(float))
        return OwnColumns(dict(zip(NAMES, values, strict=True)), len(real))

    found = await statistics_job(p, None if p.dry else columns(), _settings(p.owners, mine.shape[0]))
    if found is None:
        return ()
    parts = (found.counts, found.means, found.squares)
    return (*(np.concatenate([a.ravel() for a in part.values()]) for part in parts), found.found)


def _statistics_reference(rows: tuple[Array, ...], sexes: tuple[Array, ...]) -> tuple[Array, ...]:
    x, sex = np.concatenate(rows), np.concatenate(sexes)
    counts, means, squares, medians = [], [], [], []
    for group in (x[sex == code] for code in (0, 1)):
        counts.append(len(group))
        means.append(group.mean(axis=0) if len(group) else np.zeros(2))
        centred = group - means[-1]
        squares.append(centred.T @ centred)
        lower = np.quantile(group[:, 0], 0.5, method="inverted_cdf") if len(group) else 0.0
        medians.append(lower)
    age, dose = zip(*means, strict=True)
    aa, dd, ad = ([s[i, j] for s in squares] for i, j in ((0, 0), (1, 1), (0, 1)))
    # The groups' sizes, those of `age` and of both columns; of `age` alone, then of both.
    return np.array(3 * counts), np.array([*age, *age, *dose]), np.array([*aa, *aa, *dd, *ad]), np.array(medians)


TRADED = [[[k, 1.0]] * 2 for k in (1.0, 3.0, 5.0)]
"""Rows of three owners, of which all sums are exact."""

# -- curves and tests

M = 4
DIGITS = Digits(6)
LOG_RANK_WORD = 16
PLACES = 10
LISTS = 3  # that a view looks at: the first round has a word for each


async def _stretches(p: Party, mine: Array) -> Array:
    """Of lists of counts (l, m)."""
    found = await stretches(p, p.compute(lambda: mine.view(np.int64), shape=mine.shape), M)
    return p.compute(lambda: found.astype(float), shape=mine.shape)


def _stretches_reference(parts: tuple[Array, ...]) -> Array:
    return np.array([_ends(counts) for counts in zip(*parts, strict=True)])


def _ends(parts: tuple[Array, ...]) -> Array:
    others = (np.sum(parts, axis=0) - np.stack(parts)).cumsum(axis=1)
    least = np.where(others[:, -1] == 0, 0, M)
    ends, begin = np.zeros(len(parts[0])), np.zeros(len(parts))
    for t in range(len(ends) - 1):
        if (others[:, t] - begin >= least).all() and (others[:, -1] - others[:, t] >= least).all():
            ends[t], begin = 1.0, others[:, t]
    ends[-1] = 1.0
    return ends


async def _log_rank(p: Party, mine: Array) -> Array:
    """Of the lost and those with the event of two arms, at each time (m, 2, 2)."""
    times = mine.shape[0]

    def counts() -> Array:
        return np.moveaxis(mine.view(np.int64), 0, 2).astype(object)  # by arm and kind

    def waiting() -> Array:
        return 2 * np.asarray(counts().sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1])

    doubled = Share(p.compute(lambda: waiting()[None], shape=(1, 2, times)), 0, DIGITS.ring)
    events = Share(p.compute(lambda: counts()[:, 1].sum(axis=0)[None], shape=(1, times)), 0, DIGITS.ring)
    sums = await log_rank_sums(p, doubled, events, DIGITS)
    return (await open_log_rank(p, sums, np.full((1, 2), PLACES), np.ones((1, 2), dtype=bool)))[0]


def _log_rank_reference(parts: tuple[Array, ...]) -> Array:
    counts = np.moveaxis(np.sum(parts, axis=0), 0, 2)
    n = counts.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    d, every = counts[:, 1].sum(axis=0), n.sum(axis=0)
    part = n[0] / np.maximum(every, 1)
    weight = d * (every - d) / np.maximum(every - 1, 1)
    return np.array([(d * part).sum(), (weight * part * (1 - part)).sum()])


def _survival_settings(owners: tuple[str, ...], rows: int) -> StatisticsSettings:
    return StatisticsSettings(
        owners,
        "helper",
        (rows,) * len(owners),
        levels=(("arm", ("old", "new")),),
        grids=(("months", Grid(0, 2, 1)),),
        survival=(Survival("months", "died", "arm"),),
        min_cell=M,
    )


async def _follow(p: Party, months: Array, died: Array, arms: Array) -> Any:
    """Of rows (m,): twice the month, whether it came, and the arm."""
    settings = _survival_settings(p.owners, months.shape[0])
    values = (months.view(np.int64) / 2.0, died.astype(float), arms.astype(float)) if not p.dry else ()
    mine = OwnColumns(dict(zip(("months", "died", "arm"), values, strict=False)), months.shape[0])
    found = await follow(p, mine, settings, Disclosure(settings, {}))
    if p.dry:
        return ()
    return found.ends["months to died by arm"].astype(float), np.array([float(*found.between.values())])


def _follow_reference(months: tuple[Array, ...], died: tuple[Array, ...], arms: tuple[Array, ...]) -> tuple[Array, ...]:
    up = [np.ceil(one / 2) for one in months]
    ends = [
        _ends(
            tuple(
                np.array([((t == k) & (d == 1) & (a == arm)).sum() for k in range(3)])
                for t, d, a in zip(up, died, arms, strict=True)
            )
        )
        for arm in (0, 1)
    ]
    whole = [(one % 2 == 0) | (one > 4) for one in months]
    return np.array([ends]), np.array([float(not all(one.all() for one in whole))])


def stretches_cost(lists: int, count: int) -> tuple[int, int]:
    """Of two owners and one window: bytes that each sends, and that the helper does."""
    pairs = count * (count + 1) // 2
    spans = lists * (pairs + count - 1)
    sent = 2 * lists * COMPARED + bits(2 * lists) + 2 * spans * COMPARED + 2 * spans + 2 * lists * pairs
    dealt = 2 * (lists + spans) * COMPARED_DEALT + 2 * lists * WORD + spans + lists * pairs
    return sent + count * bits(lists * count), dealt


def sums_cost(times: int) -> tuple[int, int]:
    """Of two arms: the quotients, numerators and products; of what is opened, what is dealt has two parts."""
    series = DIGITS.rows + 5
    sent = times * (series * (4 + 2 + 4) + 2 + 4 + 2 + 3 + 1 + 2) + 2
    return sent * LOG_RANK_WORD, (
        times * (series * (4 + 2 * 4) + 1 + 2 + 2 * 2 + 2 + 2 * 1 + 1) + 2 * 2
    ) * LOG_RANK_WORD


OF_SUMS, OF_CURVES = sums_cost(3), stretches_cost(2, 3)

LOST = [[[0, 1], [1, 1]], [[1, 0], [0, 0]], [[0, 0], [1, 0]]]
LOST_LATER = [LOST[0], LOST[2], [[1, 0], [0, 0]]]
"""One is lost later, after all events."""
FOLLOWED = ([0, 0, 0, 0, 0, 2, 2, 4], [0, 0, 0, 0, 0, 4, 4, 4])
"""One is lost later and one has the event later, where it ends no stretch sooner."""
SEARCHED = 2 * 2 * (SIDE - 1)  # comparisons, of two medians
CELLS, MEANS, SQUARES = 3 * 2, 2 + 4, 2 + 6
CASES = {
    "tables": Case(
        _statistics,
        _statistics_reference,
        [own(integers(("m", 2), 0, LARGEST)), own(integers(("m",), 0, 1))],
        1e-9,
        Cost(
            3 + 19,
            CELLS * WORD
            + (MEANS + SQUARES) * WIDE
            + SEARCHED * COMPARED
            + 2 * (2 + (SIDE + SIDE * 2 * (SIDE + 1)) * WORD + (SIDE + 2 * 2 * SIDE) * WORD)  # cases/core.py
            + 2 * WORD,
            SEARCHED * (COMPARED_DEALT + WORD) + 2 * (2 * (SIDE + 1) + 2 * 2 * SIDE) * WORD,
            {"m": 3},
            owners=(2,),
        ),
        # the sums are declared; the search's masks are looked at in cases/core.py
        View(
            owners=(3,),
            secrets=lambda n: two_others_trade(TRADED, [[0, 1]] * 3),
            sizes={"m": 2},
            words=150,
            shift=0.9,
            structure="by round",
            addends=True,
        ),
        every=5,
    ),
    "stretches": Case(
        _stretches,
        _stretches_reference,
        [own(integers(("l", "m"), 0, 6))],
        0.0,
        Cost(16 + 1 + 3, *stretches_cost(1, 3), {"l": 1, "m": 3}, owners=(2,)),
        View(
            soak_from=2,
            secrets=lambda n: each_in_turn(n, ([[6, 2, 5]] * LISTS, [[7, 2, 6]] * LISTS)),
            sizes={"l": LISTS, "m": 3},
            structure_sizes={"l": 1, "m": 2},
            words=300,
            shift=0.5,
        ),
    ),
    "log-rank": Case(
        _log_rank,
        _log_rank_reference,
        [own(integers(("m", 2, 2), 0, 1))],
        1.01 * 2.0**-PLACES,
        Cost(
            2 * (DIGITS.rows + 5) + 7 + 2,
            OF_SUMS[0] + (2 + 2) * LOG_RANK_WORD,
            OF_SUMS[1] + 2 * 2 * LOG_RANK_WORD,
            {"m": 3},
            owners=(2,),
        ),
        View(soak_from=2, secrets=lambda n: each_in_turn(n, (LOST, LOST_LATER)), sizes={"m": 3}, words=260, shift=0.5),
        owners=(2, 3),
    ),
    "curves and tests": Case(
        _follow,
        _follow_reference,
        [own(integers(("m",), 0, 6)), own(integers(("m",), 0, 1)), own(integers(("m",), 0, 1))],
        0.0,
        Cost(
            2 + 2 * (DIGITS.rows + 5) + 7,
            OF_CURVES[0] + OF_SUMS[0] + 1 + WORD,
            OF_CURVES[1] + OF_SUMS[1] + 2 * WORD,
            {"m": 8},
            owners=(2,),
        ),
        View(
            soak_from=2,
            secrets=lambda n: each_in_turn(n, FOLLOWED, ([1, 1, 1, 1, 1, 1, 0, 1],) * 2, ([0] * 8,) * 2),
            sizes={"m": 8},
            words=200,
            shift=0.6,
            structure="by round",  # word by word for its two parts
        ),
        owners=(2, 3),
    ),
}
