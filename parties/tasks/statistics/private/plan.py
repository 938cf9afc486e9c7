"""What a plan and a record say of statistics with [privacy]."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, hypot
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import Grid, Line, count_text, plural, to_digits
from parties.tasks.base import PlanText
from parties.tasks.privacy.guarantee import (
    NEIGHBOURS_TEXT,
    USES,
    NoisyRelease,
    noise_facts,
    noise_text,
    outside,
    outside_grid,
    privacy_facts,
    releases_grid,
)
from protocols.privacy.estimates import margin
from protocols.statistics.private.job import OF_VALUES, PrivateSettings, Release
from protocols.statistics.private.survival import at_risk_deviations, least_at_risk

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.privacy import PrivacySpec


def private_plan_text(settings: PrivateSettings, scenario: Scenario) -> PlanText:
    """The statistics' part of a plan."""
    s, privacy = settings.statistics, scenario.privacy
    assert privacy is not None
    by = f", by {s.by} ({plural(s.groups, 'group')})" if s.by else ""
    numbers = sum(one.size for one in settings.releases)
    work = (
        f"{plural(len(s.owners), 'owner')} and a helper{by}; {count_text(numbers)} noisy numbers in "
        f"{plural(len(settings.releases), 'release')}: {privacy.text}."
    )
    return PlanText(
        scenario={},
        facts={"privacy": privacy_facts_of(settings, privacy), "statistics": _facts(settings)},
        work=work,
        how=tuple(map(Line, _how(settings))),
        helper_learns=("the scenario's settings, and when the owners ask for more",),
        uses=USES,
        details=(
            releases_grid(noisy_releases(settings), _WORDS),
            *_quantiles_grid(settings),
            *_curves_grid(settings),
            outside_grid(outside(s.rows[0])),
        ),
    )


def _how(settings: PrivateSettings) -> list[str]:
    return [
        NEIGHBOURS_TEXT,
        noise_text(settings.deviation, len(settings.statistics.owners), "patients"),
        "Small cells are not withheld: noise covers them. Counts may come out below 0; they are not changed.",
    ]


def error_of(settings: PrivateSettings, one: Release) -> float:
    """By how much a number of a release is off at most in 95 of 100 runs, in the unit of its column or in patients."""
    reach = margin(settings.deviation)
    if one.what not in OF_VALUES:
        return reach
    clip = settings.clip_of(one.columns[0])
    if one.what == "product":
        return (reach + settings.rounding) * clip.half * settings.clip_of(one.columns[1]).half
    if one.what == "sum":
        return reach * hypot(clip.centre, clip.half) + clip.half * settings.rounding
    return (reach + settings.rounding) * clip.half**2 / 2


def _quantile_facts(settings: PrivateSettings) -> list[dict[str, Any]]:
    """Of each column whose quantiles are told: its tree, and how many ranks they are off at most in 95 of 100 runs."""
    shares, reach = settings.statistics.quantiles, margin(settings.deviation)
    return [
        {
            "column": column,
            "points": tree.points,
            "degree": tree.degree,
            "levels": len(tree.widths),
            "error": reach * max(map(tree.error, shares)),
        }
        for column, tree in settings.trees.items()
    ]


def _quantiles_grid(settings: PrivateSettings) -> list[Grid]:
    rows = tuple(
        (one["column"], count_text(one["points"]), str(one["degree"]), str(one["levels"]), to_digits(one["error"]))
        for one in _quantile_facts(settings)
    )
    heads = ("column", "points", "degree of the tree", "levels", "error in ranks")
    return [Grid("Quantiles, from a tree of counts over each grid", heads, rows)] if rows else []


def _curve_facts(settings: PrivateSettings) -> list[dict[str, Any]]:
    """How exact each arm of each set of curves will be: by how much the patients at risk at the first time, and the
    number of events, are off at most in 95 of 100 runs, and how many at risk a curve needs to be told."""
    s, deviation = settings.statistics, settings.deviation
    found = []
    for one, cells in s.exact_curves.items():
        times = cells.shape[-2] - 1
        at_risk, least = at_risk_deviations(times, deviation), least_at_risk(times, deviation)
        found.append(
            {
                "of": s.curves[one].name,
                "times": times,
                "at_risk_error": margin(float(at_risk[0])),
                "events_error": margin(deviation * times**0.5),
                "least_at_risk": [float(least[0]), float(least[-1])],
            }
        )
    return found


def _curves_grid(settings: PrivateSettings) -> list[Grid]:
    rows = tuple(
        (
            one["of"],
            count_text(one["times"]),
            to_digits(one["at_risk_error"]),
            to_digits(one["events_error"]),
            " to ".join(count_text(ceil(least)) for least in one["least_at_risk"]),
        )
        for one in _curve_facts(settings)
    )
    heads = ("of", "times", "error of those at risk", "error of all events", "least at risk, first to last time")
    return [Grid("Survival curves, from a noisy table of events", heads, rows, frozenset({0}))] if rows else []


def _facts(settings: PrivateSettings) -> dict[str, Any]:
    return {"quantiles": _quantile_facts(settings), "survival": _curve_facts(settings)}


def noisy_releases(settings: PrivateSettings) -> list[NoisyRelease]:
    """All releases, each with its share of the budget and its error."""
    share = 1 / len(settings.releases)
    return [NoisyRelease(one.what, one.name, one.size, share, error_of(settings, one)) for one in settings.releases]


def privacy_facts_of(settings: PrivateSettings, privacy: PrivacySpec) -> dict[str, Any]:
    """The guarantee and all releases, for plan and record."""
    sensitivity = settings.calibration.sensitivity
    noise = noise_facts(settings.calibration.noise, sensitivity, 1 / sensitivity)
    return privacy_facts(privacy, noise, noisy_releases(settings), outside(settings.statistics.rows[0]))


_WORDS: Final[Mapping[str, str]] = {
    "rows": "counts:",
    "count": "counts:",
    "sum": "",
    "squares": "",
    "histogram": "counts:",
    "table": "counts:",
    "ranks": "counts:",
    "events": "counts:",
    "product": "",
}
