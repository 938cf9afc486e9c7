"""The layout of `statistics` in `result.json`, which exact and noisy statistics share: with `by`, one entry a group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from protocols.statistics.settings import Cells, StatisticsSettings, Survival

Facts = dict[str, Any]


@dataclass(frozen=True)
class GroupFacts:
    """The facts of one group, which is given by its place, for each kind of statistics.

    Args:
        described: of a described column.
        histogram, table: of the cells of a histogram, or of a contingency table.
        correlation: of a pair of columns.
        comparison: of a t-test: the column, and the category whose levels are compared.
        curves: of a set of survival curves.
    """

    described: Callable[[str, int], Facts]
    histogram: Callable[[Cells, int], Facts]
    table: Callable[[Cells, int], Facts]
    correlation: Callable[[tuple[str, str], int], Facts]
    comparison: Callable[[tuple[str, str], int], Facts]
    curves: Callable[[Survival, int], Facts]


def group_names(settings: StatisticsSettings) -> tuple[str | None, ...]:
    """The groups' names; None of all rows together."""
    return (None,) if settings.by is None else settings.levels_of(settings.by)


def statistics_of(settings: StatisticsSettings, facts: GroupFacts) -> Facts:
    """All statistics but the groups' sizes, in the order of the settings."""

    def each(of: Callable[[Any, int], Facts], what: Any) -> list[Facts]:
        return [{"group": name, **of(what, g)} for g, name in enumerate(group_names(settings))]

    def levels(column: str) -> Facts:
        return {"column": column, "levels": list(settings.levels_of(column))}

    return {
        "columns": {column: each(facts.described, column) for column in settings.described},
        "histograms": {
            column: {"edges": list(cells.axes[-1].edges), "groups": each(facts.histogram, cells)}
            for column, cells in settings.binned.items()
        },
        "tables": [
            {"rows": levels(a), "columns": levels(b), "groups": each(facts.table, cells)}
            for (a, b), cells in settings.crossed.items()
        ],
        "correlations": [
            {"columns": list(pair), "groups": each(facts.correlation, pair)} for pair in settings.correlated
        ],
        "t_tests": [
            {"column": test[0], "between": test[1], "groups": each(facts.comparison, test)}
            for test in settings.compared
        ],
        "survival": [
            {
                "time": one.time,
                "event": one.event,
                "between": one.between,
                "times": [float(t) for t in settings.grid_of(one.time).points],
                "groups": each(facts.curves, one),
            }
            for one in settings.exact_curves
        ],
    }
