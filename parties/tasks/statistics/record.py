"""From what a run of statistics opened to the `statistics` of `result.json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parties.tasks.statistics.layout import GroupFacts, group_names, statistics_of
from parties.tasks.statistics.survival import survival_facts
from protocols.evaluation import p_values
from protocols.statistics.classical_tests import chi_square, pearson, pearson_test, welch
from protocols.statistics.disclosed_cells import Disclosure
from protocols.statistics.job import Opened
from protocols.statistics.settings import Cells, Sample, StatisticsSettings

Counts = NDArray[np.int64]


def statistics_facts(opened: Opened, settings: StatisticsSettings) -> dict[str, Any]:
    """All the statistics for the record: with `by`, one entry a group."""
    sizes, found = _group_sizes(opened, settings), _grid_values(opened, settings)

    def described(column: str, g: int) -> dict[str, Any]:
        return _described(opened, settings, settings.described[column], g, int(sizes[g]), found.get((column, g), {}))

    return {
        "rows": sum(settings.rows),
        "small_cells": _small_cells(opened.disclosure),
        "by": None if settings.by is None else _by(opened, settings, sizes),
        **statistics_of(
            settings,
            GroupFacts(
                described,
                partial(_histogram, opened, settings),
                partial(_table, opened, settings),
                partial(_correlation, opened, settings),
                partial(_comparison, opened, settings),
                partial(survival_facts, opened, settings),
            ),
        ),
    }


def _by(opened: Opened, settings: StatisticsSettings, sizes: Counts) -> dict[str, Any]:
    """The groups and how many rows each has."""
    there = [opened.disclosure.is_disclosed("group", settings.group_sizes, g) for g in range(settings.groups)]
    return {
        "column": settings.by,
        "levels": list(group_names(settings)),
        "rows": [int(n) if disclosed else None for n, disclosed in zip(sizes, there, strict=True)],
        "without": sum(settings.rows) - int(sizes.sum()) if all(there) else None,
    }


def _group_sizes(opened: Opened, settings: StatisticsSettings) -> Counts:
    if settings.by is None:
        return np.array([sum(settings.rows)])
    return opened.counts[settings.group_sizes.name]


def _of_group(values: NDArray[Any], settings: StatisticsSettings, group: int) -> NDArray[Any]:
    """A table's cells of one group."""
    return values if settings.by is None else values[group]


def _small_cells(disclosure: Disclosure) -> dict[str, Any] | None:
    """The rule by which cells were withheld, and how many were; None if there was none."""
    s = disclosure.settings
    if not s.min_cell:
        return None
    shown = [disclosure.disclosed_cells(cells) for cells in s.cells]
    return {
        "min_cell": s.min_cell,
        "dominance": s.dominance,
        "missing_cells": s.missing_cells,
        "cells": sum(one.size for one in shown),
        "withheld": sum(int((~one).sum()) for one in shown),
        "legend": f"null where `withheld` says so: for some owner, the others have 1 to {s.min_cell - 1} patients in "
        "this cell, or in one that would follow from it; for sums, as few with another value than the commonest",
    }


def _null_withheld(facts: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """The facts with null for what is withheld, which `withheld` lists."""
    hidden = [key for key in keys if key in facts]
    empty = {key: facts[key] if isinstance(facts[key], dict) else None for key in hidden}
    return {**facts, **empty, "withheld": hidden} if hidden else facts


def _grid_values(opened: Opened, settings: StatisticsSettings) -> dict[tuple[str, int], dict[Any, float | None]]:
    """The values found on grids, in the column's unit, by column, group and rank; None if withheld."""
    found: dict[tuple[str, int], dict[Any, float | None]] = {}
    for search, point, disclosed in zip(
        settings.searches, opened.found, opened.disclosure.disclosed_searches, strict=True
    ):
        value = float(settings.grid_of(search.column).points[int(point)]) if disclosed else None
        found.setdefault((search.column, search.group), {})[search.rank] = value
    return found


def _described(
    opened: Opened,
    settings: StatisticsSettings,
    sample: Sample,
    group: int,
    rows: int,
    found: Mapping[Any, float | None],
) -> dict[str, Any]:
    name, wanted, disclosure = sample.cells.name, set(settings.statistics), opened.disclosure
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
    if not disclosure.is_disclosed("count", sample.cells, group):
        return _null_withheld(facts, list(facts))
    sums = [] if disclosure.is_disclosed("sums", sample.cells, group) else ["sum", "mean", "variance", "sd"]
    ranks = [end for end in ("min", "max") if found.get(end, 0.0) is None]
    return _null_withheld(facts, [*sums, *ranks, *(["quantiles"] if None in shares.values() else [])])


def _variance(squares: float, count: int) -> float | None:
    return max(squares, 0.0) / (count - 1) if count > 1 else None


def _histogram(opened: Opened, settings: StatisticsSettings, cells: Cells, group: int) -> dict[str, Any]:
    counts: list[int | None] = [int(n) for n in _of_group(opened.counts[cells.name], settings, group)]
    edges = [None, *cells.axes[-1].edges, None]
    merged = []
    for (start, end), disclosed in opened.disclosure.merged(cells, group):
        total = counts[end - 1] if disclosed else None
        merged.append({"from": edges[start], "to": edges[end], "count": total})
        counts[start:end] = [None] * (end - start)
    facts = {"counts": counts[1:-1], "below": counts[0], "above": counts[-1]}
    return {**facts, "withheld": ["counts"], "merged": merged} if merged else facts


def _table(opened: Opened, settings: StatisticsSettings, cells: Cells, group: int) -> dict[str, Any]:
    counts = _of_group(opened.counts[cells.name], settings, group)
    disclosed = _of_group(opened.disclosure.disclosed_cells(cells), settings, group)
    test = chi_square(counts) if disclosed.all() else None
    shown = [
        [int(n) if t else None for n, t in zip(*line, strict=True)] for line in zip(counts, disclosed, strict=True)
    ]
    facts = {
        "counts": shown,
        "chi_square": None if test is None else test.value,
        "df": None if test is None else test.df,
        "p": p_values.of_chi_square(test),
    }
    return facts if disclosed.all() else {**facts, "withheld": ["counts", "chi_square", "df", "p"]}


def _correlation(opened: Opened, settings: StatisticsSettings, pair: tuple[str, str], group: int) -> dict[str, Any]:
    sample = settings.correlated[pair]
    name = sample.cells.name
    count = int(_of_group(opened.counts[name], settings, group))
    xx, yy, xy = (float(_of_group(one, settings, group)) for one in opened.squares[name])
    r = pearson(xx, yy, xy) if count > 1 else None
    facts = {"count": count, "r": r, "p": p_values.of_t(pearson_test(r, count)) if r is not None else None}
    if not opened.disclosure.is_disclosed("count", sample.cells, group):
        return _null_withheld(facts, list(facts))
    return facts if opened.disclosure.is_disclosed("sums", sample.cells, group) else _null_withheld(facts, ["r", "p"])


def _comparison(opened: Opened, settings: StatisticsSettings, of: tuple[str, str], group: int) -> dict[str, Any]:
    sample, levels = settings.compared[of], settings.levels_of(of[1])
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
    if opened.disclosure.is_disclosed("sums", sample.cells, group):
        return {"samples": samples, "tests": tests}
    keys = ["mean", "sd"] if opened.disclosure.is_disclosed("count", sample.cells, group) else ["count", "mean", "sd"]
    return {
        "samples": [_null_withheld(one, keys) for one in samples],
        "tests": [_null_withheld(one, [key for key in one if key != "levels"]) for one in tests],
        "withheld": [*keys, "tests"],
    }
