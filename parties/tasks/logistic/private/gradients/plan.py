"""What a plan says of a logistic regression by noisy gradients."""

from __future__ import annotations

from parties.scenario.file import Scenario
from parties.show.blocks import Line, count_text, plural, to_digits
from parties.tasks.base import PlanText
from parties.tasks.logistic.private.gradients.record import WORDS, noisy_training_facts, privacy_facts_of, releases_of
from parties.tasks.logistic.private.show import step_text
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import NEIGHBOURS_TEXT, USES, noise_text, outside, outside_grid, releases_grid
from protocols.training.private.noisy_descent import NoisySettings


def noisy_plan_text(how: NoisySettings, scenario: Scenario) -> PlanText:
    """The training's part of a plan."""
    privacy = scenario.privacy
    assert privacy is not None
    work = (
        f"{plural(len(how.owners), 'owner')} and a helper; {plural(len(how.features), 'feature')}; "
        f"{count_text(how.steps)} noisy sums of gradients: {privacy.text}."
    )
    least = scenario.task_as(LogisticTask).min_rows
    return PlanText(
        scenario={"features": len(how.features), "steps": how.steps},
        facts={"training": noisy_training_facts(how), "privacy": privacy_facts_of(how, scenario)},
        work=work,
        how=tuple(map(Line, _how(how))),
        helper_learns=("the scenario's settings, and when the owners ask for more",),
        uses=USES,
        details=(releases_grid(releases_of(how), WORDS), outside_grid(outside(least))),
    )


def _how(how: NoisySettings) -> list[str]:
    found = [
        NEIGHBOURS_TEXT,
        step_text(noisy_training_facts(how)),
        noise_text(how.deviation, len(how.owners), "(a row changes a sum by at most its norm)"),
    ]
    found.append(
        "Divided by the number of rows, it is the noise of each number in a step's mean gradient, whose norm is "
        f"{how.clipping.norm:g} or less: {_by_rows(how)}."
    )
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
