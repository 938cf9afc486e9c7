"""From what a run of statistics opened to the `statistics` of `result.json`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties import p_values
from protocols.classical_tests import chi_square, kaplan_meier, log_rank, pearson, pearson_test, welch
from protocols.statistics_job import Opened
from protocols.statistics_settings import Sample, StatisticsSettings, Survival

Counts = NDArray[np.int64]


def statistics_facts(opened: Opened, settings: StatisticsSettings) -> dict[str, Any]:
    """All that was asked for, as the record has it: one entry a group wherever `by` keeps groups apart."""
    groups = (None,) if settings.by is None else settings.levels_of(settings.by)
    sizes = _group_sizes(opened, settings)
    facts: dict[str, Any] = {"rows": sum(settings.rows), "by": None}
    if settings.by is not None:
        without = sum(settings.rows) - int(sizes.sum())
        facts["by"] = {
            "column": settings.by,
            "levels": list(groups),
            "rows": [int(n) for n in sizes],
            "without": without,
        }
    found = _found(opened, settings)
    facts["columns"] = {
        column: [
            {"group": name, **_described(opened, settings, sample, g, int(sizes[g]), found.get((column, g), {}))}
            for g, name in enumerate(groups)
        ]
        for column, sample in settings.described.items()
    }
    facts["histograms"] = {
        column: {
            "edges": list(cells.axes[-1].edges),
            "groups": [
                {"group": name, **_histogram(_of_group(opened.counts[cells.name], settings, g))}
                for g, name in enumerate(groups)
            ],
        }
        for column, cells in settings.binned.items()
    }
    facts["tables"] = [
        {
            "rows": {"column": a, "levels": list(settings.levels_of(a))},
            "columns": {"column": b, "levels": list(settings.levels_of(b))},
            "groups": [
                {"group": name, **_table(_of_group(opened.counts[cells.name], settings, g))}
                for g, name in enumerate(groups)
            ],
        }
        for (a, b), cells in settings.crossed.items()
    ]
    facts["correlations"] = [
        {
            "columns": list(pair),
            "groups": [{"group": name, **_correlation(opened, settings, sample, g)} for g, name in enumerate(groups)],
        }
        for pair, sample in settings.correlated.items()
    ]
    facts["t_tests"] = [
        {
            "column": column,
            "between": between,
            "groups": [
                {"group": name, **_t_tests(opened, settings, sample, settings.levels_of(between), g)}
                for g, name in enumerate(groups)
            ],
        }
        for (column, between), sample in settings.compared.items()
    ]
    facts["survival"] = [
        {
            "time": one.time,
            "event": one.event,
            "between": one.between,
            "times": [float(t) for t in settings.grid_of(one.time).points],
            "groups": [
                {"group": name, **_survival(_of_group(opened.counts[cells.name], settings, g), settings, one)}
                for g, name in enumerate(groups)
            ],
        }
        for one, cells in settings.curves.items()
    ]
    asked_p = settings.tables or settings.correlations or settings.t_tests or settings.survival
    facts["note"] = p_values.NEEDS if asked_p and not p_values.can_tell() else None
    return facts


def _group_sizes(opened: Opened, settings: StatisticsSettings) -> Counts:
    if settings.by is None:
        return np.array([sum(settings.rows)])
    return opened.counts[settings.group_sizes.name]


def _of_group(values: NDArray[Any], settings: StatisticsSettings, group: int) -> NDArray[Any]:
    """A table's cells of one group."""
    return values if settings.by is None else values[group]


def _found(opened: Opened, settings: StatisticsSettings) -> dict[tuple[str, int], dict[Any, float]]:
    """What was looked for, in the column's unit, by column, group and rank."""
    found: dict[tuple[str, int], dict[Any, float]] = {}
    for search, point in zip(settings.searches, opened.found, strict=True):
        value = float(settings.grid_of(search.column).points[int(point)])
        found.setdefault((search.column, search.group), {})[search.rank] = value
    return found


def _described(
    opened: Opened,
    settings: StatisticsSettings,
    sample: Sample,
    group: int,
    rows: int,
    found: Mapping[Any, float],
) -> dict[str, Any]:
    name, wanted = sample.cells.name, set(settings.statistics)
    count = int(_of_group(opened.counts[name], settings, group))
    facts: dict[str, Any] = {"count": count}
    if "missing" in wanted:
        facts["missing"] = rows - count
    if "sum" in wanted:
        facts["sum"] = float(_of_group(opened.sums[name][0], settings, group))
    if "mean" in wanted:
        facts["mean"] = float(_of_group(opened.means[name][0], settings, group)) if count else None
    if wanted & {"variance", "sd"}:
        variance = _variance(float(_of_group(opened.squares[name][0], settings, group)), count)
        if "variance" in wanted:
            facts["variance"] = variance
        if "sd" in wanted:
            facts["sd"] = None if variance is None else math.sqrt(variance)
    for end in ("min", "max"):
        if end in found:
            facts[end] = found[end] if count else None
    shares = {share: found[Fraction(repr(share))] for share in settings.quantiles if Fraction(repr(share)) in found}
    if shares:
        facts["quantiles"] = {f"{share:g}": value if count else None for share, value in shares.items()}
    return facts


def _variance(squares: float, count: int) -> float | None:
    return max(squares, 0.0) / (count - 1) if count > 1 else None


def _histogram(counts: Counts) -> dict[str, Any]:
    return {"counts": [int(n) for n in counts[1:-1]], "below": int(counts[0]), "above": int(counts[-1])}


def _table(counts: Counts) -> dict[str, Any]:
    test = chi_square(counts)
    return {
        "counts": counts.tolist(),
        "chi_square": None if test is None else test.value,
        "df": None if test is None else test.df,
        "p": p_values.of_chi_square(test),
    }


def _correlation(opened: Opened, settings: StatisticsSettings, sample: Sample, group: int) -> dict[str, Any]:
    name = sample.cells.name
    count = int(_of_group(opened.counts[name], settings, group))
    xx, yy, xy = (float(_of_group(one, settings, group)) for one in opened.squares[name])
    r = pearson(xx, yy, xy) if count > 1 else None
    return {"count": count, "r": r, "p": p_values.of_t(pearson_test(r, count)) if r is not None else None}


def _t_tests(
    opened: Opened, settings: StatisticsSettings, sample: Sample, levels: tuple[str, ...], group: int
) -> dict[str, Any]:
    name = sample.cells.name
    counts = _of_group(opened.counts[name], settings, group)
    means = _of_group(opened.means[name][0], settings, group)
    squares = _of_group(opened.squares[name][0], settings, group)
    variances = np.maximum(squares, 0.0) / np.maximum(counts - 1, 1)
    samples = [
        {
            "level": level,
            "count": int(counts[k]),
            "mean": float(means[k]) if counts[k] else None,
            "sd": math.sqrt(variances[k]) if counts[k] > 1 else None,
        }
        for k, level in enumerate(levels)
    ]
    tests = []
    for i, j in combinations(range(len(levels)), 2):
        two = np.array([i, j])
        test = welch(counts[two], means[two], variances[two])
        difference = float(means[i] - means[j]) if counts[i] and counts[j] else None
        low = high = None
        if test is not None and difference is not None:
            error = math.sqrt(float((variances[two] / counts[two]).sum()))
            reach = p_values.t_quantile(test.df, 0.975)
            if reach is not None:
                low, high = difference - reach * error, difference + reach * error
        tests.append(
            {
                "levels": [levels[i], levels[j]],
                "difference": difference,
                "low": low,
                "high": high,
                "t": None if test is None else test.value,
                "df": None if test is None else test.df,
                "p": p_values.of_t(test),
            }
        )
    return {"samples": samples, "tests": tests}


def _survival(counts: Counts, settings: StatisticsSettings, one: Survival) -> dict[str, Any]:
    levels: tuple[str | None, ...] = (None,) if one.between is None else settings.levels_of(one.between)
    arms = counts[None] if one.between is None else counts
    times = settings.grid_of(one.time).points
    curves = [kaplan_meier(arm) for arm in arms]
    test = None
    if one.between is not None:
        test = log_rank(np.array([c.at_risk for c in curves]), np.array([c.events for c in curves]))
    return {
        "curves": [
            {
                "level": level,
                "count": int(arm.sum()),
                "events": int(curve.events.sum()),
                "median": curve.median(times) if arm.sum() else None,
                "at_risk": curve.at_risk.tolist(),
                "events_at": curve.events.tolist(),
                "survival": curve.survival.tolist(),
                "se": curve.se.tolist(),
            }
            for level, arm, curve in zip(levels, arms, curves, strict=True)
        ],
        "log_rank": None
        if test is None
        else {"chi_square": test.value, "df": test.df, "p": p_values.of_chi_square(test)},
    }
