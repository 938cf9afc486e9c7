"""The parts of a plan that only a linear regression with [privacy] has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from parties.show.blocks import Grid, Line, count_text, plural, to_digits
from parties.tasks.base import PlanText
from parties.tasks.linear.private.record import guarantee, releases_of
from parties.tasks.linear.settings import LinearTask
from parties.tasks.privacy.guarantee import NEIGHBOURS_TEXT, USES, noise_text, outside, outside_grid, releases_grid
from protocols.linear.noisy_fit import CLEAR
from protocols.linear.noisy_moments import NoisyLinear, Number

if TYPE_CHECKING:
    from parties.scenario.file import Scenario

_ROWS: Final = (1_000, 10_000, 100_000)
_Z: Final = 1.959963984540054


def private_plan_text(settings: NoisyLinear, scenario: Scenario) -> PlanText:
    """A linear regression's part of a plan."""
    privacy, least = scenario.privacy, scenario.task_as(LinearTask).min_rows
    assert privacy is not None
    work = (
        f"{plural(len(settings.owners), 'owner')} and a helper, {plural(len(settings.names), 'feature')}; "
        f"{count_text(settings.size)} noisy sums of products in 1 release: {privacy.text}."
    )
    return PlanText(
        scenario={"features": len(settings.names)},
        facts={"privacy": guarantee(scenario, settings), "rows_for_intervals": rows_for_intervals(settings)},
        work=work,
        how=tuple(map(Line, _how(settings))),
        helper_learns=("the scenario's settings, and when the owners ask for more",),
        uses=USES,
        details=(
            releases_grid(releases_of(settings), {"products": "sums of products of"}),
            _errors_grid(settings),
            outside_grid(outside(least)),
        ),
    )


def rows_for_intervals(settings: NoisyLinear) -> int:
    """From about how many rows of all owners there are intervals, if features are as `_spreads` says."""
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
    """What noise alone adds to each coefficient, for numbers of rows that nobody states."""
    (slope, _), (_, halves) = settings.scaling.parts, settings.scaling.ends
    own = [math.hypot(*row) / half for row, half in zip(slope / _spreads(settings), halves, strict=True)]
    unit = _Z * settings.deviation / math.sqrt(2.0) * settings.scaling.target.half
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
