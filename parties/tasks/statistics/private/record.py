"""From what a run of private statistics opened to the `statistics` of `result.json`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.tasks.statistics.layout import GroupFacts, statistics_of
from parties.tasks.statistics.private.inference import (
    Parts,
    comparison_facts,
    correlation_facts,
    curve_facts,
    interval,
    intervals_of,
    values_of,
)
from protocols.evaluation import p_values
from protocols.privacy.estimates import (
    NOTHING,
    Estimate,
    NoisySums,
    count_of,
    mean_of,
    root_of,
    sum_of,
    variance_of,
)
from protocols.rows.results import Statistic
from protocols.statistics.private.inference import noisy_chi_square
from protocols.statistics.private.job import PrivateSettings, level_cells, parts_of
from protocols.statistics.private.quantile_tree import consistent_counts, quantile_of
from protocols.statistics.settings import Cells


def private_statistics_facts(opened: NDArray[np.float64], settings: PrivateSettings) -> dict[str, Any]:
    """All statistics for the record, as `statistics_facts` has them; each number with its interval for the noise.

    Args:
        opened: all releases, one after the other, in patients.
    """
    parts, s = parts_of(opened, settings), settings.statistics
    return {
        "rows": None,
        "small_cells": None,
        "by": None if s.by is None else _by(parts, settings, s.by),
        **statistics_of(
            s,
            GroupFacts(
                partial(_described, parts, settings),
                partial(_histogram, parts, settings),
                partial(_table, parts, settings),
                partial(correlation_facts, parts, settings),
                partial(comparison_facts, parts, settings),
                partial(curve_facts, parts, settings),
            ),
        ),
    }


def _count(noisy: float, settings: PrivateSettings) -> Estimate:
    return count_of(float(noisy), settings.deviation)


def _by(parts: Parts, settings: PrivateSettings, by: str) -> dict[str, Any]:
    """The groups, and about how many rows each has."""
    s = settings.statistics
    found = [_count(one, settings) for one in parts["rows", s.group_sizes.name]]
    return {
        "column": by,
        "levels": list(s.levels_of(by)),
        "rows": [one.value for one in found[:-1]],
        "without": found[-1].value,
        "intervals": [interval(one) for one in found],
    }


def _described(parts: Parts, settings: PrivateSettings, column: str, g: int) -> dict[str, Any]:
    s = settings.statistics
    counts = parts["count", s.described[column].cells.name].reshape(-1, s.groups)
    found = {"count": _count(counts[0, g], settings)}
    if "missing" in s.statistics:
        found["missing"] = _count(counts[1, g], settings)
    if ("sum", f"sum of {column}") in parts:
        found |= _from_sums(parts, settings, column, g, float(counts[0, g]))
    facts, intervals = values_of(found), intervals_of(found)
    if column in settings.trees:
        quantiles = _quantiles(parts, settings, column, g, float(counts[0, g]))
        facts["quantiles"], intervals["quantiles"] = values_of(quantiles), intervals_of(quantiles)
    return {**facts, "intervals": intervals}


def _quantiles(parts: Parts, settings: PrivateSettings, column: str, g: int, count: float) -> dict[str, Estimate]:
    s, tree = settings.statistics, settings.trees[column]
    levels = [parts["ranks", cells.name].reshape(s.groups, -1)[g] for cells in level_cells(s, column, tree)]
    points = s.grid_of(column).points
    number, ranks = consistent_counts(tree, count, levels)
    found = {}
    for share in s.quantiles:
        places = quantile_of(tree, number, ranks, share, settings.deviation)
        found[f"{share:g}"] = NOTHING if places is None else Estimate(*(float(points[one]) for one in places))
    return found


def _from_sums(parts: Parts, settings: PrivateSettings, column: str, g: int, count: float) -> dict[str, Estimate]:
    s, clip = settings.statistics, settings.clip_of(column)
    first, squares = parts["sum", f"sum of {column}"], parts.get(("squares", f"squares of {column}"))
    second = None if squares is None else float(squares.reshape(-1)[g])
    of = NoisySums(count, float(first.reshape(-1)[g]), second, settings.deviation, settings.rounding)
    variance = variance_of(of, clip.half)
    found = {
        "sum": sum_of(of, clip.centre, clip.half),
        "mean": mean_of(of, clip.centre, clip.half),
        "variance": variance,
        "sd": root_of(variance),
    }
    return {key: one for key, one in found.items() if key in s.statistics}


def _histogram(parts: Parts, settings: PrivateSettings, cells: Cells, g: int) -> dict[str, Any]:
    counts = parts["histogram", cells.name].reshape(settings.statistics.groups, -1)[g]
    found = [_count(one, settings) for one in counts]
    values, intervals = [one.value for one in found], [interval(one) for one in found]
    return {"counts": values[1:-1], "below": values[0], "above": values[-1], "intervals": intervals}


def _table(parts: Parts, settings: PrivateSettings, cells: Cells, g: int) -> dict[str, Any]:
    """A table, with the chi-square that accounts for the noise."""
    counts = parts["table", cells.name]
    grid = counts if settings.statistics.by is None else counts[g]
    chi = noisy_chi_square(grid, settings.deviation)
    test = None if chi is None else Statistic(*chi)
    found = [[_count(one, settings) for one in line] for line in grid]
    return {
        "counts": [[one.value for one in line] for line in found],
        "intervals": [[interval(one) for one in line] for line in found],
        "chi_square": None if test is None else test.value,
        "df": None if test is None else test.df,
        "p": p_values.of_chi_square(test),
    }
