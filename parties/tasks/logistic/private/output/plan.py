"""What a plan and a record say of a logistic regression by output or objective perturbation."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from parties.show.blocks import count_text, plural, to_digits
from parties.tasks.base import PlanText
from parties.tasks.logistic.private.job import ROWS_OF_COLUMNS, guarantee, neighbours_text, plan_text_on_shares
from parties.tasks.logistic.private.show import OBJECTIVE, UNIT, noise_unit, output_text
from parties.tasks.privacy.guarantee import NoisyRelease, noise_facts, noise_text
from protocols.privacy.estimates import margin
from protocols.training.private.perturbed_job import PerturbedSettings

if TYPE_CHECKING:
    from parties.scenario.file import Scenario


def output_plan_text(settings: PerturbedSettings, scenario: Scenario) -> PlanText:
    """The training's part of a plan."""
    steps = settings.how.course.steps
    work = f"{plural(steps, 'step')} on {count_text(settings.how.rows)} rows"
    facts = {"training": output_facts(settings), "privacy": output_guarantee(settings, scenario)}
    lines, words = _how(settings, scenario), {"weights": "weights"}
    return plan_text_on_shares(scenario, work, steps, lines, facts, _release(settings), words)


def output_facts(settings: PerturbedSettings) -> dict[str, Any]:
    """The training's public numbers."""
    how, course = settings.how, settings.how.course
    return {
        "solver": "output-perturbation" if how.linear is None else OBJECTIVE,
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


def output_guarantee(settings: PerturbedSettings, scenario: Scenario) -> dict[str, Any]:
    """The guarantee and its release, for plan and record."""
    how, c = settings.how, settings.how.linear
    noise = noise_facts(how.noise, sqrt(how.squared), 2.0**-how.grid)
    if c is not None:
        more = {"on_result": noise, "curvature_epsilon": c.excess.epsilon}
        noise = {**noise_facts(c.noise, sqrt(c.squared), c.unit), **more}
    facts = {**noise, "method": "output" if c is None else "objective", "norm": how.norm}
    return guarantee(scenario, facts, _release(settings))


def _release(settings: PerturbedSettings) -> NoisyRelease:
    how = settings.how
    error = margin(how.deviation) if how.linear is None else None
    return NoisyRelease("weights", "and intercept", how.columns, 1.0, error)


def _how(settings: PerturbedSettings, scenario: Scenario) -> list[str]:
    n, how = len(settings.owners), settings.how
    found = [neighbours_text(scenario), output_text(output_facts(settings))]
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
    return [
        *found,
        "No score can leave the range in which the sigmoid is right: the penalty bounds the weights. So no bit of a "
        "range check or of convergence is opened.",
    ]
