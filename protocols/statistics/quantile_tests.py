"""The counts between quantiles that are tested, once quantiles are found and before one is disclosed: public."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import numpy as np

from mpc.ring.array import Array
from protocols.statistics.blocks import Key
from protocols.statistics.settings import Cells, StatisticsSettings


@dataclass(frozen=True)
class SideTests:
    """Cells: the values of a group between any two of its quantiles, below each and above. A quantile is disclosed only
    if none of the cells that it bounds is small, since two disclosed quantiles give the count between them.

    A quantile at point k says that C(k - 1) < T <= C(k), so its own point is counted below, and then above.

    Args:
        cells: the tables that count the values, with the group.
        quantiles: of each of them the places of its quantiles among all searches, in order.
        questions: the cells that each quantile bounds.
        count: how many cells there are.
    """

    cells: tuple[tuple[Cells, int], ...]
    quantiles: tuple[tuple[int, ...], ...]
    questions: Mapping[Key, tuple[int, ...]]
    count: int

    def sides(self, up_to: Array, below: Array, rows: Array) -> Array:
        """One owner's counts (cells,), from those up to each answer, below it (searches,) and in all (groups,)."""
        found = []
        for g, quantiles in enumerate(self.quantiles):
            low, high = np.array(_between(len(quantiles)), dtype=np.int64).T
            for counts in (up_to, below):
                at = counts[np.array(quantiles, dtype=np.int64)]
                edges = np.concatenate((at[:1] - at[:1], at, rows[g : g + 1]))
                found.append(edges[high] - edges[low])
        return np.concatenate(found)


def _between(quantiles: int) -> list[tuple[int, int]]:
    """Every two of the edges that are the start, each quantile, and the end; not the first and the last, for that is
    all of the column's count."""
    return [pair for pair in combinations(range(quantiles + 2), 2) if pair != (0, quantiles + 1)]


def side_tests(settings: StatisticsSettings) -> SideTests:
    """The tests of the quantiles, once they are found; none without `min_cell`."""
    groups: dict[tuple[str, int], list[int]] = {}
    for k, search in enumerate(settings.searches if settings.min_cell else ()):
        if isinstance(search.rank, Fraction):
            groups.setdefault((search.column, search.group), []).append(k)
    questions: dict[Key, tuple[int, ...]] = {}
    start = 0
    for (column, g), quantiles in groups.items():
        pairs = _between(len(quantiles))
        for place, k in enumerate(quantiles, start=1):
            bounds = [start + n for n, pair in enumerate(pairs) if place in pair]
            questions["search", settings.described[column].cells.name, g, k] = (
                *bounds,
                *(len(pairs) + n for n in bounds),
            )
        start += 2 * len(pairs)
    cells = tuple((settings.described[column].cells, g) for column, g in groups)
    return SideTests(cells, tuple(map(tuple, groups.values())), questions, start)
