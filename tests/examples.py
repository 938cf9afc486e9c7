"""How much `make test` tries of what `make soak` tries: few examples, always the same; some cases of many."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

TIMES = "SOAK_EXAMPLES"
"""The environment variable that says how many times as many examples are to be tried as are stated."""


def scaled(examples: int, few: int | None = None) -> int:
    """So many examples, times what a soak asks for; in `make test` half as many, or so few."""
    if TIMES not in os.environ:
        return max(1, examples // 2) if few is None else few
    return max(1, round(examples * float(os.environ[TIMES])))


def steady(examples: int, few: int | None = None) -> settings:
    """Hypothesis without regard for the machine's speed, with the same examples on every run.

    In a soak there are more, and `--hypothesis-seed` chooses them.

    Args:
        few: how many `make test` tries, where half of them are too many.
    """
    return settings(
        max_examples=scaled(examples, few),
        deadline=None,
        derandomize=TIMES not in os.environ,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def sample(cases: Iterable[Any], *kept: Any) -> list[Any]:
    """Cases for `parametrize`, of which `make test` tries these, and a soak all."""
    every = list(cases)
    assert all(one in every for one in kept)
    return [one if one in kept else pytest.param(one, marks=pytest.mark.soak) for one in every]
