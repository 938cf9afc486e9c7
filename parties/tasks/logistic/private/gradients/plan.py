"""What a plan says of a logistic regression by noisy gradients of owners' own rows."""

from __future__ import annotations

from parties.scenario.file import Scenario
from parties.show.blocks import count_text, to_digits
from parties.tasks.base import PlanText
from parties.tasks.logistic.private.gradients.record import guarantee, noisy_training_facts, releases_of
from parties.tasks.logistic.private.show import step_text
from parties.tasks.privacy.guarantee import NEIGHBOURS_TEXT, noise_text, outside
from parties.tasks.private_job import plan_text
from protocols.training.private.noisy_descent import COUNTS, GRADIENTS, NoisySettings


def noisy_plan_text(how: NoisySettings, scenario: Scenario) -> PlanText:
    """The training's part of a plan."""
    return plan_text(
        scenario,
        {"features": len(how.features), "steps": how.steps},
        f"{count_text(how.steps)} noisy sums of gradients",
        _how(how),
        {"training": noisy_training_facts(how), "privacy": guarantee(how, scenario)},
        releases_of(how),
        {"gradients": GRADIENTS, "counts": COUNTS},
        outside(scenario.model_task.min_rows),
    )


def _how(how: NoisySettings) -> list[str]:
    found = [
        NEIGHBOURS_TEXT,
        step_text(noisy_training_facts(how)),
        noise_text(how.deviation, len(how.owners), "(a row changes a sum by at most its norm)"),
        "Divided by the number of rows, it is the noise of each number in a step's mean gradient, whose norm is "
        f"{how.clipping.norm:g} or less: {_by_rows(how)}.",
    ]
    if how.rate < 1.0:
        found.append(
            "Which rows are in a step is known to their owner alone, and the guarantee counts on that: it holds "
            "against the helper and all other owners, unless they see how long the owner takes for a step."
        )
    if how.held_out:
        found.append(
            f"Each row is held out with chance {how.held_out:g}, by a coin that its owner alone sees: it is trained on "
            "or counted in the metrics, never both, so that either may spend the whole budget."
        )
    return found


def _by_rows(how: NoisySettings) -> str:
    return ", ".join(
        f"{to_digits(how.deviation / (how.rate * rows), 2)} with {count_text(rows)} rows"
        for rows in (300, 3_000, 30_000)
    )
