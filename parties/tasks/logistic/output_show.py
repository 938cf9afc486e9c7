"""A logistic regression by output perturbation in words, for plan, summary and report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import count_text, to_digits

UNIT: Final = "in units of features that are scaled to their agreed ranges"


def output_text(facts: Mapping[str, Any]) -> str:
    """How the model came about, in sentences, from plan or record."""
    one = {key: to_digits(facts.get(key), 3) for key in ("l2", "penalty", "norm", "sensitivity", "distance")}
    return (
        f"Output perturbation: {count_text(facts.get('steps'))} steps to the minimum of the losses of all rows (each "
        f"at most {one['norm']} long) and {one['penalty']} / 2 times the weights' squares, the intercept's too (l2 = "
        f"{one['l2']}). One patient moves the minimum by at most {one['sensitivity']}, and what is computed is within "
        f"{one['distance']} of it; noise covers both."
    )
