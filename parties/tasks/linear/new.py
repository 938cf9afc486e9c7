"""What `mpc new` proposes of a linear regression."""

from __future__ import annotations

from parties.tasks.base import Commented, Shape


def propose(shape: Shape) -> list[Commented]:
    """The fit to all rows, with its standard errors."""
    lines = [('inference = "shared"', "sums stay shared; only the result is opened")]
    if not shape.split:
        lines.append(("test_fraction = 0.0", 'all rows are in the fit; else add "metrics" to reveal'))
    return [
        *lines,
        ('# weights = "measurements"', "a column of variance weights, if there is one; not a feature then"),
        ('# offset = "expected"', "a column that is taken off the target, if there is one; not a feature then"),
        ('reveal = ["inference"]', "coefficients, errors, R2; nothing else at the end"),
    ]
