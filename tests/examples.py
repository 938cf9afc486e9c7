"""How many examples Hypothesis tries: few and always the same in `make test`, many and by a seed in `make soak`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

TIMES = "SOAK_EXAMPLES"
"""The environment variable that says how many times as many examples are to be tried."""


def scaled(examples: int) -> int:
    """So many examples, times what a soak asks for."""
    return max(1, round(examples * float(os.environ.get(TIMES, "1"))))


def steady(examples: int) -> settings:
    """Hypothesis without regard for the machine's speed, with the same examples on every run.

    In a soak there are more, and `--hypothesis-seed` chooses them.
    """
    return settings(
        max_examples=scaled(examples),
        deadline=None,
        derandomize=TIMES not in os.environ,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
