"""The parts of a plan that only statistics have."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final

from parties.show.blocks import Grid, Line, count_text, join_words, plural
from parties.tasks.base import PlanText
from protocols.statistics.cell_tests import loop_numbers
from protocols.statistics.settings import StatisticsSettings

USES: Final[Mapping[str, str]] = {
    "BitsOfMask": "comparing how many values are below a point with how many should be, and counts with min_cell",
    "BitNumber": "the outcomes as numbers",
    "BitProduct": "counts of rows with rare values",
    "MatmulTriple": "looking counts up at a point that nobody knows",
    "MultiplyTriple": "products of bits, for the same",
    "BitsOfWideMask": "comparing the largest values with sums",
    "AnyBit": "one bit a block of cells: whether it is withheld",
    "WideTruncation": "quotients and products of the log-rank test",
}
"""The use of each kind of correlated randomness in statistics."""

_TWO_OWNERS: Final = (
    "With two owners, each learns the other's part of every count and sum here: it subtracts its own. With three or "
    "more, all but one together learn that one's part. Answers on a grid (min, max, quantiles) disclose nothing else."
)


def statistics_plan_text(settings: StatisticsSettings) -> PlanText:
    """The statistics' part of a plan."""
    rows = dict(zip(settings.owners, settings.rows, strict=True))
    cells, sums = sum(one.size for one in settings.cells), len(settings.samples)
    by = f", by {settings.by} ({plural(settings.groups, 'group')})" if settings.by else ""
    work = (
        f"{plural(len(settings.owners), 'owner')} and a helper; {count_text(sum(settings.rows))} rows{by}; "
        f"{count_text(cells)} counts, sums in {plural(sums, 'table')}, {count_text(len(settings.searches))} values "
        "on grids."
    )
    return PlanText(
        scenario={"rows": {owner: {"train": count, "test": 0} for owner, count in rows.items()}},
        facts={"statistics": _facts(settings)},
        work=work,
        how=(Line(_TWO_OWNERS), *map(Line, cell_rules(settings))),
        helper_learns=(
            "how many rows each owner has",
            "the scenario's settings, and when the owners ask for more",
        ),
        uses=USES,
        details=(_cells_grid(settings),),
    )


def cell_rules(s: StatisticsSettings) -> list[str]:
    """The rule by which cells are disclosed or withheld, in a few sentences."""
    if not s.min_cell:
        return [
            "min_cell = 0: every count is disclosed, however few patients it is of, and so are sums over so few. "
            "Tables of fine cells then show single patients."
        ]
    rounds = 9 if not s.samples else 17 if len(s.owners) > 2 else 11 if s.dominance else 9
    lacking = " The rows that lack a value are a cell, too." if s.missing_cells == "tested" else ""
    found = [
        f"Small cells (min_cell = {s.min_cell}): before anything is opened, {rounds} rounds of comparisons under "
        f"sharing find the cells of which, for some owner, the others have 1 to {s.min_cell - 1} patients. These are "
        f"withheld, with cells from which they would follow, and with all results that are made of them.{lacking}"
    ]
    if s.samples:
        found.append(
            "Rare values: where a column is summed up (means, deviations, t-tests, correlations), the rows that "
            "differ from its commonest value are a cell, for a sum of zeros and ones is a count. So are the rows of "
            "each value, in a column of four values or fewer, and of each pair, in two columns of six pairs or fewer."
        )
    if any(isinstance(one.rank, Fraction) for one in s.searches):
        found.append(
            f"A quantile is withheld, too, if for some owner 1 to {s.min_cell - 1} of the others' values lie between "
            "it and the next quantile, or the end. This is tested on the shared quantile, before it is opened."
        )
    if s.dominance:
        found.append(
            f"Dominance ({s.dominance} %): a sum is withheld, with what is made of it, if one value is more than "
            f"{s.dominance} % of the sum over all owners but one, and that owner does not have the value."
        )
    found += [
        f"Told together or not at all, as their columns hang together in a loop: {join_words(names)}."
        for names in _loops(s)
    ]
    return found


def _loops(settings: StatisticsSettings) -> list[list[str]]:
    numbers = loop_numbers(settings)
    return [[name for name, one in numbers.items() if one == number] for number in sorted(set(numbers.values()) - {0})]


def _facts(settings: StatisticsSettings) -> dict[str, Any]:
    return {
        "cells": {one.name: list(one.shape) for one in settings.cells},
        "sums": [sample.cells.name for sample in settings.samples],
        "searches": len(settings.searches),
        "min_cell": settings.min_cell,
        "dominance": settings.dominance,
        "missing_cells": settings.missing_cells,
    }


def _cells_grid(settings: StatisticsSettings) -> Grid:
    rows = tuple((one.name, " x ".join(map(str, one.shape)) or "1", count_text(one.size)) for one in settings.cells)
    title = "The counts that are opened" + (", but for those that are withheld" if settings.min_cell else "")
    return Grid(title, ("of", "cells", "in all"), rows, frozenset({0, 1}))
