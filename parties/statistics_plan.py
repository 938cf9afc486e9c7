"""What the plan of statistics says beside what every plan says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.blocks import Grid, Line, count_text, plural
from parties.job import PlanTold
from protocols.statistics_settings import StatisticsSettings

USES: Final[Mapping[str, str]] = {
    "BitsOfMask": "comparing how many values are below a point with how many should be",
    "MultiplyTriple": "products of bits, for the same",
}
"""What statistics need each kind of correlated randomness for."""

_TWO_OWNERS: Final = (
    "Of two owners, each learns the other's addend of every count and sum here: it takes its own off. With three or "
    "more, all but one together learn that one's. What is looked for on a grid (min, max, quantiles) tells the "
    "answer only."
)


def statistics_told(settings: StatisticsSettings) -> PlanTold:
    """What the plan of a run of statistics says."""
    rows = dict(zip(settings.owners, settings.rows, strict=True))
    cells, sums = sum(one.size for one in settings.cells), len(settings.samples)
    by = f", by {settings.by} ({plural(settings.groups, 'group')})" if settings.by else ""
    work = (
        f"{plural(len(settings.owners), 'owner')} and a helper; {count_text(sum(settings.rows))} rows{by}; "
        f"{count_text(cells)} counts, sums in {plural(sums, 'table')}, {count_text(len(settings.searches))} values "
        "on grids."
    )
    return PlanTold(
        scenario={"rows": {owner: {"train": count, "test": 0} for owner, count in rows.items()}},
        facts={"statistics": _facts(settings)},
        work=work,
        how=(Line(_TWO_OWNERS),),
        helper_learns=(
            "how many rows each owner has",
            "the scenario's settings, and when the owners ask for more",
        ),
        uses=USES,
        details=(_cells_grid(settings),),
    )


def _facts(settings: StatisticsSettings) -> dict[str, Any]:
    return {
        "cells": {one.name: list(one.shape) for one in settings.cells},
        "sums": [sample.cells.name for sample in settings.samples],
        "searches": len(settings.searches),
    }


def _cells_grid(settings: StatisticsSettings) -> Grid:
    rows = tuple((one.name, " x ".join(map(str, one.shape)) or "1", count_text(one.size)) for one in settings.cells)
    return Grid("The counts that are opened", ("of", "cells", "in all"), rows, frozenset({0, 1}))
