"""What a plan and a record say of a logistic regression by output or objective perturbation."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import Line, count_text, plural, to_digits
from parties.tasks.base import PlanText
from parties.tasks.logistic.private.agreed import most_rows
from parties.tasks.logistic.private.output_show import OBJECTIVE, UNIT, noise_unit, output_text
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import (
    NEIGHBOURS_TEXT,
    NoisyRelease,
    noise_facts,
    noise_text,
    outside,
    outside_grid,
    privacy_facts,
    releases_grid,
)
from protocols.statistics.private.estimates import margin
from protocols.training.private.perturbed_job import PerturbedSettings

if TYPE_CHECKING:
    from parties.scenario.file import Scenario

SOLVER: Final = "output-perturbation"
USES: Final[Mapping[str, str]] = {
    "DiscreteGaussian": "noise, which nobody knows whole",
    "OwnMasks": "hiding each owner's own rows, once for the whole run",
    "Uniform": "hiding the rows, once for the whole run",
    "AnyBit": "whether ids are the same (split columns)",
    "HeldProduct": "the rows times the weights, at each step",
    "SineMask": "the sigmoid, at each step",
    "HeldTransposeProduct": "the gradient, at each step",
    "Truncation": "cutting weights to fewer bits",
}


def output_plan_text(settings: PerturbedSettings, scenario: Scenario) -> PlanText:
    """The training's part of a plan."""
    privacy, how = scenario.privacy, settings.how
    assert privacy is not None
    work = (
        f"{plural(len(settings.owners), 'owner')} and a helper; {plural(settings.features, 'feature')}; "
        f"{plural(how.course.steps, 'step')} on {count_text(how.rows)} rows, filled up: {privacy.text}."
    )
    return PlanText(
        scenario={"features": settings.features, "steps": how.course.steps},
        facts={"training": output_facts(settings), "privacy": output_privacy_facts(settings, scenario)},
        work=work,
        how=tuple(map(Line, _how(settings, scenario))),
        helper_learns=(
            f"how many rows are agreed on ({count_text(settings.rows)}), not how many there are",
            "the scenario's settings, and when the owners ask for more",
        ),
        uses=USES,
        details=(releases_grid(releases_of(settings), WORDS), outside_grid(told_exactly(scenario))),
    )


def output_facts(settings: PerturbedSettings) -> dict[str, Any]:
    """The training's public numbers."""
    how, course = settings.how, settings.how.course
    return {
        "solver": SOLVER if how.linear is None else OBJECTIVE,
        "steps": course.steps,
        "batch_size": None,
        "momentum": course.how.momentum,
        "l2": course.strength / how.rows,
        "penalty": course.strength,
        "norm": how.norm,
        "rows": how.rows,
        "sensitivity": course.sensitivity,
        "distance": course.distance,
        "converged": None,
    }


def _how(settings: PerturbedSettings, scenario: Scenario) -> list[str]:
    n, how = len(settings.owners), settings.how
    found = [NEIGHBOURS_TEXT] if not scenario.vertical else [NEIGHBOURS_OF_COLUMNS_TEXT]
    found.append(output_text(output_facts(settings)))
    if how.linear is None:
        found.append(noise_text(how.deviation, n, UNIT))
    else:
        found.append(noise_text(how.linear.deviation, n, noise_unit(to_digits(how.norm, 3))))
        found.append(
            f"A patient changes the curvature, too, which costs {to_digits(how.linear.excess.epsilon, 3)} of epsilon. "
            f"The noise on the result has standard deviation {to_digits(how.deviation, 2)} {UNIT}."
        )
    if scenario.vertical:
        found.append(ROWS_OF_COLUMNS)
    found.append(
        "No score can leave the range in which the sigmoid is right: the penalty bounds the weights. So no bit of a "
        "range check or of convergence is opened."
    )
    return found


NEIGHBOURS_OF_COLUMNS: Final = "a patient is one row, of which each owner has a part, and is added or removed at all"
"""What the guarantee compares, where columns are split."""
NEIGHBOURS_OF_COLUMNS_TEXT: Final = (
    f"Neighbours: {NEIGHBOURS_OF_COLUMNS}. Owners know who is in the data: the guarantee is about what the model tells "
    "of a patient's values, to whom it is shown and to the owners who lack them."
)
ROWS_OF_COLUMNS: Final = (
    "Each owner scales its own part of a row to an agreed length, so that no row is longer than agreed, and nobody "
    "sees one whole."
)


def releases_of(settings: PerturbedSettings) -> list[NoisyRelease]:
    """What is released with noise."""
    how = settings.how
    error = margin(how.deviation) if how.linear is None else None
    return [NoisyRelease("weights", "and intercept", how.columns, 1.0, error)]


WORDS: Final = {"weights": "weights"}


def told_exactly(scenario: Scenario) -> list[str]:
    """What is told without noise."""
    assert scenario.privacy is not None
    least = scenario.task_as(LogisticTask).min_rows
    _, *rest = outside(least)
    most = f"that each owner has {least} (min_rows) to {most_rows(scenario)} (most_rows) rows; not how many they are"
    ids = ["whether all owners' lists of ids are the same"] if scenario.vertical else []
    return [most, *ids, *rest]


def output_privacy_facts(settings: PerturbedSettings, scenario: Scenario) -> dict[str, Any]:
    """The guarantee and its release, for plan and record."""
    assert scenario.privacy is not None
    how = settings.how
    noise, c = noise_facts(how.noise, sqrt(how.squared), 2.0**-how.grid), how.linear
    if c is not None:
        more = {"on_result": noise, "curvature_epsilon": c.excess.epsilon}
        noise = {**noise_facts(c.noise, sqrt(c.squared), c.unit), **more}
    facts = {**noise, "method": "output" if c is None else "objective", "norm": how.norm}
    told = privacy_facts(scenario.privacy, facts, releases_of(settings), told_exactly(scenario))
    return with_columns(told, split=scenario.vertical)


def with_columns(facts: Mapping[str, Any], *, split: bool) -> dict[str, Any]:
    """The guarantee with the neighbours that there are where columns are split."""
    return {**facts, "neighbours": NEIGHBOURS_OF_COLUMNS} if split else dict(facts)
