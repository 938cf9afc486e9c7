"""Where curves are told, and the log-rank test's sums, under all four checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import integers, own
from protocols.forward_merge import stretches
from protocols.log_rank import Digits, log_rank_sums, open_log_rank
from protocols.own_cells import OwnColumns
from protocols.statistics_settings import Grid, StatisticsSettings, Survival
from protocols.survival import follow
from protocols.told_cells import Told
from tests.testing.spoken import Secrets, Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view

M = 4
LISTS = 3  # that a view looks at: the first round has a word for each
WORD, WIDE = 8, 16
COMPARED, DEALT = WORD + 12 + 6 + 3 + 3 + 3 + 2, WORD + 8 + 4 + 2 + 2 + 2 + 1
DIGITS = Digits(6)
PLACES = 10


async def _stretches(p: Party, mine: Array) -> Array:
    """Of lists of counts (l, m)."""
    found = await stretches(p, p.compute(lambda: mine.view(np.int64), shape=mine.shape), M)
    return p.compute(lambda: found.astype(float), shape=mine.shape)


def _stretches_twin(parts: tuple[Array, ...]) -> Array:
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


def _more(n: int) -> Secrets:
    """Each owner in turn has one or two more: stretches end where they did."""
    base = [[[6, 2, 5]] * LISTS] * n
    return [([base], [[[[7, 2, 6]] * LISTS if i == k else one for i, one in enumerate(base)]]) for k in range(n)]


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


def _log_rank_twin(parts: tuple[Array, ...]) -> Array:
    counts = np.moveaxis(np.sum(parts, axis=0), 0, 2)
    n = counts.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    d, every = counts[:, 1].sum(axis=0), n.sum(axis=0)
    part = n[0] / np.maximum(every, 1)
    weight = d * (every - d) / np.maximum(every - 1, 1)
    return np.array([(d * part).sum(), (weight * part * (1 - part)).sum()])


def _later(n: int) -> Secrets:
    """Of each owner in turn one is lost later, after all events."""
    base = [[[[0, 1], [1, 1]], [[1, 0], [0, 0]], [[0, 0], [1, 0]]]] * n
    later = [base[0][0], base[0][2], [[1, 0], [0, 0]]]
    return [([base], [[later if i == k else one for i, one in enumerate(base)]]) for k in range(n)]


def _settings(owners: tuple[str, ...], rows: int) -> StatisticsSettings:
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
    settings = _settings(p.owners, months.shape[0])
    values = (months.view(np.int64) / 2.0, died.astype(float), arms.astype(float)) if not p.dry else ()
    mine = OwnColumns(dict(zip(("months", "died", "arm"), values, strict=False)), months.shape[0])
    found = await follow(p, mine, settings, Told(settings, {}))
    if p.dry:
        return ()
    return found.ends["months to died by arm"].astype(float), np.array([float(*found.between.values())])


def _follow_twin(months: tuple[Array, ...], died: tuple[Array, ...], arms: tuple[Array, ...]) -> tuple[Array, ...]:
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


def _exchanged(n: int) -> Secrets:
    """Of each owner in turn one is lost later and one has the event later, where it ends no stretch sooner."""
    base = [[0, 0, 0, 0, 0, 2, 2, 4]] * n
    later = [0, 0, 0, 0, 0, 4, 4, 4]
    rest = [[[1, 1, 1, 1, 1, 1, 0, 1]] * n, [[0] * 8] * n]
    return [([base, *rest], [[later if i == k else one for i, one in enumerate(base)], *rest]) for k in range(n)]


def stretches_cost(lists: int, count: int) -> tuple[int, int]:
    """Of two owners and one window: bytes that each sends, and that the helper does."""
    pairs = count * (count + 1) // 2
    spans = lists * (pairs + count - 1)
    sent = 2 * lists * COMPARED + (2 * lists + 7) // 8 + 2 * spans * COMPARED + 2 * spans + 2 * lists * pairs
    dealt = 2 * (lists + spans) * DEALT + 2 * lists * WORD + spans + lists * pairs
    return sent + count * ((lists * count + 7) // 8), dealt


def sums_cost(times: int, digits: Digits) -> tuple[int, int]:
    """Of two arms: the quotients, numerators and products; of what is opened, what is dealt has two parts."""
    series = digits.rows + 5
    sent = times * (series * (4 + 2 + 4) + 2 + 4 + 2 + 3 + 1 + 2) + 2
    return sent * WIDE, (times * (series * (4 + 2 * 4) + 1 + 2 + 2 * 2 + 2 + 2 * 1 + 1) + 2 * 2) * WIDE


OF_LIST, OF_SUMS = stretches_cost(1, 3), sums_cost(3, DIGITS)
OF_CURVES, OF_TEST = stretches_cost(2, 3), sums_cost(3, Digits(6))

OURS = {
    "stretches": Spoken(
        _stretches,
        _stretches_twin,
        [own(integers(("l", "m"), 0, 6))],
        0.0,
        16 + 1 + 3,
        OF_LIST[0],
        OF_LIST[1],
        {"l": 1, "m": 3},
        cost_owners=(2,),
        secrets=_more,
        view_sizes={"l": LISTS, "m": 3},
        structure_sizes={"l": 1, "m": 2},
        words=300,
        shift=0.5,
    ),
    "log-rank": Spoken(
        _log_rank,
        _log_rank_twin,
        [own(integers(("m", 2, 2), 0, 1))],
        1.01 * 2.0**-PLACES,
        2 * (DIGITS.rows + 5) + 7 + 2,
        OF_SUMS[0] + (2 + 2) * WIDE,
        OF_SUMS[1] + 2 * 2 * WIDE,
        {"m": 3},
        owners=(2, 3),
        cost_owners=(2,),
        secrets=_later,
        view_sizes={"m": 3},
        words=260,
        shift=0.5,
    ),
    "follow": Spoken(
        _follow,
        _follow_twin,
        [own(integers(("m",), 0, 6)), own(integers(("m",), 0, 1)), own(integers(("m",), 0, 1))],
        0.0,
        2 + 2 * (6 + 5) + 7,
        OF_CURVES[0] + OF_TEST[0] + 1 + WORD,
        OF_CURVES[1] + OF_TEST[1] + 2 * WORD,
        {"m": 8},
        owners=(2, 3),
        cost_owners=(2,),
        secrets=_exchanged,
        view_sizes={"m": 8},
        words=200,
        shift=0.6,
        structure="by round",  # word by word for its two parts
    ),
}
every_one = pytest.mark.parametrize("name", OURS)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.soak
@pytest.mark.parametrize("owners", [2, 3])
@pytest.mark.parametrize("name", OURS)
def test_view(name: str, owners: int) -> None:
    hold_to_view(OURS[name], owners)


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
