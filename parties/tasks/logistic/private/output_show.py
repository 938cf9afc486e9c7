"""A logistic regression by output or objective perturbation in words, for plan, summary and report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import count_text, to_digits

UNIT: Final = "in units of features that are scaled to their agreed ranges"
OBJECTIVE: Final = "objective-perturbation"
"""The `solver` of a record's or plan's `training`."""


def noise_unit(norm: Any) -> str:
    """Where the noise of an objective is."""
    return f"in the sum of gradients that the training starts from, to which a row adds a norm of at most {norm}"


def output_text(facts: Mapping[str, Any]) -> str:
    """How the model came about, in sentences, from plan or record."""
    one = {key: to_digits(facts.get(key), 3) for key in ("l2", "penalty", "norm", "sensitivity", "distance")}
    if facts.get("solver") == OBJECTIVE:
        return (
            f"Objective perturbation: {count_text(facts.get('steps'))} steps to the minimum of the losses of all rows "
            f"(each at most {one['norm']} long), {one['penalty']} / 2 times the weights' squares, the intercept's too "
            f"(l2 = {one['l2']}), and a linear term of noise that nobody knows. What is computed is within "
            f"{one['distance']} of it, which a little noise on the result covers."
        )
    return (
        f"Output perturbation: {count_text(facts.get('steps'))} steps to the minimum of the losses of all rows (each "
        f"at most {one['norm']} long) and {one['penalty']} / 2 times the weights' squares, the intercept's too (l2 = "
        f"{one['l2']}). One patient moves the minimum by at most {one['sensitivity']}, and what is computed is within "
        f"{one['distance']} of it; noise covers both."
    )
