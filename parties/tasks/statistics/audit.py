"""What `mpc audit` is given of statistics: what each row adds to the sums that are told, and the noise in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.runtime.party import Party
from parties.scenario.file import Scenario
from parties.show.blocks import join_words
from parties.tasks.audited.audit import Audit, Population, Trial
from parties.tasks.audited.noise import noisy_sum_trial, opened_by_runs
from parties.tasks.audited.sums import sums_population
from parties.tasks.statistics.audit_counts import counted
from parties.tasks.statistics.data import load_statistics_table, own_columns
from parties.tasks.statistics.shape import private_statistics_settings, statistics_settings
from protocols.statistics.own_cells import OwnColumns, places
from protocols.statistics.private.job import (
    LABEL,
    OF_VALUES,
    PrivateSettings,
    Release,
    own_numbers,
    private_statistics_job,
    releases_of,
)
from protocols.statistics.settings import StatisticsSettings

_MOST_NUMBERS: Final = 500
"""Of what rows add up to: the finest releases are left out beyond it."""
_BEYOND: Final = 10.0  # widths of its range, by which a worst row's value is outside
_AT_ONCE: Final = 50  # openings for which one plan is made


def _population(scenario: Scenario, record: Mapping[str, Any] | None) -> Population | None:
    """Each row with what it adds to every count and sum."""
    tables = {owner: load_statistics_table(scenario, owner) for owner in scenario.owners}
    own = [own_columns(one) for one in tables.values()]
    settings = statistics_settings(scenario, {owner: (table.rows, 0) for owner, table in tables.items()}, 0)
    private = None if scenario.privacy is None else private_statistics_settings(scenario)
    added = np.concatenate([row_numbers(one, settings, private) for one in own])
    if private is None:
        told = np.count_nonzero(added, axis=0) >= settings.min_cell
        added = added[:, told]
    if not added.size:
        return None
    variance = 0.0 if private is None else private.deviation**2
    whose = tuple(owner for owner, table in tables.items() for _ in range(table.rows))
    seen_by = f"{join_words(scenario.owners)}, and whoever they show the statistics"
    return sums_population(added, variance, whose, unit="patient", each="rows", seen_by=seen_by)


def row_numbers(own: OwnColumns, settings: StatisticsSettings, private: PrivateSettings | None) -> Array:
    """What each row adds to each number (rows, numbers): as [privacy] has it, or exactly."""
    found: list[Array] = []
    for one in sorted(releases_of(settings), key=lambda one: one.size):
        if one.what == "ranks" and private is None:
            continue  # quantiles are told, and no counts of a tree
        if sum(part.shape[1] for part in found) + one.size > _MOST_NUMBERS:
            break
        found.append(_of_rows(own, one, private))
    return np.concatenate(found, axis=1) if found else np.zeros((own.rows, 0))


def _of_rows(own: OwnColumns, one: Release, private: PrivateSettings | None) -> Array:
    place = places(own, one.cells)
    numbers = np.zeros((own.rows, one.cells.size))
    inside = np.flatnonzero(place >= 0)
    values = np.ones(len(inside))
    if one.what in OF_VALUES:
        columns = [own.values[column][inside] for column in one.columns]
        if private is not None:
            clips = map(private.clip_of, one.columns)
            columns = [
                (np.clip(column, clip.low, clip.high) - clip.centre) / clip.half
                for column, clip in zip(columns, clips, strict=True)
            ]
        values = np.prod(columns * 2 if one.what == "squares" else columns, axis=0)
    numbers[inside, place[inside]] = values
    return numbers


def _trials(scenario: Scenario) -> tuple[Trial, ...]:
    """The one opening of private statistics, with rows that move each number as far as any can."""
    if scenario.privacy is None:
        return ()
    settings = private_statistics_settings(scenario)
    rows = worst_rows(settings)
    without = own_numbers(_columns(rows[:0], rows[0]), settings)
    with_row = np.array([own_numbers(_columns([row], row), settings) for row in rows])
    claim = scenario.privacy.epsilon, scenario.privacy.delta
    noise, mechanisms = settings.calibration.noise, [settings.mechanism]
    own = _columns(rows[:1], rows[0])

    async def job(p: Party, stream: Stream | None) -> None:
        for _ in range(_AT_ONCE):
            await private_statistics_job(p, None if p.dry else own, stream, settings)

    summed = own_numbers(own, settings) * len(scenario.owners)
    opened = opened_by_runs(scenario.owners, scenario.helper, job, LABEL, summed, noise)
    return (noisy_sum_trial("the noisy counts and sums", claim, noise, mechanisms, without, with_row, opened),)


def worst_rows(settings: PrivateSettings) -> list[dict[str, float]]:
    """Rows that change every release as far as they can, each in another direction: values far beyond their ranges, in
    other cells, and missing ones."""
    s = settings.statistics
    levels = {name: len(found) for name, found in s.levels}
    ends: dict[str, tuple[float, float]] = {name: (grid.low, grid.high) for name, grid in s.grids}
    ends |= {name: (min(edges), max(edges)) for name, edges in s.histograms}
    ends |= {name: (clip.low, clip.high) for name, clip in settings.clips}
    events = {one.event for one in s.survival}

    def row(high: Sequence[bool], missing: frozenset[int] = frozenset()) -> dict[str, float]:
        found = {}
        for k, (name, (low, top)) in enumerate(ends.items()):
            reach = _BEYOND * (top - low)
            found[name] = top + reach if high[k % len(high)] else low - reach
            if k in missing:
                found[name] = float("nan")
        for k, (name, count) in enumerate(levels.items()):
            found[name] = float(count - 1 if high[k % len(high)] else 0)
        return found | {name: float(high[0]) for name in events}

    return [row([True]), row([False]), row([True, False]), row([False, True], frozenset(range(0, len(ends), 2)))]


def _columns(rows: Sequence[Mapping[str, float]], like: Mapping[str, float]) -> OwnColumns:
    return OwnColumns({name: np.array([row[name] for row in rows], dtype=np.float64) for name in like}, len(rows))


AUDIT: Final = Audit(_population, _trials, counted)
