"""[privacy], as every kind of task for owners has it: the guarantee in words, what is outside it, and the releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import MISSING, Grid, Line, count_text, entries, is_number, plural, table, to_digits

if TYPE_CHECKING:
    from parties.scenario.privacy import PrivacySpec
    from protocols.privacy.noisy_sum import Noise

USES: Final[Mapping[str, str]] = {"DiscreteGaussian": "noise, which nobody knows whole"}
"""The use of the correlated randomness of `noisy_sum`, for a plan."""

NEIGHBOURS: Final = "a patient is one row of one owner, and is added or removed"
"""What the guarantee compares."""

NEIGHBOURS_TEXT: Final = (
    f"Neighbours: {NEIGHBOURS}. Who has several rows, or rows at several owners, is protected as several patients."
)
SMALL_COUNTS: Final = "[privacy] tells small counts, with noise, which a largest_epsilon in the policy allows"
"""What a policy's `minimum_cell` is told: nothing is tested for small cells."""


@dataclass(frozen=True)
class NoisyRelease:
    """One line of what a run releases with noise, for plan and record.

    Args:
        what: the kind of release; `of`: its name within that kind.
        numbers: how many numbers it has.
        share: of the budget, from 0 to 1.
        error: by how much a number is off at most in 95 of 100 runs, in its own unit; None where that depends on data.
    """

    what: str
    of: str
    numbers: int
    share: float
    error: float | None


# -- for approval, plan and record


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


def noise_text(deviation: float, owners: int, unit: str) -> str:
    """Whose noise is in each number, and which half of it the guarantee counts.

    Args:
        deviation: of all noise in a number, in the unit that is named.
    """
    return (
        f"Noise: each number is told with a discrete Gaussian of standard deviation {to_digits(deviation)} {unit}. "
        f"Half of its variance is from the helper and half from the {owners} owners together, so that neither the "
        "helper nor all owners but one can take off more than half. The guarantee holds against either with the half "
        f"that is left (standard deviation {to_digits(deviation / 2**0.5)}); the doubled variance is the price of "
        "trusting nobody."
    )


def noise_facts(noise: Noise, sensitivity: float, unit: float) -> dict[str, Any]:
    """The noise of a release, for plan and record.

    Args:
        sensitivity: how far a patient changes the release at most, in the whole numbers that are added up (the L2 norm
            of the change where it may change several).
        unit: what 1 of these whole numbers stands for.
    """
    return {
        "deviation": noise.opened_variance**0.5 * unit,
        "unit": unit,
        "variance": noise.variance,
        "sensitivity": sensitivity,
    }


def privacy_facts(
    privacy: PrivacySpec, noise: Mapping[str, Any], releases: Sequence[NoisyRelease], beside: Sequence[str]
) -> dict[str, Any]:
    """The guarantee and all releases, for plan and record: what a kind puts under `privacy`.

    Args:
        noise: of `noise_facts`, and more where a kind has more to say.
        beside: what is told without noise: of `outside`, and more.
    """
    return {
        "epsilon": privacy.epsilon,
        "delta": privacy.delta,
        "unit": privacy.unit,
        "neighbours": NEIGHBOURS,
        "noise": dict(noise),
        "releases": [asdict(one) for one in releases],
        "outside": list(beside),
    }


def releases_grid(releases: Sequence[NoisyRelease], words: Mapping[str, str]) -> Grid:
    """Each release with its share of the budget and its error.

    Args:
        words: what stands before the name of a release, by its kind; '' where the name says it.
    """
    rows = tuple(
        (
            f"{words[one.what]} {one.of}".strip(),
            count_text(one.numbers),
            f"{100 * one.share:.3g} %",
            MISSING if one.error is None else to_digits(one.error),
        )
        for one in releases
    )
    title = "What is released with noise (error: at most, in 95 of 100 runs)"
    return Grid(title, ("release", "numbers", "of the budget", "error of each"), rows, frozenset({0}))


def outside_grid(beside: Sequence[str]) -> Grid:
    """What is told without noise."""
    return Grid("Told without noise: not covered by epsilon", ("what",), tuple((one,) for one in beside))


# -- from a record


def spent_text(privacy: Mapping[str, Any], unit: str) -> str:
    """What a run spent, in two sentences, from a record's `privacy`.

    Args:
        unit: of the noise.
    """
    noise, releases = table(privacy.get("noise")), entries(privacy.get("releases"))
    epsilon, delta = (f"{one:g}" if is_number(one) else MISSING for one in map(privacy.get, ("epsilon", "delta")))
    return (
        f"Differentially private: epsilon = {epsilon} and delta = {delta} were spent, for each {privacy.get('unit')}, "
        f"on {plural(len(releases), 'release')}. Each number has noise of standard deviation "
        f"{to_digits(noise.get('deviation'))} {unit}."
    )


def outside_line(privacy: Mapping[str, Any]) -> Line:
    """What the guarantee does not cover, in a sentence, from a record's `privacy`."""
    return Line(f"Not covered by epsilon: {'; '.join(map(str, entries(privacy.get('outside'))))}.")
