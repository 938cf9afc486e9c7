"""The plan's time beside a round's: processor time, for a machine as slow as this one is while it is measured."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.aggregation_plan import WITHIN, beside
from tests.tiers import Tell

ROUNDS = [(clients, lying) for clients in (10, 100, 1000) for lying in (False, True)] + [(10_000, False)]


@pytest.mark.soak
@pytest.mark.speed
@pytest.mark.parametrize(("clients", "lying"), ROUNDS)
def test_a_round_takes_what_the_plan_says(clients: int, lying: bool, tell: Tell) -> None:
    """The middle of three rounds: a machine that turns slow between two looks at it misleads one of them."""
    found = [beside(clients, 1000, lying=lying) for _ in range(3 if clients <= 1000 else 1)]
    middle = [statistics.median(ratios) for ratios in zip(*(one.ratios for one in found), strict=True)]
    said = "\n".join(map(str, found))
    print(said)
    tell("the plan of a secure sum", rounds=len(found), furthest=max(max(one, 1 / one) for one in middle))
    assert all(one.exact for one in found)
    assert all(1 / WITHIN <= one <= WITHIN for one in middle), said
