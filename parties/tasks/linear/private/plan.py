"""The parts of a plan that only a linear regression with [privacy] has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from parties.show.blocks import Grid, count_text, to_digits
from parties.tasks.base import PlanText
from parties.tasks.linear.private.record import guarantee, releases_of
from parties.tasks.privacy.guarantee import NEIGHBOURS_TEXT, noise_text, outside
from parties.tasks.private_job import plan_text
from protocols.linear.noisy_fit import CLEAR
from protocols.linear.noisy_moments import NoisyLinear, Number
from protocols.privacy.estimates import margin

if TYPE_CHECKING:
    from parties.scenario.file import Scenario

_ROWS: Final = (1_000, 10_000, 100_000)


def private_plan_text(settings: NoisyLinear, scenario: Scenario) -> PlanText:
    """A linear regression's part of a plan."""
    return plan_text(
        scenario,
        {"features": len(settings.names)},
        f"{count_text(settings.size)} noisy sums of products in 1 release",
        _how(settings),
        {"privacy": guarantee(scenario, settings), "rows_for_intervals": rows_for_intervals(settings)},
        releases_of(settings),
        {"products": "sums of products of"},
        outside(scenario.model_task.min_rows),
        more=(_errors_grid(settings),),
    )


def rows_for_intervals(settings: NoisyLinear) -> int:
    """About how many rows of all owners it takes for intervals, with features as `_spreads` assumes."""
    inverse = math.hypot(1.0, *(1 / one for one in _spreads(settings)))
    return round(CLEAR * settings.deviation * inverse)


def _spreads(settings: NoisyLinear) -> list[float]:
    """The variance of each scaled column that the plan assumes: numbers have ranges six standard deviations wide, all
    levels of a category are as frequent, and columns do not go together."""
    terms = settings.scaling.terms
    found: list[float] = []
    for one in terms:
        part = 2 / len(terms)
        found += [4 * part / 9] if isinstance(one, Number) else [part / one.columns] * one.columns
    return found


def _how(settings: NoisyLinear) -> list[str]:
    rows = count_text(rows_for_intervals(settings))
    return [
        "Each owner scales its columns by the agreed ranges, values beyond counting as the nearer end, and adds up the "
        "products of all pairs of columns. A row whose numbers are, in root mean square, beyond the inner half of "
        "their ranges counts less.",
        NEIGHBOURS_TEXT,
        noise_text(settings.deviation, len(settings.owners), "patients"),
        "Coefficients and intervals are computed from the noisy sums by every owner for itself. With fewer than about "
        f"{rows} rows of all owners noise is likely too large for intervals; with features that hardly vary within "
        "their ranges, or go together, it takes more.",
    ]


def _errors_grid(settings: NoisyLinear) -> Grid:
    """The noise in each coefficient, for some numbers of rows: nobody is told how many there are."""
    (slope, _), (_, halves) = settings.scaling.parts, settings.scaling.ends
    own = [math.hypot(*row) / half for row, half in zip(slope / _spreads(settings), halves, strict=True)]
    unit = margin(settings.deviation) / math.sqrt(2.0) * settings.scaling.target.half
    rows = tuple(
        (name, *(to_digits(unit * one / count, 3) for count in _ROWS))
        for name, one in zip(settings.names, own, strict=True)
    )
    title = (
        "What noise adds to a coefficient (at most, in 95 of 100 runs), where ranges are 6 standard deviations wide, "
        "levels are as frequent and features do not go together"
    )
    heads = ("feature", *(f"{count_text(count)} rows" for count in _ROWS))
    return Grid(title, heads, rows, frozenset({0}))
