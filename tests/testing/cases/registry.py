"""All cases by name."""

from __future__ import annotations

from tests.testing.cases import (
    core,
    disclosure,
    evaluation,
    functions,
    inference,
    linalg,
    linear,
    perturbed,
    prediction,
    privacy,
    scaling,
    statistics,
    training,
)
from tests.testing.cases.case import Case

ROOMS = (
    core.CASES,
    linalg.CASES,
    functions.CASES,
    scaling.CASES,
    disclosure.CASES,
    evaluation.CASES,
    training.CASES,
    inference.CASES,
    linear.CASES,
    prediction.CASES,
    privacy.CASES,
    perturbed.CASES,
    statistics.CASES,
)
CASES: dict[str, Case] = {name: case for room in ROOMS for name, case in room.items()}
assert len(CASES) == sum(map(len, ROOMS)), "two cases have one name"
