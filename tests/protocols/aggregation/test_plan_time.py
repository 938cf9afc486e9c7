"""The plan's time beside a round's: processor time, for a machine as slow as this one is while it is measured."""

from __future__ import annotations

import pytest

from benchmarks.aggregation_plan import WITHIN, beside
from tests.soak.sweeps import Tell

ROUNDS = [(clients, lying) for clients in (10, 100, 1000) for lying in (False, True)] + [(10_000, False)]


@pytest.mark.soak
@pytest.mark.speed
@pytest.mark.parametrize(("clients", "lying"), ROUNDS)
def test_a_round_takes_what_the_plan_says(clients: int, lying: bool, tell: Tell) -> None:
    found = beside(clients, 1000, lying=lying)
    print(found)
    tell("the plan of a secure sum", rounds=1, furthest=max(max(one, 1 / one) for one in found.ratios))
    assert found.exact
    assert all(1 / WITHIN <= one <= WITHIN for one in found.ratios), str(found)
