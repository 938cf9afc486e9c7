"""Survival of several owners' rows: the times at which curves are disclosed, and the log-rank test's sums.

Events are disclosed by stretches of times (forward_merge.py), and censored patients are counted later (deferred.py), so
that any disclosed count is 0 or at least `min_cell` of each owner's others. A log-rank test from such counts alone
would differ from the test of the exact counts. So its sums are made of the exact counts, under sharing (log_rank.py),
and opened to as many digits as the test needs, if these leave the withheld counts open:

E and V are two numbers for two arms, (arms - 1)(arms + 2) / 2 for more, in units of 2^-12 of a deviation or variance.
The disclosed counts leave each of them within about a deviation: that is 12 bits a number, and often fewer. A stretch
of w times with at least m events of an owner's others leaves C(m + w - 2, w - 1) arrangements of these that nothing
else distinguishes; so do lots of censored patients. E and V are opened only where all stretches together leave `_BITS`
bits for each opened number, and `_BITS` besides: then on average 2^_BITS tables or more give the same values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mpc.ring.array import Array
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Share
from protocols.core.comparison import any_of
from protocols.core.secure_sum import inputs
from protocols.disclosure.forward_merge import stretches
from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.own_cells import OwnColumns, count_cells, places
from protocols.statistics.settings import Cells, StatisticsSettings, Survival
from protocols.survival.deferred import disclosed_times
from protocols.survival.log_rank import (
    COARSEST,
    FINEST,
    LogRankSums,
    arm_pairs,
    digits_of,
    log_rank_sums,
    open_log_rank,
)

Counts = NDArray[np.int64]
BETWEEN = "times between points"
_BITS = 13
_DIGITS = 12  # bits of a deviation, or of a variance, to which the log-rank test's sums are opened


@dataclass(frozen=True)
class Followed:
    """What is known, or shared, of survival before any count is opened.

    Args:
        ends: see Disclosure.
        between: of each survival, whether times lie between its grid's points.
        sums: of each with arms to compare, what the log-rank test needs.
    """

    ends: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    between: Mapping[Survival, bool] = field(default_factory=dict)
    sums: Mapping[Survival, LogRankSums] = field(default_factory=dict)


@dataclass(frozen=True)
class LogRankOpened:
    """Of each group: E and V (groups, arms - 1 + pairs), each to within 2^-places of its own; 0 if not `disclosed`."""

    values: NDArray[np.float64]
    places: Counts
    disclosed: NDArray[np.bool_]


async def follow(p: Party, own: OwnColumns, settings: StatisticsSettings, disclosure: Disclosure) -> Followed:
    """Find where the stretches of events end, and the log-rank test's sums; 2 rounds without `min_cell`.

    With it those of `stretches`, or 2 and those of `log_rank_sums`, whichever are more. Reveals a bit for each
    survival, whether times lie between points, and the ends of stretches; all else is under uniform masks.
    """
    p.stage("survival")
    curves = list(settings.curves)
    compared = [one for one in curves if len(settings.arms_of(one)) > 1] if settings.min_cell else []
    merged = curves if settings.min_cell else []
    (between, sums), *ends = await together(
        _all_sums(p, own, settings, compared), *(_stretches(p, own, settings, one, disclosure) for one in merged)
    )
    if p.dry:
        return Followed(sums=dict(zip(compared, sums, strict=True)))
    names = [settings.curves[one].name for one in merged]
    return Followed(
        dict(zip(names, ends, strict=True)),
        dict(zip(curves, between.tolist(), strict=True)),
        dict(zip(compared, sums, strict=True)),
    )


async def open_log_ranks(
    p: Party, settings: StatisticsSettings, followed: Followed, counts: Mapping[str, Array], disclosure: Disclosure
) -> dict[Survival, LogRankOpened]:
    """E and V of each group that is disclosed. 2 rounds, none without any; reveals them."""
    if not followed.sums:
        return {}
    wanted = []
    for one, sums in followed.sums.items():
        cells = settings.curves[one]
        shape = (settings.groups, sums.expected.shape[1] + sums.covariance.shape[1])
        units = p.compute(_places, counts[cells.name], settings, one, shape=shape)
        there = p.compute(_disclosed_groups, counts[cells.name], settings, cells, disclosure, shape=shape)
        wanted.append((sums, units, there))
    opened = await together(*(open_log_rank(p, *each) for each in wanted))
    if p.dry:
        return {}
    return {
        one: LogRankOpened(values, units, there[:, 0])
        for one, values, (_, units, there) in zip(followed.sums, opened, wanted, strict=True)
    }


async def _all_sums(
    p: Party, own: OwnColumns, settings: StatisticsSettings, compared: list[Survival]
) -> tuple[Array, list[LogRankSums]]:
    """Which survivals have times between the points (curves,); and then the sums, which depend on it."""
    between = await _between(p, own, settings)
    curves = list(settings.curves)
    sums = [_sums(p, own, settings, one, between[curves.index(one)]) for one in compared]
    return between, await together(*sums)


async def _between(p: Party, own: OwnColumns, settings: StatisticsSettings) -> Array:
    """Whether some owner has times between the points, for each survival (curves,). 2 rounds."""
    count = len(settings.curves)
    mine = p.compute(
        lambda: np.array([_lies_between(own, settings, one) for one in settings.curves], np.uint8), shape=(count,)
    )
    bits = inputs(p, mine, (count,), 0, B8)
    every = Share(np.concatenate([one.value for one in bits]), 0, B8)
    groups = [k + count * np.arange(len(p.owners)) for k in range(count)]
    why = "one bit a survival: whether some time lies between two points of its grid, and the curve is actuarial"
    word = await any_of(p, every, groups, what=BETWEEN, why=why)
    return p.compute(lambda: word.value != 0, shape=(count,))


def _lies_between(own: OwnColumns, settings: StatisticsSettings, one: Survival) -> bool:
    grid = settings.grid_of(one.time).points
    values = own.values[one.time][places(own, settings.exact_curves[one]) >= 0]
    inside = values[values <= grid[-1]]
    return bool((grid[np.searchsorted(grid, inside)] != inside).any())


async def _stretches(
    p: Party, own: OwnColumns, settings: StatisticsSettings, one: Survival, disclosure: Disclosure
) -> Array:
    """The ends of stretches (groups, arms, T); for a withheld arm every owner enters 0."""
    cells = settings.curves[one]
    at = disclosed_times(cells.shape[-2] - 1)
    arms, times = len(settings.arms_of(one)), cells.shape[-2] - 1
    lists = settings.groups * arms

    def events() -> Array:
        counts = count_cells(own, cells).reshape(settings.groups, arms, times + 1, 2)[:, :, :-1, 1]
        there = [[disclosure.is_disclosed("arm", cells, g, k) for k in range(arms)] for g in range(settings.groups)]
        sums = np.diff(counts.cumsum(axis=2)[:, :, at], axis=2, prepend=0)
        return np.asarray((sums * np.array(there)[:, :, None]).reshape(lists, len(at)))

    found = await stretches(p, p.compute(events, shape=(lists, len(at))), settings.min_cell)

    def ends() -> Array:
        out = np.zeros((lists, times), dtype=bool)
        out[:, at] = found
        return out.reshape(settings.groups, arms, times)

    return p.compute(ends, shape=(settings.groups, arms, times))


async def _sums(
    p: Party, own: OwnColumns, settings: StatisticsSettings, one: Survival, actuarial: Array
) -> LogRankSums:
    digits = digits_of(sum(settings.rows))
    cells = settings.exact_curves[one]
    arms, times = len(settings.arms_of(one)), cells.shape[-2] - 1
    shape = (settings.groups, arms, times)

    def counted() -> Array:
        return count_cells(own, cells).reshape(settings.groups, arms, times + 1, 2)

    def waiting() -> Array:
        counts = counted()
        leaving = counts.sum(axis=3)[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
        lost = counts[:, :, :-1, 0] if actuarial else 0
        return np.asarray(2 * leaving[:, :, :-1] - lost, dtype=object)

    doubled = Share(p.compute(waiting, shape=shape), 0, digits.ring)
    events = Share(
        p.compute(lambda: counted()[:, :, :-1, 1].sum(axis=1).astype(object), shape=(settings.groups, times)),
        0,
        digits.ring,
    )
    return await log_rank_sums(p, doubled, events, digits)


def _places(counts: Counts, settings: StatisticsSettings, one: Survival) -> Counts:
    """The number of binary places to which E and V are opened: whole numbers, so that all owners find the same."""
    arms = len(settings.arms_of(one))
    rows = []
    for group in counts.reshape(settings.groups, arms, *counts.shape[-2:]):
        sizes, events = group.sum(axis=(1, 2)).tolist(), int(group[:, :-1, 1].sum())
        total = sum(sizes)
        # The variance of a binomial: events x p (1 - p); the least of the arms that there are.
        least = min((events * n * (total - n) for n in sizes if 0 < n < total), default=0)
        variance = max(least // max(total, 1) ** 2, 1)
        log2 = variance.bit_length() - 1
        finest = [_DIGITS - log2 // 2] * (arms - 1) + [_DIGITS - log2] * len(arm_pairs(arms))
        rows.append(np.clip(finest, -COARSEST, FINEST))
    return np.array(rows, dtype=np.int64)


def _disclosed_groups(
    counts: Counts, settings: StatisticsSettings, cells: Cells, disclosure: Disclosure
) -> NDArray[np.bool_]:
    """Whether E and V of each group are opened, as often as there are numbers (groups, numbers)."""
    ends = disclosure.ends[cells.name]
    arms = ends.shape[1]
    numbers = arms - 1 + len(arm_pairs(arms))
    grouped = counts.reshape(settings.groups, arms, *counts.shape[-2:])
    there = [
        all(disclosure.is_disclosed("arm", cells, g, k) for k in range(arms))
        and sum(open_bits(arm, where, settings.min_cell) for arm, where in zip(group, ends[g], strict=True))
        >= _BITS * (numbers + 1)
        for g, group in enumerate(grouped)
    ]
    return np.repeat(np.array(there)[:, None], numbers, axis=1)


def open_bits(counts: Counts, ends: NDArray[np.bool_], m: int) -> float:
    """The logarithm, to base 2, of the number of arrangements that an arm's disclosed counts (T + 1, 2) leave open."""
    of_events = _ways(np.flatnonzero(ends & (counts[:-1, 1] > 0)), ends, m)
    return of_events + _ways(np.flatnonzero(counts[:-1, 0]), counts[:-1, 0] > 0, m)


def _ways(places: Counts, ends: NDArray[np.bool_], m: int) -> float:
    last = np.concatenate(([-1], np.flatnonzero(ends)))
    widths = [int(k - last[np.searchsorted(last, k) - 1]) for k in places]
    return sum(math.log2(math.comb(m + w - 2, w - 1)) for w in widths)
