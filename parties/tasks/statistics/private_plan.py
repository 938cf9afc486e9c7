"""What a plan, an approval and a record say of statistics with [privacy]."""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import Grid, Line, count_text, plural, to_digits
from parties.tasks.base import PlanText
from protocols.statistics.noisy_estimates import margin
from protocols.statistics.private import PrivateSettings, Release

if TYPE_CHECKING:
    from parties.scenario.file import Scenario
    from parties.scenario.privacy import PrivacySpec

USES: Final[Mapping[str, str]] = {"DiscreteGaussian": "noise, which nobody knows whole"}

NEIGHBOURS: Final = "a patient is one row of one owner, and is added or removed"
"""What the guarantee compares."""


def outside(min_rows: int) -> list[str]:
    """What is told without noise, and so not covered by epsilon and delta."""
    return [
        f"that each owner has at least min_rows = {min_rows} rows; no number of rows is told",
        "whether an owner's data are as the scenario says: a missing column, a value that is no number or none of its "
        "category's levels, or an owner's policy, ends the run",
        "how long parties take, and whether they come",
    ]


def privacy_notice(privacy: PrivacySpec) -> list[tuple[str, str]]:
    """What an approval says of it, beside the owner's data."""
    clips = "; ".join(f"{column} from {low:g} to {high:g}" for column, (low, high) in privacy.clip.items())
    return [
        ("privacy", f"{privacy.text}; {NEIGHBOURS}"),
        *([("values beyond count as the nearer end", clips)] if clips else []),
        ("rows that the others are told", "that there are at least min_rows"),
    ]


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
        facts={"privacy": privacy_facts_of(settings, s.rows[0])},
        work=work,
        how=tuple(map(Line, _how(settings))),
        helper_learns=("the scenario's settings, and when the owners ask for more",),
        uses=USES,
        details=(releases_grid(settings), _outside_grid(s.rows[0])),
    )


def _how(settings: PrivateSettings) -> list[str]:
    n = len(settings.statistics.owners)
    deviation = settings.deviation
    return [
        f"Neighbours: {NEIGHBOURS}. Who has several rows, or rows at several owners, is protected as several patients.",
        f"Noise: each number is told with a discrete Gaussian of standard deviation {to_digits(deviation)} patients. "
        f"Half of its variance is from the helper and half from the {n} owners together, so that neither the helper "
        "nor all owners but one can take off more than half. The guarantee holds against either with the half that is "
        f"left (standard deviation {to_digits(deviation / 2**0.5)}); the doubled variance is the price of trusting "
        "nobody.",
        "Small cells are not withheld: noise covers them. Counts may come out below 0; they are not changed.",
    ]


def error_of(settings: PrivateSettings, one: Release) -> float:
    """By how much a number of a release is off at most in 95 of 100 runs, in the unit of its column or in patients."""
    reach = margin(settings.deviation)
    if one.what not in ("sum", "squares"):
        return reach
    clip = settings.clip_of(one.column)
    if one.what == "sum":
        return reach * hypot(clip.centre, clip.half) + clip.half * settings.rounding
    return (reach + settings.rounding) * clip.half**2 / 2


def privacy_facts_of(settings: PrivateSettings, min_rows: int) -> dict[str, Any]:
    """The guarantee and all releases, for plan and record."""
    share = 1 / len(settings.releases)
    return {
        "epsilon": settings.epsilon,
        "delta": settings.delta,
        "unit": "patient",
        "neighbours": NEIGHBOURS,
        "noise": {
            "deviation": settings.deviation,
            "unit": 1 / settings.calibration.sensitivity,
            "variance": settings.calibration.noise.variance,
            "sensitivity": settings.calibration.sensitivity,
        },
        "releases": [
            {
                "what": one.what,
                "of": one.name,
                "numbers": one.size,
                "share": share,
                "error": error_of(settings, one),
            }
            for one in settings.releases
        ],
        "outside": outside(min_rows),
    }


def releases_grid(settings: PrivateSettings) -> Grid:
    """Each release with its share of the budget and its error."""
    share = 1 / len(settings.releases)
    rows = tuple(
        (
            f"{_WORDS[one.what]} {one.name}".strip(),
            count_text(one.size),
            f"{100 * share:.3g} %",
            to_digits(error_of(settings, one)),
        )
        for one in settings.releases
    )
    title = "What is released with noise (error: at most, in 95 of 100 runs)"
    return Grid(title, ("release", "numbers", "of the budget", "error of each"), rows, frozenset({0}))


_WORDS: Final[Mapping[str, str]] = {
    "rows": "counts:",
    "count": "counts:",
    "sum": "",
    "squares": "",
    "histogram": "counts:",
    "table": "counts:",
}


def _outside_grid(min_rows: int) -> Grid:
    return Grid("Told without noise: not covered by epsilon", ("what",), tuple((one,) for one in outside(min_rows)))
