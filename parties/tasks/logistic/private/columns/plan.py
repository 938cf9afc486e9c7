"""What a plan and a record say of noisy gradients of split columns."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

from parties.show.blocks import count_text, plural
from parties.tasks.base import PlanText
from parties.tasks.logistic.private.job import ROWS_OF_COLUMNS, guarantee, neighbours_text, plan_text_on_shares
from parties.tasks.logistic.private.show import step_text
from parties.tasks.privacy.guarantee import NoisyRelease, noise_facts, noise_text
from protocols.training.private.shared_gradients import E_BITS, GRADIENTS, X_BITS, SharedGradients

if TYPE_CHECKING:
    from parties.scenario.file import Scenario


def columns_plan_text(how: SharedGradients, scenario: Scenario) -> PlanText:
    """The training's part of a plan."""
    work = f"{plural(how.steps, 'noisy sum')} of gradients of {count_text(how.rows)} rows"
    lines = [
        neighbours_text(scenario),
        step_text(columns_facts(how)),
        noise_text(how.deviation, len(how.owners), f"(a row changes a sum by {how.norm:g} at most)"),
        ROWS_OF_COLUMNS,
    ]
    facts = {"training": columns_facts(how), "privacy": columns_guarantee(how, scenario)}
    return plan_text_on_shares(scenario, work, how.steps, lines, facts, _release(how), {"gradients": GRADIENTS})


def columns_facts(how: SharedGradients) -> dict[str, Any]:
    """The training's public numbers."""
    return {
        "solver": "noisy-gradients",
        "shared": True,
        "steps": how.steps,
        "batch_size": None,
        "rate": 1.0,
        "norm": how.norm,
        "learning_rate": how.step_size,
        "momentum": how.momentum,
        "l2": how.l2,
        "converged": None,
        "rows": how.rows,
    }


def columns_guarantee(how: SharedGradients, scenario: Scenario) -> dict[str, Any]:
    """The guarantee and its releases, for plan and record."""
    noise = noise_facts(how.noise, sqrt(how.mechanism.squared), 2.0 ** -(X_BITS + E_BITS))
    return guarantee(scenario, {**noise, "method": "gradients", "norm": how.norm}, _release(how))


def _release(how: SharedGradients) -> NoisyRelease:
    return NoisyRelease("gradients", f"{how.steps} times", how.features + 1, 1.0, None)
