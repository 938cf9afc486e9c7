"""What `mpc new` proposes of a logistic regression."""

from __future__ import annotations

from typing import Final

from parties.scenario.models import MIN_CELL, MIN_ROWS_PER_FEATURE
from parties.tasks.base import Commented, Shape

_MOST_FEATURES: Final = 30
_ROWS_A_FEATURE: Final = 20
"""A fit with standard errors is proposed up to so many features, with so many rows each; else a prediction."""
_HELD_OUT: Final = 0.2


def propose(shape: Shape) -> list[Commented]:
    """A fit with standard errors if there are enough rows, else a prediction."""
    rows = shape.rows[0] if shape.split else sum(shape.rows)
    others = rows if shape.split else rows - max(shape.rows)
    enough = rows >= _ROWS_A_FEATURE * (shape.features + 1)
    if shape.features <= _MOST_FEATURES and enough and others >= MIN_ROWS_PER_FEATURE * shape.features:
        return _inference(shape)
    return _prediction(shape, others)


def _inference(shape: Shape) -> list[Commented]:
    """The maximum-likelihood fit to all rows, as in statistics."""
    shared = [] if shape.split else [('inference = "shared"', "sums stay shared; only results open")]
    return [
        *shared,
        ("test_fraction = 0.0", "all rows are in the fit; 0.2 holds a fifth of them out"),
        ('reveal = ["inference", "metrics"]', "coefficients, errors, tests; and how good the model is"),
        ('# reveal = ["model", "metrics"]', "a prediction, trained by gradient descent: no errors, no p-values"),
    ]


def _prediction(shape: Shape, others: int) -> list[Commented]:
    """A trained prediction; `others` is how many rows the others of an owner have at least."""
    scaled, held = "to the mean and spread of all rows together, which all see", "of each owner's rows"
    if shape.split:
        scaled, held = "each owner its own columns; nobody else learns how", "of the patients, the same everywhere"
    few = 0.8 * others < MIN_ROWS_PER_FEATURE * shape.features
    held_out = _HELD_OUT * min(shape.rows) > MIN_CELL  # metrics of fewer would show their patients
    return [
        ("standardise = true", scaled),
        (f"test_fraction = {_HELD_OUT}", f"{held}: held out, and used for the metrics only")
        if held_out
        else ("test_fraction = 0.0", "all rows are trained on, and judge it: a fifth of an owner's would be few"),
        ('solver = "auto"', "the plan takes the one that is fastest for these rows and features"),
        ("l2 = 0.01", f"keeps the weights small: under {MIN_ROWS_PER_FEATURE} rows a feature need it")
        if few
        else ("l2 = 0.0", "more than 0 keeps the weights small"),
        ('reveal = ["model", "metrics"]', "the results that are opened; the plan lists the rest"),
    ]
