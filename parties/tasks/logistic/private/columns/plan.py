"""What a plan and a record say of noisy gradients of split columns."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any, Final

from parties.show.blocks import Line, count_text, plural
from parties.tasks.base import PlanText
from parties.tasks.logistic.private.output.plan import (
    NEIGHBOURS_OF_COLUMNS_TEXT,
    ROWS_OF_COLUMNS,
    told_exactly,
    with_columns,
)
from parties.tasks.logistic.private.show import step_text
from parties.tasks.privacy.guarantee import (
    NoisyRelease,
    noise_facts,
    noise_text,
    outside_grid,
    privacy_facts,
    releases_grid,
)
from protocols.training.private.shared_gradients import E_BITS, GRADIENTS, X_BITS, SharedGradients

if TYPE_CHECKING:
    from parties.scenario.file import Scenario

_USES: Final = {
    "DiscreteGaussian": "noise, which nobody knows whole",
    "Uniform": "hiding the rows, once for the whole run",
    "AnyBit": "whether ids are the same",
    "SineMask": "the sigmoid, at each step",
    "HeldTransposeProduct": "the gradient, at each step",
}
_WORDS: Final = {"gradients": GRADIENTS}


def columns_plan_text(how: SharedGradients, scenario: Scenario) -> PlanText:
    """The training's part of a plan."""
    privacy = scenario.privacy
    assert privacy is not None
    work = (
        f"{plural(len(how.owners), 'owner')} and a helper; {plural(how.features, 'feature')}; "
        f"{plural(how.steps, 'noisy sum')} of gradients of {count_text(how.rows)} rows, filled up: {privacy.text}."
    )
    lines = [
        NEIGHBOURS_OF_COLUMNS_TEXT,
        step_text(columns_facts(how)),
        noise_text(how.deviation, len(how.owners), f"(a row changes a sum by {how.norm:g} at most)"),
        ROWS_OF_COLUMNS,
    ]
    return PlanText(
        scenario={"features": how.features, "steps": how.steps},
        facts={"training": columns_facts(how), "privacy": columns_privacy_facts(how, scenario)},
        work=work,
        how=tuple(map(Line, lines)),
        helper_learns=(
            f"how many rows are agreed on ({count_text(how.rows)}), not how many there are",
            "the scenario's settings, and when the owners ask for more",
        ),
        uses=_USES,
        details=(releases_grid(_releases_of(how), _WORDS), outside_grid(told_exactly(scenario))),
    )


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


def columns_privacy_facts(how: SharedGradients, scenario: Scenario) -> dict[str, Any]:
    """The guarantee and its releases, for plan and record."""
    assert scenario.privacy is not None
    noise = noise_facts(how.noise, sqrt(how.mechanism.squared), 2.0 ** -(X_BITS + E_BITS))
    noise |= {"method": "gradients", "norm": how.norm}
    return with_columns(
        privacy_facts(scenario.privacy, noise, _releases_of(how), told_exactly(scenario)), split=scenario.vertical
    )


def _releases_of(how: SharedGradients) -> list[NoisyRelease]:
    return [NoisyRelease("gradients", f"{how.steps} times", how.features + 1, 1.0, None)]
